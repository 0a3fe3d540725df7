"""Rows of tests and fixtures: filled, typed strictly, and violating only where they say so."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest
from annotated_types import Ge, Gt, Le, Len, Lt, MultipleOf
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, Field, NaiveDatetime

from framework.errors import ConfigError
from framework.schema.model import Schema, schema_shapes
from framework.schema.types import Drop, Float32, Int8, Int16
from framework.testing.examples import example
from framework.testing.rows import fill, read_csv_rows, read_json_rows, unchecked

Money = Annotated[Decimal, Field(max_digits=12, decimal_places=2)]


class Colour(Enum):
    red = "R"
    blue = "B"


class Part(Schema):
    code: Annotated[str, Field(pattern="^[0-9]{4}$")]
    note: str | None


class Flight(Schema, key=("carrier", "flight")):
    carrier: Annotated[str, Field(pattern="^[A-Z0-9]{2}$")]
    flight: int
    day: dt.date
    fare: Annotated[Money, Gt(0)]
    delay: Annotated[float, Drop(Ge(-120))] | None
    seats: Annotated[Int16, Ge(1)]
    departure: AwareDatetime
    local: NaiveDatetime
    colour: Colour
    part: Part
    tags: Annotated[list[str], Len(1, 3)]
    scores: dict[str, float]
    stops: int = 3
    codes: list[int] = [7]  # noqa: RUF012  a pydantic default, copied for each row
    single: Float32
    share: Annotated[float, Gt(0), Lt(0.5)]
    raw: Annotated[bytes, Len(2)]
    yes: bool


def test_a_row_states_what_it_is_about_and_the_rest_is_filled() -> None:
    (row,) = fill(Flight, [{"delay": 10.0}])

    assert row == {
        "carrier": "AA",
        "flight": 0,
        "day": dt.date(1970, 1, 1),
        "fare": Decimal("0.01"),
        "delay": 10.0,
        "seats": 1,
        "departure": dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        "local": dt.datetime(1970, 1, 1),  # noqa: DTZ001  the column has no zone
        "colour": "R",
        "part": {"code": "0000", "note": None},
        "tags": [""],
        "scores": {},
        "stops": 3,
        "codes": [7],
        "single": 0.0,
        "share": 0.25,
        "raw": b"00",
        "yes": False,
    }
    assert list(row) == [*Flight.c]


def test_filled_rows_are_rows_of_the_schema() -> None:
    assert all(Flight.model_validate(row) for row in fill(Flight, [{}] * 20))


def test_filling_is_the_same_each_time_and_never_shares_a_list() -> None:
    first, second = fill(Flight, [{}, {}])

    assert fill(Flight, [{}, {}]) == [first, second]
    assert first["codes"] is not second["codes"]


def test_key_columns_count_up_so_that_rows_differ() -> None:
    rows = fill(Flight, [{}, {}, {"flight": 77}])

    assert [(row["carrier"], row["flight"]) for row in rows] == [("AA", 0), ("BA", 1), ("CA", 77)]


def test_nulls_fill_what_may_be_null_and_defaults_come_first() -> None:
    class Row(Schema):
        a: int | None
        b: int | None = 5

    assert fill(Row, [{}]) == [{"a": None, "b": 5}]


def test_random_filling_keeps_the_constraints_and_follows_its_seed() -> None:
    one, same, other = (fill(Flight, [{}] * 5, how="random", seed=seed) for seed in (1, 1, 2))

    assert one == same != other
    assert all(Flight.model_validate(row) for row in one)
    assert len({row["seats"] for row in one}) > 1


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (int, [0, 1, 2]),
        (Annotated[int, Ge(5)], [5, 6, 7]),
        (Annotated[int, Gt(5), MultipleOf(4)], [8, 12, 16]),
        (Annotated[int, Le(-5)], [-5, -6, -7]),
        (Annotated[int, Le(5)], [0, -1, -2]),
        (Annotated[int, Ge(1), Le(2)], [1, 2, 1]),
        (Int8, [0, 1, 2]),
        (Money, [Decimal("0.00"), Decimal("1.00"), Decimal("2.00")]),
        (
            Annotated[Money, Ge(Decimal("0.10")), Le(Decimal("0.12"))],
            [Decimal("0.10"), Decimal("0.11"), Decimal("0.12")],
        ),
        (Annotated[float, Gt(0)], [1.0, 2.0, 3.0]),
        (Annotated[float, Lt(0)], [-1.0, -2.0, -3.0]),
        (Annotated[dt.date, Ge(dt.date(2013, 1, 1))], [dt.date(2013, 1, day) for day in (1, 2, 3)]),
        (Annotated[dt.date, Lt(dt.date(1970, 1, 1))], [dt.date(1969, 12, day) for day in (31, 30, 29)]),
        (AwareDatetime, [dt.datetime(1970, 1, 1, 0, 0, second, tzinfo=dt.UTC) for second in range(3)]),
        (str, ["", "1", "2"]),
        (Annotated[str, Len(3, 3)], ["000", "001", "002"]),
        (Annotated[str, Len(0, 1)], ["", "1", "2"]),
        (Colour, ["R", "B", "R"]),
        (bool, [False, True, False]),
    ],
)
def test_the_smallest_values_that_keep_the_constraints(annotation: Any, values: list[Any]) -> None:
    made = examples(annotation, 3)

    assert made == values
    assert [type(value) for value in made] == [type(value) for value in values]


def examples(annotation: Any, count: int) -> list[Any]:
    """The first ``count`` values for a column of this type; each keeps its constraints."""
    made: Any = type("Row", (Schema,), {"__annotations__": {"x": annotation}, "__module__": __name__})
    values = [example(schema_shapes(made)["x"], nth) for nth in range(count)]
    assert all(made.model_validate({"x": value}) for value in values)
    return values


bounds = st.integers(-300, 300)


@given(low=bounds | st.none(), high=bounds | st.none(), step=st.integers(1, 9), count=st.integers(1, 40))
def test_any_bounds_that_leave_a_value_are_filled(low: int | None, high: int | None, step: int, count: int) -> None:
    limits: list[object] = [MultipleOf(step)]
    limits += [] if low is None else [Ge(low)]
    limits += [] if high is None else [Le(high)]
    room = count if low is None or high is None else (high - low) // step
    if room < 1:
        return

    values = examples(Annotated[int, *limits], count)

    assert len(set(values)) >= min(count, room)


@given(low=st.floats(-1e6, 1e6), high=st.floats(-1e6, 1e6), open_low=st.booleans(), open_high=st.booleans())
def test_any_float_bounds_with_room_are_filled(low: float, high: float, open_low: bool, open_high: bool) -> None:
    if high - low < 1e-3:
        return
    limits = [Gt(low) if open_low else Ge(low), Lt(high) if open_high else Le(high)]

    assert len(set(examples(Annotated[float, *limits], 3))) > 1


@pytest.mark.parametrize("limit", [Gt(0.5), Ge(-3.0), Lt(0.0), Le(7.0)])
def test_one_float_bound_is_enough(limit: Any) -> None:
    assert len(set(examples(Annotated[float, limit], 5))) == 5


def test_a_column_beyond_filling_is_to_be_stated() -> None:
    class Row(Schema):
        x: Annotated[str, Field(pattern="^a", min_length=5)]

    with pytest.raises(ConfigError, match="row 0, x: String should have at least 5 characters"):
        fill(Row, [{}])
    assert fill(Row, [{"x": "abcde"}]) == [{"x": "abcde"}]


def test_rows_of_the_schema_class_are_rows_too() -> None:
    row = Flight.model_validate(fill(Flight, [{"colour": Colour.blue}])[0])

    assert fill(Flight, [row]) == [fill(Flight, [{"colour": "B"}])[0]]


def test_python_rows_may_hold_iso_text_for_days_and_moments_and_text_for_decimals() -> None:
    (row,) = fill(Flight, [{"day": "2013-01-01", "departure": "2013-01-01T05:00:00Z", "fare": "12.50", "delay": 3}])

    assert row["day"] == dt.date(2013, 1, 1)
    assert row["departure"] == dt.datetime(2013, 1, 1, 5, tzinfo=dt.UTC)
    assert (str(row["fare"]), row["delay"]) == ("12.50", 3.0)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"flight": "1"}, "row 0, flight: Input should be a valid integer (got '1')"),
        ({"flight": True}, "row 0, flight"),
        ({"flight": 2**63}, "row 0, flight"),
        ({"seats": 2**15}, "row 0, seats"),
        ({"fare": 12.5}, "row 0, fare"),
        ({"fare": "12.505"}, "row 0, fare"),
        ({"fare": "much"}, "row 0, fare: not a decimal number"),
        ({"delay": "late"}, "row 0, delay"),
        ({"day": "yesterday"}, "row 0, day"),
        ({"day": dt.datetime(2013, 1, 1, tzinfo=dt.UTC)}, "row 0, day"),
        ({"departure": "2013-01-01T05:00:00"}, "row 0, departure: Input should have timezone info"),
        ({"local": "2013-01-01T05:00:00Z"}, "row 0, local"),
        ({"single": 1e39}, "row 0, single: does not fit a 32-bit float"),
        ({"carier": "AA"}, "row 0, carier: no such column; did you mean carrier?"),
        ({"part": {"kode": 1}}, "row 0, part.kode: no such column"),
        ({"tags": "a"}, "row 0, tags"),
        ("text", "row 0, (whole)"),
    ],
)
@pytest.mark.parametrize("how", [list, unchecked])
def test_a_value_of_another_type_is_refused_checked_or_not(row: Any, sentence: str, how: Any) -> None:
    with pytest.raises(ConfigError, match="rows do not fit Flight") as refused:
        fill(Flight, how([row]))

    assert sentence in refused.value.details[0]


VIOLATIONS = [
    {"delay": -500.0},
    {"flight": None},
    {"carrier": "lower"},
    {"colour": "X"},
    {"tags": []},
    {"part": {"code": "x", "note": None}},
    {"tags": [None]},
]


@pytest.mark.parametrize("row", VIOLATIONS)
def test_a_row_that_breaks_a_check_is_refused_and_the_way_out_is_told(row: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        fill(Flight, [row])

    assert next(iter(row)) in refused.value.details[0]
    assert refused.value.details[-1] == "rows that are meant to break a check go in unchecked([...])"


@pytest.mark.parametrize("row", VIOLATIONS)
def test_unchecked_rows_may_break_any_check(row: dict[str, Any]) -> None:
    (filled,) = fill(Flight, unchecked([row]))

    assert {name: filled[name] for name in row} == row
    assert filled["fare"] == Decimal("0.01")


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        fill(Flight, [{"flight": "x", "nope": 1}, {"seats": "y"}])

    assert [line.partition(":")[0] for line in refused.value.details] == [
        "row 0, flight",
        "row 0, nope",
        "row 1, seats",
    ]


def test_json_rows_are_typed_and_state_only_their_columns() -> None:
    text = """[{"carrier": "AA", "day": "2013-01-01", "fare": 12.5, "departure": "2013-01-01T05:00:00Z", "delay": 3,
                "colour": "B", "part": {"code": "1234", "note": null}, "raw": "ab", "scores": {"a": 1.0}}, {}]"""

    rows = read_json_rows(text, Flight)

    assert rows == [
        {
            "carrier": "AA",
            "day": dt.date(2013, 1, 1),
            "fare": Decimal("12.5"),
            "departure": dt.datetime(2013, 1, 1, 5, tzinfo=dt.UTC),
            "delay": 3.0,
            "colour": "B",
            "part": {"code": "1234", "note": None},
            "raw": b"ab",
            "scores": {"a": 1.0},
        },
        {},
    ]
    assert len(fill(Flight, rows)) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[{"flight": true}]', "row 0, flight"),
        ('[{"flight": "1"}]', "row 0, flight"),
        ('[{"flight": 1.5}]', "row 0, flight"),
        ('[{"day": 1}]', "row 0, day"),
        ('[{"departure": "2013-01-01T05:00:00"}]', "row 0, departure"),
        ('[{"nope": 1}]', "row 0, nope: no such column"),
        ('[{"flight": 1, "flight": 2}]', "'flight' stands twice in one object"),
        ('{"flight": 1}', "a list of objects"),
        ("[", "are no JSON"),
        ("", "are no JSON"),
    ],
)
def test_json_rows_that_do_not_fit_are_told(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_json_rows(text, Flight)

    assert sentence in str(refused.value)


class Foreign(Schema):
    tail: Annotated[str, Field(alias="Tail Number")]
    year: int | None


def test_csv_rows_are_matched_by_name_and_typed() -> None:
    text = (
        "flight,carrier,delay,fare,day,departure,tags,part,yes\n"
        '1,AA,,12.50,2013-01-01,2013-01-01T05:00:00Z,"[""x""]","{""code"": ""1234""}",true\n'
    )

    assert read_csv_rows(text, Flight) == [
        {
            "flight": 1,
            "carrier": "AA",
            "delay": None,
            "fare": Decimal("12.50"),
            "day": dt.date(2013, 1, 1),
            "departure": dt.datetime(2013, 1, 1, 5, tzinfo=dt.UTC),
            "tags": ["x"],
            "part": {"code": "1234"},
            "yes": True,
        }
    ]


def test_csv_columns_in_another_order_are_the_same_rows() -> None:
    assert read_csv_rows("flight,stops\n1,2\n", Flight) == read_csv_rows("stops,flight\n2,1\n", Flight)


def test_csv_headers_may_be_foreign_names_and_nulls_another_text() -> None:
    assert read_csv_rows("year,Tail Number\nNA,N1\n2013,\n", Foreign, null="NA") == [
        {"year": None, "tail": "N1"},
        {"year": 2013, "tail": ""},
    ]
    assert read_csv_rows("tail\nN1\n", Foreign) == [{"tail": "N1"}]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a CSV needs a header line"),
        ("carier\n", "'carier' is no column; did you mean carrier?"),
        ("flight,flight\n", "'flight' stands twice"),
        ("flight,stops\n1\n", "line 2: 1 cells"),
        ("flight\n1.5\n", "row 0, flight"),
        ("flight\nx\n", "row 0, flight"),
        ("yes\nmaybe\n", "row 0, yes"),
        ("day\n2013-13-01\n", "row 0, day"),
        ("fare\n1.505\n", "row 0, fare"),
        ("tags\n[\n", "row 0, tags: a list, map or struct is JSON"),
        ('tags\n"[1]"\n', "row 0, tags"),
        ('flight\n"1" 2\n', "are no CSV"),
    ],
)
def test_csv_rows_that_do_not_fit_are_told(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_csv_rows(text, Flight)

    assert sentence in str(refused.value)
