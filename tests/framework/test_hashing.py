import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framework.errors import ConfigError
from framework.hashing import ContentHash, hash_files, hash_rows
from framework.schema.spec import Column, SchemaSpec, SparkType

ARRAY = {"type": "array", "elementType": "long", "containsNull": True}
MAP = {"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": True}
NESTED = {"type": "array", "elementType": ARRAY, "containsNull": True}


def spec(*types: SparkType) -> SchemaSpec:
    return SchemaSpec("Rows", tuple(Column(f"c{i}", kind, nullable=True) for i, kind in enumerate(types)))


def one(value: object, kind: SparkType) -> ContentHash:
    return hash_rows([(value,)], spec(kind))


def test_order_and_files_do_not_matter_but_rows_do(tmp_path: Path) -> None:
    table = pa.table({"c0": list(range(100)), "c1": [str(i) for i in range(100)]})
    pq.write_table(table, tmp_path / "whole.parquet", row_group_size=7)
    pq.write_table(table.slice(60), tmp_path / "a.parquet")
    pq.write_table(table.slice(0, 60), tmp_path / "b.parquet")
    pq.write_table(table.slice(0, 59), tmp_path / "less.parquet")
    columns = spec("long", "string")

    whole = hash_files([tmp_path / "whole.parquet"], columns)

    assert whole == hash_files([tmp_path / "a.parquet", tmp_path / "b.parquet"], columns)
    assert whole != hash_files([tmp_path / "a.parquet", tmp_path / "less.parquet"], columns)
    assert whole.rows == 100


def test_columns_of_the_schema_alone_count_in_declared_order(tmp_path: Path) -> None:
    pq.write_table(pa.table({"other": [9], "c1": ["x"], "c0": [1]}), tmp_path / "t.parquet")

    assert hash_files([tmp_path / "t.parquet"], spec("long", "string")) == hash_rows([(1, "x")], spec("long", "string"))


@pytest.mark.parametrize(
    ("one_value", "other", "kind"),
    [
        (0.0, -0.0, "double"),
        (0.0, -0.0, "float"),
        (math.nan, -math.nan, "double"),
        (Decimal("1.50"), Decimal("1.5"), "decimal(12,2)"),
        (datetime(2013, 1, 1, tzinfo=UTC), datetime.fromisoformat("2013-01-01T02:00:00+02:00"), "timestamp"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, MAP),
    ],
)
def test_equal_values_hash_equal(one_value: Any, other: Any, kind: Any) -> None:
    assert one(one_value, kind) == one(other, kind)


@pytest.mark.parametrize(
    ("one_value", "other", "kind"),
    [
        (None, 0, "long"),
        (None, "", "string"),
        ([], [None], ARRAY),
        ([None, 1], [1, None], ARRAY),
        ([1], [1, None], ARRAY),
        ([[1], [2]], [[1, 2]], NESTED),
        ([[], [1]], [[1], []], NESTED),
        ({}, {"a": None}, MAP),
        ({"a": 1}, {"b": 1}, MAP),
        (math.inf, -math.inf, "double"),
        (date(2013, 1, 1), date(2013, 1, 2), "date"),
        (Decimal(2) ** 70, -(Decimal(2) ** 70), "decimal(38,0)"),
    ],
)
def test_different_values_hash_differently(one_value: Any, other: Any, kind: Any) -> None:
    assert one(one_value, kind) != one(other, kind)


def test_a_value_moved_to_the_next_column_is_seen() -> None:
    columns = spec("string", "string")

    assert hash_rows([("a", None)], columns) != hash_rows([(None, "a")], columns)
    assert hash_rows([("a", "")], columns) != hash_rows([("", "a")], columns)


def test_no_rows_is_a_hash_too(tmp_path: Path) -> None:
    pq.write_table(pa.table({"c0": pa.array([], pa.int64())}), tmp_path / "t.parquet")

    assert str(hash_files([tmp_path / "t.parquet"], spec("long"))) == "v1:0:0"


def test_text_form_is_read_back() -> None:
    some = hash_rows([(1,), (2,), (3,)], spec("long"))

    assert ContentHash.parse(str(some)) == some
    with pytest.raises(ConfigError, match="another version"):
        ContentHash.parse("v2:0:0")
