"""A schema class: what each annotation means, and what is refused, by the table of what pydantic lets through silently."""

import datetime as dt
import inspect
import json
import warnings
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, ClassVar, Literal, NewType, Optional, TypeVar, Union
from uuid import UUID

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf, Predicate
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    NaiveDatetime,
    PositiveInt,
    StringConstraints,
    ValidationError,
    computed_field,
    field_validator,
    model_validator,
)
from typing_extensions import TypeAliasType

from framework.errors import DefinitionError
from framework.schema.model import Schema, schema_spec
from framework.schema.spec import Check, Column, SchemaSpec
from framework.schema.types import Drop, Float32, Int8, Int16, Int32, Warn

Money = Annotated[Decimal, Field(max_digits=12, decimal_places=2)]
Named = TypeAliasType("Named", Money)
Code = NewType("Code", str)
T = TypeVar("T")
NAIVE = dt.datetime(2013, 1, 1)  # noqa: DTZ001  what is refused, or wanted, is the missing zone


class Colour(str, Enum):  # noqa: UP042  the older spelling of StrEnum is what people have
    red = "R"
    blue = "B"


class Level(IntEnum):
    low = 1
    high = 2


class Mixed(Enum):
    one = 1
    two = "two"


class Address(Schema):
    zip: Annotated[str, Field(pattern=r"^[0-9]{4}$", description="as posted")]
    floor: int | None


class Plain(BaseModel):
    x: int


def column_of(annotation: Any, default: Any = ...) -> Column:
    """The column that a field ``x`` with this annotation becomes."""
    space: dict[str, Any] = {"__annotations__": {"x": annotation}, "__module__": __name__}
    if default is not ...:
        space["x"] = default
    return schema_spec(type("Row", (Schema,), space)).column("x")


def refusal_of(annotation: Any, default: Any = ...) -> str:
    with pytest.raises(DefinitionError) as refused:
        column_of(annotation, default)
    (line,) = refused.value.details
    return str(line).removeprefix("x: ")


@pytest.mark.parametrize(
    ("annotation", "spark"),
    [
        (bool, "boolean"),
        (int, "long"),
        (Int8, "byte"),
        (Int16, "short"),
        (Int32, "integer"),
        (float, "double"),
        (Float32, "float"),
        (str, "string"),
        (bytes, "binary"),
        (dt.date, "date"),
        (dt.datetime, "timestamp"),
        (AwareDatetime, "timestamp"),
        (NaiveDatetime, "timestamp_ntz"),
        (Money, "decimal(12,2)"),
        (Named, "decimal(12,2)"),
        (Code, "string"),
        (Literal["a", "b"], "string"),
        (Literal[1, 2], "long"),
        (Literal[True], "boolean"),
        (Colour, "string"),
        (Level, "long"),
    ],
)
def test_each_type_has_one_spark_type(annotation: Any, spark: str) -> None:
    assert (column_of(annotation).type, column_of(annotation).nullable) == (spark, False)
    assert (column_of(annotation | None).type, column_of(annotation | None).nullable) == (spark, True)


@pytest.mark.parametrize(
    "annotation",
    [
        float | None,
        None | float,
        Optional[float],  # noqa: UP045  people write it
        Union[None, float],  # noqa: UP007
        Annotated[float | None, Ge(0)],
        Annotated[float, Ge(0)] | None,
    ],
)
def test_none_may_stand_anywhere(annotation: Any) -> None:
    assert (column_of(annotation).type, column_of(annotation).nullable) == ("double", True)


@pytest.mark.parametrize("default", [..., None], ids=["required", "default"])
@pytest.mark.parametrize(
    ("annotation", "spark"),
    [
        (Money | None, "decimal(12,2)"),
        (Annotated[Decimal | None, Field(max_digits=12, decimal_places=2)], "decimal(12,2)"),
        (Annotated[Decimal, Field(max_digits=12, decimal_places=2), Ge(0)] | None, "decimal(12,2)"),
        (Annotated[Annotated[Decimal, Field(max_digits=5, decimal_places=0)], Ge(0)] | None, "decimal(5,0)"),
    ],
)
def test_the_digits_of_money_are_found_behind_none(annotation: Any, spark: str, default: Any) -> None:
    assert column_of(annotation, default).type == spark


def test_the_digits_of_money_are_found_in_containers() -> None:
    assert column_of(list[Money]).type == {"type": "array", "elementType": "decimal(12,2)", "containsNull": False}
    assert column_of(dict[str, Money | None] | None).type == {
        "type": "map",
        "keyType": "string",
        "valueType": "decimal(12,2)",
        "valueContainsNull": True,
    }


def test_the_digits_of_money_are_found_in_a_field_written_as_a_default() -> None:
    class Fare(Schema):
        fare: Decimal = Field(max_digits=12, decimal_places=2)

    assert schema_spec(Fare).column("fare").type == "decimal(12,2)"
    assert not schema_spec(Fare).column("fare").has_default


def test_a_nested_schema_is_a_struct_with_comments() -> None:
    assert column_of(Address).type == {
        "type": "struct",
        "fields": [
            {"name": "zip", "type": "string", "nullable": False, "metadata": {"comment": "as posted"}},
            {"name": "floor", "type": "long", "nullable": True, "metadata": {}},
        ],
    }


@pytest.mark.parametrize(
    ("annotation", "checks"),
    [
        (Annotated[float, Ge(-120)] | None, [("x.ge", "ge", -120.0, "fail")]),
        (Annotated[float | None, Ge(-120)], [("x.ge", "ge", -120.0, "fail")]),
        (Annotated[float, Drop(Ge(-120))] | None, [("x.ge", "ge", -120.0, "drop")]),
        (Annotated[float, Warn(Ge(0), Lt(5))], [("x.ge", "ge", 0.0, "warn"), ("x.lt", "lt", 5.0, "warn")]),
        (Annotated[float, Warn(Field(ge=0)), Drop(Le(9))], [("x.ge", "ge", 0.0, "warn"), ("x.le", "le", 9.0, "drop")]),
        (Annotated[int, Interval(gt=0, le=9)], [("x.gt", "gt", 0, "fail"), ("x.le", "le", 9, "fail")]),
        (PositiveInt | None, [("x.gt", "gt", 0, "fail")]),
        (Annotated[Int8, Ge(0)], [("x.ge", "ge", 0, "fail")]),
        (Annotated[Float32, Le(3)], [("x.le", "le", 3.0, "fail")]),
        (Annotated[int, MultipleOf(5)], [("x.multiple_of", "multiple_of", 5, "fail")]),
        (Annotated[Money, Gt(0)], [("x.gt", "gt", Decimal("0.00"), "fail")]),
        (Annotated[Money, MultipleOf(Decimal("0.05"))], [("x.multiple_of", "multiple_of", Decimal("0.05"), "fail")]),
        (
            Annotated[str, Len(2, 3)],
            [("x.min_length", "min_length", 2, "fail"), ("x.max_length", "max_length", 3, "fail")],
        ),
        (Annotated[bytes, MaxLen(3)], [("x.max_length", "max_length", 3, "fail")]),
        (Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")], [("x.pattern", "pattern", r"^[A-Z]{2}\z", "fail")]),
        (Annotated[str, Drop(Field(pattern="^A"))], [("x.pattern", "pattern", "^A", "drop")]),
        (Annotated[dt.date, Ge(dt.date(2013, 1, 1))], [("x.ge", "ge", dt.date(2013, 1, 1), "fail")]),
        (Literal["a", None, "b"], [("x.enum", "enum", ("a", "b"), "fail")]),  # noqa: PYI061  people write it
        (Colour, [("x.enum", "enum", ("R", "B"), "fail")]),
        (Level | None, [("x.enum", "enum", (1, 2), "fail")]),
    ],
)
def test_constraints_are_found_wherever_they_stand(annotation: Any, checks: list[tuple[Any, ...]]) -> None:
    found = column_of(annotation).checks

    assert [(check.name, check.kind, check.argument, check.policy) for check in found] == checks
    assert [type(check.argument) for check in found] == [type(argument) for _, _, argument, _ in checks]


def test_decimal_arguments_have_the_scale_of_their_column() -> None:
    (check,) = column_of(Annotated[Money, Ge(Decimal("1E+2"))]).checks

    assert str(check.argument) == "100.00"


@pytest.mark.parametrize(
    ("annotation", "sentence"),
    [
        (int | str, "one type per column, not int | str"),
        (Decimal, "Decimal needs digits"),
        (Decimal | None, "Decimal needs digits"),
        (list[Decimal], "Decimal needs digits"),
        (Annotated[Decimal, Field(max_digits=5)], "Decimal needs digits"),
        (Annotated[Decimal, Field(max_digits=39, decimal_places=2)], "max_digits is 1 to 38"),
        (Annotated[Decimal, Field(max_digits=2, decimal_places=3)], "max_digits is 1 to 38"),
        (Annotated[float, Field(max_digits=5, decimal_places=2)], "are for Decimal, not float"),
        (Any, "Any has no Spark type: a column has one type; there are bool, int"),
        (set[int], "set[int] has no Spark type: write list[...]"),
        (tuple[int, str], "write list[...], or a Schema"),
        (list, "say what is in it: list[str]"),
        (dict, "say what is in it: dict[str, float]"),
        (dict[int, str], "keys of a dict are str, not int"),
        (UUID, "write str"),
        (dt.timedelta, "with the unit in the name"),
        (complex, "complex has no Spark type"),
        (None, "has no Spark type"),
        (T, "has no Spark type"),
        (Plain, "Plain is a pydantic model; make it a Schema"),
        (Mixed, "the values of Mixed are int and str"),
        (Literal["a", 1], "are int and str"),
        (Literal[None], "are missing"),  # noqa: PYI061
        (Literal[b"a"], "are bytes"),
        (Annotated[bool, Ge(0)], "ge means nothing on boolean"),
        (Annotated[str, Ge("a")], "ge means nothing on string"),
        (Annotated[int, Field(pattern="a")], "pattern means nothing on integer"),
        (Annotated[bytes, Field(pattern="a")], "pattern means nothing on binary"),
        (Annotated[float, MultipleOf(0.1)], "multiple_of on a float is a matter of rounding"),
        (Annotated[float, Ge(float("nan"))], "a finite number, not nan"),
        (Annotated[float, Le(float("inf"))], "a finite number, not inf"),
        (Annotated[float, Le(2**53 + 1)], "is no exact float"),
        (Annotated[int, Ge(0.5)], "ge of an integer is an int, not 0.5"),
        (Annotated[int, Ge(2**63)], "lies outside 64 bits"),
        (Annotated[Int8, Le(128)], "lies outside 8 bits"),
        (Annotated[int, MultipleOf(0)], "multiple_of is 1 or more"),
        (Annotated[Money, Ge(0.5)], "an int or a Decimal, not 0.5"),
        (Annotated[Money, Ge(Decimal("0.001"))], "ge=0.001 does not fit decimal(12,2)"),
        (Annotated[Money, Le(10**10)], "does not fit decimal(12,2)"),
        (Annotated[Money, Le(Decimal("NaN"))], "an int or a Decimal, not Decimal('NaN')"),
        (Annotated[Money, MultipleOf(Decimal(0))], "steps are above 0"),
        (Annotated[Decimal, Field(max_digits=29, decimal_places=2), MultipleOf(1)], "at most 28 digits"),
        (Annotated[dt.date, Ge(NAIVE)], "ge of a date is a date"),
        (Annotated[AwareDatetime, Ge(NAIVE)], "with a time zone"),
        (Annotated[NaiveDatetime, Ge(dt.datetime(2013, 1, 1, tzinfo=dt.UTC))], "without a time zone"),
        (Annotated[str, MinLen(-1)], "min_length is a count, not -1"),
        (Annotated[Address, Ge(0)], "Address takes no constraints"),
        (Annotated[Literal["a"], MinLen(1)], "takes no constraints"),
        (Annotated[str, Field(pattern=r"^\d+$")], r"\d differs between Rust, Java and Python; write [0-9]"),
        (Annotated[int, Ge(0), Ge(1)], "two constraints called ge"),
        (Annotated[float, Drop(Ge(-9)), Warn(Ge(0))], "two constraints called ge"),
        (Annotated[int, Warn("x > 0")], "SQL text belongs in rules="),
        (Annotated[int, Drop()], "SQL text belongs in rules="),
        (Annotated[str, StringConstraints(to_lower=True)], "to_lower=True has no meaning in Spark"),
        (Annotated[float, Field(allow_inf_nan=False)], "allow_inf_nan=False has no meaning in Spark"),
        (Annotated[int, AfterValidator(abs)], "AfterValidator has no meaning in Spark"),
        (Annotated[int, BeforeValidator(abs)], "BeforeValidator has no meaning in Spark"),
        (Annotated[int, Predicate(bool)], "Predicate has no meaning in Spark"),
        (Annotated[int, "metres"], "str has no meaning in Spark"),
        (Annotated[int, Ge], "Ge has no meaning in Spark"),
        (Annotated[int, Field(alias="y")] | None, "is lost: write it outside"),
        (Annotated[int, Field(validation_alias="y")], "only a plain alias"),
        (Annotated[int, Field(serialization_alias="y")], "only a plain alias"),
        (Annotated[int, Field(validation_alias=AliasChoices("y", "z"))], "only a plain alias"),
        (Annotated[int, Field(default_factory=int)], "a default is one value"),
    ],
)
def test_what_spark_cannot_mean_is_refused_with_a_sentence(annotation: Any, sentence: str) -> None:
    assert sentence in refusal_of(annotation)


@pytest.mark.parametrize(
    ("annotation", "default", "stored"),
    [
        (int, 3, 3),
        (Money | None, None, None),
        (Money, Decimal("1.50"), Decimal("1.50")),
        (Colour, Colour.blue, "B"),
        (list[int], [1, 2], (1, 2)),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (dt.date, dt.date(2013, 1, 1), dt.date(2013, 1, 1)),
        (Address, Address(zip="1234", floor=None), {"zip": "1234", "floor": None}),
    ],
)
def test_a_default_says_what_an_older_input_is_filled_with(annotation: Any, default: Any, stored: Any) -> None:
    column = column_of(annotation, default)

    assert (column.has_default, column.default) == (True, stored)


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (int, None),
        (int, "3"),
        (Money, 1.5),
        (Money, Decimal("1.505")),
        (Annotated[float, Ge(0)], -1.0),
        (dt.datetime, NAIVE),
        (Literal["a"], "b"),
        (Colour, "R"),
    ],
)
def test_a_default_that_does_not_fit_is_refused(annotation: Any, default: Any) -> None:
    assert "default" in refusal_of(annotation, default)


def test_a_type_name_shadowed_by_its_own_field_is_pythons_error_and_the_module_name_is_the_cure() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        exec("from datetime import date\nclass Row:\n    date: date | None = None\n    day: date | None = None\n", {})

    class Row(Schema):
        date: dt.date | None = None
        day: dt.date | None = None

    assert schema_spec(Row).column("date").type == "date"


@pytest.mark.parametrize("name", ["json", "schema", "copy", "validate", "dict", "model_fields", "c"])
def test_names_that_the_class_uses_itself_are_refused_and_allowed_by_alias(name: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        type("Row", (Schema,), {"__annotations__": {name: str}, "__module__": __name__})

    assert refused.value.details == (
        f'{name}: the class uses this name itself; write {name}_: Annotated[..., Field(alias="{name}")]',
    )
    by_alias = type(
        "Row", (Schema,), {"__annotations__": {f"{name}_": Annotated[str, Field(alias=name)]}, "__module__": __name__}
    )
    assert schema_spec(by_alias).column(f"{name}_").source_name == name


def test_without_the_refusal_such_a_name_only_warns() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        type("Row", (BaseModel,), {"__annotations__": {"json": str}, "__module__": __name__})

    assert "shadows an attribute" in str(caught[0].message)


def test_underscored_names_are_refused_and_pydantic_would_have_hidden_them() -> None:
    with pytest.raises(DefinitionError, match="pydantic hides names that start with _"):

        class Row(Schema):
            _id: str

    class Hidden(BaseModel):
        _id: str

    assert "_id" not in Hidden.model_fields


def test_case_twins_are_refused() -> None:
    with pytest.raises(DefinitionError, match="'carrier' and 'Carrier' differ in case at most"):

        class Row(Schema):
            Carrier: str
            carrier: str


def test_an_alias_is_a_foreign_name_and_must_be_its_own() -> None:
    class Raw(Schema):
        tail: Annotated[str, Field(alias="Tail Number")]
        year: int = Field(2013, alias="Year")

    assert [(c.name, c.source_name) for c in schema_spec(Raw).columns] == [("tail", "Tail Number"), ("year", "Year")]
    assert Raw.model_validate({"tail": "N1"}) == Raw.model_validate({"Tail Number": "N1"})
    with pytest.raises(DefinitionError, match="cannot tell them apart"):

        class Twice(Schema):
            tail: Annotated[str, Field(alias="Year")]
            year: int


def test_validators_serializers_and_computed_fields_are_refused_since_they_never_run_in_spark() -> None:
    with pytest.raises(DefinitionError) as refused:

        class Row(Schema):
            x: int

            @field_validator("x")
            @classmethod
            def positive(cls, value: int) -> int:
                return abs(value)

            @model_validator(mode="after")
            def whole(self) -> "Row":
                return self

            @computed_field  # type: ignore[prop-decorator]  # the decorator's own documentation says so
            @property
            def twice(self) -> int:
                return 2 * self.x

    assert [line.partition(":")[0] for line in refused.value.details] == ["positive", "whole", "twice"]


def test_a_schema_has_one_configuration() -> None:
    with pytest.raises(DefinitionError, match="model_config: frozen cannot be set"):

        class Row(Schema, frozen=False):
            x: int


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(DefinitionError) as refused:

        class Row(
            Schema,
            key=("nope", "x", "x"),
            rules={"Bad name": "x > 0", "key": "x > 0", "empty": " ", "odd": Warn(Ge(0))},
        ):
            json: str  # type: ignore[assignment]  # the mistake under test
            _id: int
            x: set[int]
            y: Decimal
            Y: int | str

    told = "\n".join(refused.value.details)
    for part in (
        "json:",
        "_id:",
        "x:",
        "y:",
        "Y:",
        "'Y' and 'y'",
        "no column 'nope'",
        "named twice",
        "Bad name",
        "'key'",
        "'empty'",
        "'odd'",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("x", "a tuple of column names"),
        (("y",), "there is no column 'y'"),
        (("x", "x"), "named twice"),
        (("f",), "f is of type double, which cannot identify a row"),
        (("tags",), "tags is of type array<string>"),
    ],
)
def test_keys_that_cannot_be_are_refused(key: Any, sentence: str) -> None:
    with pytest.raises(DefinitionError) as refused:

        class Row(Schema, key=key):
            x: int
            f: float
            tags: list[str]

    assert sentence in refused.value.details[0]


def test_rules_keys_and_docstrings_are_in_the_record() -> None:
    class Flight(
        Schema, key=("carrier", "day"), rules={"late": Warn("arr >= dep"), "far": "miles > 0", "odd": Drop("a = 1")}
    ):
        """One
        departure."""

        carrier: Annotated[str, Field(description="IATA")]
        day: dt.date
        limit: ClassVar[int] = 3

    spec = schema_spec(Flight)

    assert (spec.name, spec.description, spec.names) == ("Flight", "One departure.", ("carrier", "day"))
    assert spec.key == ("carrier", "day")
    assert spec.rules == (
        Check("late", None, "sql", "arr >= dep", "warn"),
        Check("far", None, "sql", "miles > 0", "fail"),
        Check("odd", None, "sql", "a = 1", "drop"),
    )
    assert spec.column("carrier").description == "IATA"
    assert SchemaSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_schema_without_a_docstring_has_no_description() -> None:
    class Row(Schema):
        x: int

    assert schema_spec(Row).description == ""


def test_a_subclass_has_the_columns_key_and_rules_of_its_base() -> None:
    class Base(Schema, key=("x",), rules={"up": "x > 0"}):
        x: int

    class More(Base, rules={"down": "y < 0"}):
        y: int

    spec = schema_spec(More)

    assert (spec.names, spec.key, [rule.name for rule in spec.rules]) == (("x", "y"), ("x",), ["up", "down"])
    assert [rule.name for rule in schema_spec(Base).rules] == ["up"]


def test_a_nested_schema_has_no_key_rules_or_aliases() -> None:
    class Keyed(Schema, key=("x",)):
        x: int

    class Foreign(Schema):
        x: Annotated[int, Field(alias="X y")]

    assert "hold for rows" in refusal_of(Keyed)
    assert "name columns of a file" in refusal_of(Foreign)


def test_a_schema_that_holds_itself_is_refused() -> None:
    with pytest.raises(DefinitionError, match="Node holds itself"):

        class Node(Schema):
            inner: "list[Node]"


def test_column_names_are_text_complete_and_name_the_nearest() -> None:
    assert Address.c.zip == "zip"
    assert [*Address.c] == ["zip", "floor"]
    assert dir(Address.c) == ["floor", "zip"]
    assert repr(Address.c) == "Address.c(zip, floor)"
    with pytest.raises(AttributeError, match="Address has no column 'zipp'; did you mean zip"):
        _ = Address.c.zipp


def test_rows_hold_what_spark_types_hold() -> None:
    class Row(Schema):
        n: int
        small: Annotated[Int8, Drop(Ge(0))]
        at: dt.datetime
        local: NaiveDatetime
        single: Float32

    good: dict[str, Any] = {
        "n": 2**63 - 1,
        "small": 127,
        "at": dt.datetime(2013, 1, 1, tzinfo=dt.UTC),
        "local": NAIVE,
        "single": 0.1,
    }
    assert Row(**good).single == 0.10000000149011612
    for name, value in (("n", 2**63), ("small", 128), ("small", -1), ("at", NAIVE), ("single", 1e39)):
        with pytest.raises(ValidationError):
            Row(**{**good, name: value})


class Simple(Schema):
    carrier: str
    seats: Annotated[Int16, Drop(Ge(1))] | None
    kind: Literal["a", "b"] = "a"


@given(st.builds(Simple))
def test_hypothesis_builds_rows_from_the_class(row: Simple) -> None:
    assert row.seats is None or 1 <= row.seats < 2**15


def test_the_signature_shows_the_columns_also_of_a_subclass() -> None:
    class More(Simple):
        more: int

    assert list(inspect.signature(More).parameters) == ["carrier", "seats", "kind", "more"]


def test_a_signature_with_names_that_are_missing_is_still_one() -> None:
    class Later(Schema):
        x: "NotThereYet"  # type: ignore[name-defined]  # noqa: F821  the mistake under test

    assert str(inspect.signature(Later)) == "(**data: 'Any') -> 'None'"


def test_constraints_inside_containers_become_sql_rules() -> None:
    class Row(Schema):
        tags: Annotated[list[Annotated[str, Drop(MinLen(1))]], MaxLen(3)]
        home: Address | None
        fares: dict[str, list[Annotated[Money, Ge(0)] | None]]

    spec = schema_spec(Row)

    assert [(check.name, check.kind, check.policy) for column in spec.columns for check in column.checks] == [
        ("tags.max_length", "sql", "fail"),
        ("tags.items.null", "sql", "fail"),
        ("tags.items.min_length", "sql", "drop"),
        ("home.zip.null", "sql", "fail"),
        ("home.zip.pattern", "sql", "fail"),
        ("fares.values.null", "sql", "fail"),
        ("fares.values.items.ge", "sql", "fail"),
    ]
    sql = {check.name: check.argument for check in spec.checks}
    assert sql["home.zip.pattern"] == r"(`home` IS NULL OR (`home`.`zip` RLIKE '^[0-9]{4}\\z'))"
    assert sql["fares.values.items.ge"] == (
        "forall(map_values(`fares`), x1 -> forall(x1, x2 -> (x2 >= CAST('0.00' AS decimal(12,2)))))"
    )
