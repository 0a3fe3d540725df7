import math
import random
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from framework.hashing import hash_files, hash_rows
from framework.schema.constraints import decimal_size, type_family
from framework.schema.spec import Column, SchemaSpec, SparkType
from framework.spark.columns import struct_type
from framework.spark.hashing import canonical, content_hash

pytestmark = pytest.mark.spark

ROWS = 150
Draw = Callable[[random.Random], Any]


def integer(bits: int) -> Draw:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return lambda rnd: rnd.choice([0, -1, 1, low, high, rnd.randint(low, high), rnd.randint(-1000, 1000) % (high + 1)])


def floating(layout: str) -> Draw:
    size = struct.calcsize(layout)

    def draw(rnd: random.Random) -> float:
        any_bits: float = struct.unpack(layout, rnd.randbytes(size))[0]
        return rnd.choice([0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, any_bits, any_bits])

    return draw


def decimals(digits: int, places: int) -> Draw:
    largest = 10**digits - 1
    edges = [n for n in (0, 1, -1, 127, 128, -128, -129, 255, 256, 2**63, -(2**63), 2**64) if abs(n) <= largest]

    def draw(rnd: random.Random) -> Decimal:
        number = rnd.choice([*edges, largest, -largest, rnd.randint(-largest, largest)])
        return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -places))

    return draw


def text(rnd: random.Random) -> str:
    letters = ["a", "Z", "0", " ", "\n", "\0", "é", "е", "ß", "漢", "😀", "e\u0301", "\u2028", "\uffff"]
    return "".join(rnd.choices(letters, k=rnd.choice([0, 1, 2, 3, 7, 8, 31, 32, 33, 70])))


def moment(rnd: random.Random) -> datetime:
    return datetime(1, 1, 2, tzinfo=UTC) + timedelta(microseconds=rnd.randrange(315_500_000_000_000_000))


def array(kind: SparkType) -> SparkType:
    return {"type": "array", "elementType": kind, "containsNull": True}


def mapping(kind: SparkType) -> SparkType:
    return {"type": "map", "keyType": "string", "valueType": kind, "valueContainsNull": True}


def structure(**fields: SparkType) -> SparkType:
    parts = [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in fields.items()]
    return {"type": "struct", "fields": parts}


SCALARS: dict[str, Draw] = {
    "boolean": lambda rnd: rnd.random() < 0.5,
    "byte": integer(8),
    "short": integer(16),
    "integer": integer(32),
    "long": integer(64),
    "float": floating("<f"),
    "double": floating("<d"),
    "decimal(5,2)": decimals(5, 2),
    "decimal(18,4)": decimals(18, 4),
    "decimal(19,0)": decimals(19, 0),
    "decimal(38,10)": decimals(38, 10),
    "string": text,
    "binary": lambda rnd: rnd.randbytes(rnd.choice([0, 1, 4, 8, 31, 32, 40])),
    "date": lambda rnd: date.fromordinal(rnd.randint(1, date.max.toordinal())),
    "timestamp": moment,
    "timestamp_ntz": lambda rnd: moment(rnd).replace(tzinfo=None),
}
NESTED: list[SparkType] = [
    *(array(kind) for kind in SCALARS),
    mapping("double"),
    mapping("string"),
    array(array("long")),
    array(mapping("integer")),
    mapping(array("string")),
    structure(a="long", b="string", c=array("double")),
    array(structure(x="decimal(19,0)", y=mapping("timestamp"))),
]
TYPES: list[SparkType] = [*SCALARS, *NESTED]
SPEC = SchemaSpec("Everything", tuple(Column(f"c{i}", kind, nullable=True) for i, kind in enumerate(TYPES)))


def value(kind: SparkType, rnd: random.Random) -> Any:
    if rnd.random() < 0.2:
        return None
    if not isinstance(kind, dict):
        return SCALARS[kind](rnd)
    if kind["type"] == "array":
        return [value(kind["elementType"], rnd) for _ in range(rnd.randrange(4))]
    if kind["type"] == "map":
        return {text(rnd): value(kind["valueType"], rnd) for _ in range(rnd.randrange(4))}
    return {field["name"]: value(field["type"], rnd) for field in kind["fields"]}


def arrow(kind: SparkType) -> pa.DataType:
    if not isinstance(kind, dict):
        return pa.decimal128(*decimal_size(kind)) if type_family(kind) == "decimal" else ARROW[kind]
    if kind["type"] == "array":
        return pa.list_(arrow(kind["elementType"]))
    if kind["type"] == "map":
        return pa.map_(pa.string(), arrow(kind["valueType"]))
    return pa.struct([(field["name"], arrow(field["type"])) for field in kind["fields"]])


ARROW = {
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}


def as_arrow(value: Any, kind: SparkType) -> Any:
    """Maps as pyarrow takes them: lists of pairs, at any depth."""
    if value is None or not isinstance(kind, dict):
        return value
    if kind["type"] == "array":
        return [as_arrow(item, kind["elementType"]) for item in value]
    if kind["type"] == "map":
        return [(key, as_arrow(item, kind["valueType"])) for key, item in value.items()]
    return {field["name"]: as_arrow(value[field["name"]], field["type"]) for field in kind["fields"]}


def write(path: Any, rows: list[tuple[Any, ...]]) -> None:
    columns = {
        column.name: pa.array([as_arrow(row[i], column.type) for row in rows], arrow(column.type))
        for i, column in enumerate(SPEC.columns)
    }
    columns["row"] = pa.array(range(len(rows)))
    pq.write_table(pa.table(columns), path)


def signed(code: int) -> int:
    return code - 2**64 if code >= 2**63 else code


@pytest.mark.parametrize("seed", [20130101, 42])
def test_spark_and_arrow_agree_on_each_value_of_each_type(spark: SparkSession, tmp_path: Path, seed: Any) -> None:
    rnd = random.Random(seed)
    rows = [tuple(value(kind, rnd) for kind in TYPES) for _ in range(ROWS)]
    path = tmp_path / "rows.parquet"
    write(path, rows)
    frame = spark.read.schema(struct_type(SPEC).add("row", "long")).parquet(str(path))

    each = frame.orderBy("row").select(
        *(F.xxhash64(F.isnull(c.name), canonical(F.col(c.name), c.type)).alias(c.name) for c in SPEC.columns)
    )
    by_spark = each.collect()

    for i, column in enumerate(SPEC.columns):
        alone = SchemaSpec("One", (column,))
        by_arrow = [hash_rows([(row[i],)], alone).total for row in rows]
        wrong = [
            (row[i], got, want[i]) for row, got, want in zip(rows, by_arrow, by_spark, strict=True) if got != want[i]
        ]
        assert not wrong, (column.type, wrong[:3])
    assert content_hash(frame, SPEC) == hash_files([path], SPEC) == hash_rows(rows, SPEC)


def test_moments_and_days_that_python_has_no_word_for(spark: SparkSession, tmp_path: Path) -> None:
    spec = SchemaSpec("Far", (Column("d", "date", nullable=True), Column("t", "timestamp", nullable=True)))
    path = tmp_path / "far.parquet"
    days = pa.array([-(10**6), 5 * 10**6], pa.int32()).cast(pa.date32())
    micros = pa.array([-(10**17), 5 * 10**17], pa.int64()).cast(pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"d": days, "t": micros}), path)

    frame = spark.read.schema(struct_type(spec)).parquet(str(path))

    assert content_hash(frame, spec) == hash_files([path], spec)


def test_an_empty_frame_and_partitions_do_not_matter(spark: SparkSession, tmp_path: Path) -> None:
    spec = SchemaSpec("Ids", (Column("id", "long", nullable=False),))

    assert str(content_hash(spark.range(0), spec)) == "v1:0:0"
    assert content_hash(spark.range(0, 1000, 1, 1), spec) == content_hash(spark.range(0, 1000, 1, 7), spec)
    assert content_hash(spark.range(1000), spec) == hash_rows(((i,) for i in range(1000)), spec)


def test_without_canonical_form_different_lists_would_be_equal(spark: SparkSession) -> None:
    lists = spark.createDataFrame([([None],), ([],), ([1, None],), ([1],)], "c array<bigint>")

    bare = {row[0] for row in lists.select(F.xxhash64("c")).collect()}
    ours = {row[0] for row in lists.select(F.xxhash64(canonical(F.col("c"), array("long")))).collect()}

    assert len(bare) == 2  # Spark's own hash leaves out lengths and nulls inside
    assert len(ours) == 4


def test_the_sum_of_hashes_does_not_overflow(spark: SparkSession) -> None:
    spec = SchemaSpec("Ids", (Column("id", "long", nullable=False),))
    frame = spark.range(0, 200_000, 1, 2)

    total = content_hash(frame, spec).total

    assert abs(total) > 2**63 or total == hash_rows(((i,) for i in range(200_000)), spec).total
