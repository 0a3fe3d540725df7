"""What is told of a file excludes no row of it: bounds as Delta wants them, from footers of files that pyarrow wrote."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, Field, NaiveDatetime

from framework.schema.model import Schema, schema_spec
from framework.spark.footers import read_footers
from framework.spark.statistics import COLUMNS, TEXT_CHARS, file_stats

MILLISECOND = timedelta(milliseconds=1)
NEW_YEAR = datetime(2013, 1, 1)  # noqa: DTZ001 a moment without a zone


class Place(Schema):
    x: int | None
    name: str | None


class Every(Schema):
    number: int | None = None
    half: float | None = None
    flag: bool | None = None
    text: str | None = None
    raw: bytes | None = None
    day: date | None = None
    at: AwareDatetime | None = None
    local: NaiveDatetime | None = None
    cents: Annotated[Decimal, Field(max_digits=5, decimal_places=2)] | None = None
    huge: Annotated[Decimal, Field(max_digits=38, decimal_places=10)] | None = None
    place: Place | None = None
    tags: list[str] | None = None


SPEC = schema_spec(Every)
ARROW = pa.schema(
    [
        ("number", pa.int64()),
        ("half", pa.float64()),
        ("flag", pa.bool_()),
        ("text", pa.string()),
        ("raw", pa.binary()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("local", pa.timestamp("us")),
        ("cents", pa.decimal128(5, 2)),
        ("huge", pa.decimal128(38, 10)),
        ("place", pa.struct([("x", pa.int64()), ("name", pa.string())])),
        ("tags", pa.list_(pa.string())),
    ]
)


def stats_of(rows: list[dict[str, Any]], **how: Any) -> dict[str, Any]:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, ARROW), out, **how)
    told = file_stats(pq.read_metadata(io.BytesIO(out.getvalue())), SPEC)
    return dict(json.loads(told, parse_float=Decimal))


def bounds(name: str, values: list[Any]) -> tuple[Any, Any]:
    told = stats_of([{name: value} for value in values])
    return told.get("minValues", {}).get(name), told.get("maxValues", {}).get(name)


@pytest.mark.parametrize(
    ("name", "values", "low", "high"),
    [
        ("number", [5, -(2**63), None], -(2**63), 5),
        ("day", [date(1, 1, 1), date(2013, 1, 1)], "0001-01-01", "2013-01-01"),
        ("cents", [Decimal("-1.50"), Decimal("0.05")], Decimal("-1.50"), Decimal("0.05")),
        ("huge", [Decimal("-1e27"), Decimal("9999999999999999999999999999.9999999999")], Decimal("-1e27"), Decimal("9999999999999999999999999999.9999999999")),
        ("local", [NEW_YEAR + timedelta(microseconds=1)], "2013-01-01T00:00:00.000", "2013-01-01T00:00:00.001"),
        ("at", [datetime(1900, 1, 1, 0, 0, 0, 1999, UTC)], "1900-01-01T00:00:00.001Z", "1900-01-01T00:00:00.002Z"),
        ("at", [datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)], None, None),
        ("text", ["", "é"], "", "é"),
        ("text", ["b" * 32, "a" * 33], "a" * 32, "b" * 32),
        ("text", ["a" * 33], "a" * 32, "a" * 32 + "\U0010ffff"),
        ("text", ["a" * 32 + "\U0010ffff" * 2 + "z"], "a" * 32, "a" * 32 + "\U0010ffff" * 3),
        ("text", ["a" * 32 + "\U0010ffff"], "a" * 32, "a" * 32 + "\U0010ffff"),
        ("flag", [True, None], True, True),
        ("flag", [True, False], False, True),
        # Writers other than Spark's leave NaN out of their bounds; binaries have none in Delta.
        ("half", [1.0], None, None),
        ("raw", [b"a"], None, None),
        ("text", [None], None, None),
    ],
)  # fmt: skip
def test_bounds(name: str, values: list[Any], low: Any, high: Any) -> None:
    assert bounds(name, values) == (low, high)


def test_nulls_are_counted_and_columns_of_nothing_else_have_no_bounds() -> None:
    told = stats_of([{"number": 1, "place": {"x": 2, "name": None}}, {"text": "a"}, {}])

    assert told["numRecords"] == 3
    assert told["minValues"] == {"number": 1, "text": "a", "place": {"x": 2}}
    assert {"number": 2, "half": 3, "text": 2, "place": {"x": 2, "name": 3}}.items() <= told["nullCount"].items()
    assert "tags" not in told["nullCount"]


@pytest.mark.parametrize(
    "unsaid", [{"half": 1.0}, {"at": datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)}, {"text": "z" * 5000}]
)
def test_bounds_are_told_of_all_columns_or_of_none(unsaid: dict[str, Any]) -> None:
    told = stats_of([{"number": 1, "raw": b"a", **unsaid}])

    assert {"minValues", "maxValues"} & set(told) == set()
    assert told["nullCount"]["number"] == 0
    assert stats_of([{"number": 1, "raw": b"a", **dict.fromkeys(unsaid)}])["minValues"] == {"number": 1}


def test_a_file_without_rows_or_without_statistics_says_how_many_rows() -> None:
    assert stats_of([])["numRecords"] == 0
    assert "minValues" not in stats_of([])
    assert stats_of([{"number": 1}], write_statistics=False) == {"numRecords": 1}


def test_groups_of_rows_are_one_file() -> None:
    told = stats_of([{"number": n, "text": str(n)} for n in range(10)], row_group_size=3)

    assert (told["minValues"], told["maxValues"]) == ({"number": 0, "text": "0"}, {"number": 9, "text": "9"})


def test_only_the_first_columns_are_told() -> None:
    fields = {f"c{number}": pa.int64() for number in range(COLUMNS + 3)}
    wide = type("Wide", (Schema,), {"__annotations__": dict.fromkeys(fields, int)})
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict.fromkeys(fields, 1)], pa.schema(list(fields.items()))), out)

    told = json.loads(file_stats(pq.read_metadata(io.BytesIO(out.getvalue())), schema_spec(wide)))

    assert list(told["nullCount"]) == list(fields)[:COLUMNS]


def test_a_long_text_is_no_number(tmp_path: Path) -> None:
    """Its bytes would be one beyond every float."""
    path = tmp_path / "part-0.parquet"
    pq.write_table(pa.table({"text": ["z" * 2000], "huge": pa.array([Decimal("1e27")], pa.decimal128(38, 10))}), path)

    leaves = read_footers([path]).leaves

    assert (leaves["text"].low, leaves["text"].bounded, leaves["text"].nulls) == (None, False, 0)
    assert leaves["huge"].low == 10**37


@given(st.lists(st.text(st.sampled_from("aé\U0010ffff"), max_size=40) | st.text(max_size=40), min_size=1, max_size=5))
def test_a_text_lies_between_its_bounds(values: list[str]) -> None:
    low, high = bounds("text", values)

    assert low <= min(values) <= max(values) <= high
    assert len(low) <= TEXT_CHARS


@given(st.lists(st.datetimes(datetime(1, 1, 2), NEW_YEAR.replace(year=9999)), min_size=1, max_size=5))  # noqa: DTZ001  Spark's local time
def test_a_moment_lies_between_its_bounds_and_close_to_them(values: list[datetime]) -> None:
    low, high = map(datetime.fromisoformat, bounds("local", values))

    assert min(values) - MILLISECOND < low <= min(values)
    assert max(values) <= high < max(values) + MILLISECOND


@given(st.lists(st.decimals(-(10**27), 10**27, allow_nan=False, places=10), min_size=1, max_size=5))
def test_a_decimal_keeps_every_digit(values: list[Decimal]) -> None:
    assert bounds("huge", values) == (min(values), max(values))
