"""pydantic, Spark and the Parquet footers judge the same values: one verdict, for every constraint there is."""

import datetime as dt
import math
import random
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from pydantic import AwareDatetime, Field, NaiveDatetime, PositiveInt, StringConstraints, TypeAdapter, ValidationError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from framework.schema.model import Schema, schema_spec
from framework.schema.spec import Check, SchemaSpec
from framework.schema.types import Drop, Float32, Int8, Int16, Int32, Warn, to_single
from framework.spark.footers import prove, read_footers
from framework.spark.measure import broken
from framework.spark.rows import frame_of_rows
from framework.spark.values import kept_by_values

pytestmark = pytest.mark.spark

SETS = 24
ROWS = 12
Draw = Callable[[random.Random], Any]

UTC_NOON = dt.datetime(2013, 1, 1, 12, 0, 0, 1, tzinfo=dt.UTC)
NOON = UTC_NOON.replace(tzinfo=None)
DAY = dt.date(2013, 1, 1)
Cents = Annotated[Decimal, Field(max_digits=5, decimal_places=2)]
Money = Annotated[Decimal, Field(max_digits=18, decimal_places=4)]
Huge = Annotated[Decimal, Field(max_digits=38, decimal_places=10)]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def near(*numbers: int, low: int = -(2**63), high: int = 2**63 - 1) -> Draw:
    around = [n + step for n in (*numbers, low, high) for step in (-1, 0, 1) if low <= n + step <= high]
    return lambda rnd: rnd.choice([*around, rnd.randint(low, high), rnd.randint(-100, 100)])


def floats(*numbers: float) -> Draw:
    edges = [math.nextafter(n, direction) for n in numbers for direction in (-math.inf, n, math.inf)]
    odd = [0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]
    return lambda rnd: rnd.choice([*edges, *odd, rnd.uniform(-2, 2), struct.unpack("<d", rnd.randbytes(8))[0]])


def singles(*numbers: float) -> Draw:
    odd = [0.0, -0.0, math.nan, math.inf, -math.inf, *(to_single(n) for n in numbers)]
    return lambda rnd: rnd.choice([*odd, to_single(rnd.uniform(-2, 2))])


def decimals(digits: int, places: int, *numbers: str) -> Draw:
    units = [int(Decimal(n).scaleb(places)) for n in numbers]
    largest = 10**digits - 1

    def draw(rnd: random.Random) -> Decimal:
        around = [n + step for n in (*units, 0) for step in (-1, 0, 1)]
        unit = rnd.choice([*around, largest, -largest, rnd.randint(-largest, largest)])
        return Decimal((int(unit < 0), tuple(map(int, str(abs(unit)))), -places))

    return draw


def days(rnd: random.Random) -> dt.date:
    return rnd.choice([DAY + dt.timedelta(rnd.randint(-1, 1)), dt.date.fromordinal(rnd.randint(1, 3_000_000))])


def moments(rnd: random.Random) -> dt.datetime:
    far = dt.datetime(1, 1, 2, tzinfo=dt.UTC) + dt.timedelta(microseconds=rnd.randrange(250_000_000_000_000_000))
    return rnd.choice([UTC_NOON + dt.timedelta(microseconds=rnd.randint(-1, 1)), far])


def local(rnd: random.Random) -> dt.datetime:
    return moments(rnd).replace(tzinfo=None)


def text(*words: str) -> Draw:
    letters = [
        "a",
        "b",
        "Z",
        "0",
        "9",
        " ",
        "\n",
        "\r",
        "\t",
        "é",
        "е",
        "ß",
        "漢",
        "😀",
        "e\u0301",
        "\u2028",
        "\u0085",
        "'",
        "\\",
        "-",
    ]
    return lambda rnd: rnd.choice([*words, "".join(rnd.choices(letters, k=rnd.randint(0, 5)))])


def binary(rnd: random.Random) -> bytes:
    return rnd.choice([b"", b"a", "é".encode(), b"\x00\xff", b"abc", rnd.randbytes(3)])


CASES: list[tuple[Any, Draw]] = [
    *((Annotated[kind, bound(5)], near(5, low=-(2 ** (bits - 1)), high=2 ** (bits - 1) - 1))
      for kind, bits in ((Int8, 8), (Int16, 16), (Int32, 32), (int, 64)) for bound in (Ge, Gt, Le, Lt, MultipleOf)),
    (PositiveInt, near(0)),
    (Annotated[int, Ge(-(2**63)), Lt(2**63 - 1)], near(0)),
    (Annotated[int, Interval(ge=-3, le=3)], near(-3, 3)),
    (Literal[1, 2, -7], near(1, 2, -7)),
    *((Annotated[float, bound(limit)], floats(limit)) for bound in (Ge, Gt, Le, Lt) for limit in (0.0, -0.0, 0.1, 1e300)),
    (Annotated[float, Ge(-120)], floats(-120.0)),
    (float, floats()),
    *((Annotated[Float32, bound(0.1)], singles(0.1, math.nextafter(0.1, 1), -0.1)) for bound in (Ge, Gt, Le, Lt)),
    *((Annotated[Cents, bound(Decimal("0.10"))], decimals(5, 2, "0.10")) for bound in (Ge, Gt, Le, Lt, MultipleOf)),
    *((Annotated[Money, bound(Decimal("-0.5"))], decimals(18, 4, "-0.5")) for bound in (Ge, Gt, Le, Lt)),
    (Annotated[Money, MultipleOf(Decimal("0.0025"))], decimals(18, 4, "0.0025", "0.005")),
    *((Annotated[Huge, bound(Decimal(7))], decimals(38, 10, "7")) for bound in (Ge, Gt, Le, Lt)),
    *((Annotated[dt.date, bound(DAY)], days) for bound in (Ge, Gt, Le, Lt)),
    *((Annotated[AwareDatetime, bound(UTC_NOON)], moments) for bound in (Ge, Gt, Le, Lt)),
    *((Annotated[NaiveDatetime, bound(NOON)], local) for bound in (Ge, Gt, Le, Lt)),
    (Annotated[str, Len(1, 3)], text()),
    (Annotated[str, MinLen(2)], text()),
    (Annotated[str, MaxLen(2)], text()),
    (Annotated[str, StringConstraints(min_length=1, max_length=4, pattern="^a")], text("a", "abcde")),
    (Annotated[str, Field(pattern=r"^[a-z]{1,2}$")], text("ab", "ab\n", "ab\r", "\nab")),
    (Annotated[str, Field(pattern=r"a.b")], text("a\nb", "a\rb", "a\u0085b", "a\u2028b", "axb", "a😀b")),
    (Annotated[str, Field(pattern=r"[^a]0|é+?\\")], text("b0", "éé\\", "0")),
    (Annotated[str, Field(pattern=r"^$")], text("", "\n")),
    (Literal["a", "it's", "b\\", "\n"], text("a", "it's", "b\\", "\n", "A")),
    (Colour, text("red", "blue", "RED")),
    (Annotated[bytes, Len(1, 2)], binary),
    (Literal[True], lambda rnd: rnd.random() < 0.5),
    (Annotated[float, Drop(Ge(0))], floats(0.0)),
    (Annotated[int, Warn(Le(3))], near(3)),
    (bool, lambda rnd: rnd.random() < 0.5),
]  # fmt: skip


# Each case twice: as it is, and with `| None`.
ANNOTATIONS: dict[str, Any] = {f"c{i}": annotation for i, (annotation, _) in enumerate(CASES)}
ANNOTATIONS |= {f"n{i}": annotation | None for i, (annotation, _) in enumerate(CASES)}


def rows_schema() -> type[Schema]:
    return type("Rows", (Schema,), {"__annotations__": dict(ANNOTATIONS), "__module__": __name__})


def adapters() -> dict[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(annotation) for name, annotation in ANNOTATIONS.items()}


def draw_rows(rnd: random.Random) -> Iterator[dict[str, Any]]:
    for number in range(SETS):
        # Some sets hold few kinds of values, so that footers have something to prove; some have no nulls.
        kinds, nulls = rnd.randint(1, 4), rnd.choice([0.0, 0.0, 0.3, 1.0])
        pools = {f"{side}{i}": [draw(rnd) for _ in range(kinds)] for i, (_, draw) in enumerate(CASES) for side in "cn"}
        for _ in range(ROWS):
            yield {"set": number} | {
                name: None if rnd.random() < nulls else rnd.choice(pool) for name, pool in pools.items()
            }


def keeps(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.fixture(scope="module")
def written(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SchemaSpec, list[dict[str, Any]], Any, dict[int, Path]]:
    """All rows, each set of them in a file of its own, written by Spark."""
    schema = rows_schema()
    spec = schema_spec(schema)
    rows = list(draw_rows(random.Random(4242)))
    folder = tmp_path_factory.mktemp("verdicts") / "rows"
    plain = SchemaSpec("Plain", (*spec.columns, schema_spec(Sets).columns[0]))
    frame = frame_of_rows(spark, rows, plain)
    frame.repartitionByRange(1, "set").sortWithinPartitions("set").write.partitionBy("set").parquet(str(folder))
    files = {int(path.parent.name.partition("=")[2]): path for path in folder.glob("set=*/*.parquet")}
    return spec, rows, frame, files


class Sets(Schema):
    set: int


def checks_of(spec: SchemaSpec, column: str) -> list[Check]:
    return [check for check in spec.checks if check.column == column]


def test_pydantic_and_spark_agree_on_every_value(written: Any) -> None:
    spec, rows, frame, _ = written
    pydantic = adapters()
    conditions = [
        F.expr(" OR ".join(broken(c, spec) for c in checks_of(spec, n)) or "false").alias(n) for n in spec.names
    ]
    keys = [F.struct(*frame.columns).alias("row")]

    judged = frame.select(*conditions, *keys).collect()

    differing = [
        (name, pydantic[name], value, "Spark keeps it" if not row[name] else "Spark refuses it")
        for row in judged
        for name in spec.names
        for value in [as_python(row["row"][name], spec.column(name).type)]
        if keeps(pydantic[name], value) is bool(row[name])
    ]
    assert len(judged) == len(rows)
    assert not differing, differing[:5]


def as_python(value: Any, kind: Any) -> Any:
    """What Spark hands back, as the row that pydantic would see."""
    if kind == "timestamp" and value is not None:
        return value.astimezone(dt.UTC)
    return bytes(value) if isinstance(value, bytearray) else value


def test_footers_prove_what_holds_and_never_what_does_not(written: Any) -> None:
    spec, rows, _, files = written
    pydantic = adapters()
    verdicts: dict[str, set[str]] = {}

    for number, path in files.items():
        footers = read_footers([path])
        assert footers.by_spark
        for name in spec.names:
            values = [row[name] for row in rows if row["set"] == number]
            for check in checks_of(spec, name):
                said = prove(check, spec.column(name), footers)
                verdicts.setdefault(check.kind, set()).add(said)
                holds = all(keeps_one(check, pydantic[name], value) for value in values)
                assert said == "unknown" or (said == "kept") is holds, (name, check, said, values)

    assert all(verdicts[kind] == {"kept", "broken"} for kind in ("null", "ge", "gt", "le", "lt"))
    assert verdicts["pattern"] == {"unknown"}


def test_listed_texts_prove_what_holds_and_never_what_does_not(written: Any) -> None:
    spec, rows, _, files = written
    pydantic = adapters()
    kept: dict[str, set[bool]] = {}
    checks = [check for check in spec.checks if spec.column(str(check.column)).type == "string"]

    for number, path in files.items():
        proven = kept_by_values(checks, spec, [path], read_footers([path]))
        for check in checks:
            values = [row[check.column] for row in rows if row["set"] == number]
            holds = all(value is None or keeps_one(check, pydantic[str(check.column)], value) for value in values)
            kept.setdefault(check.kind, set()).add(check.name in proven)
            assert holds or check.name not in proven, (number, check, values)

    assert all(kept[kind] == {True, False} for kind in ("pattern", "min_length", "max_length", "enum"))
    assert kept["null"] == {False}


PYDANTIC_SAYS = {
    "ge": {"greater_than_equal"},
    "gt": {"greater_than"},
    "le": {"less_than_equal"},
    "lt": {"less_than"},
    "multiple_of": {"multiple_of"},
    "min_length": {"string_too_short", "bytes_too_short"},
    "max_length": {"string_too_long", "bytes_too_long"},
    "pattern": {"string_pattern_mismatch"},
    "enum": {"literal_error", "enum"},
}


def keeps_one(check: Check, adapter: TypeAdapter[Any], value: Any) -> bool:
    """pydantic's word on ``check`` alone: a null breaks the null check only, and no other check speaks of it."""
    if value is None:
        return check.kind != "null"
    if check.kind == "null":
        return True
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        return not {item["type"] for item in error.errors()} & PYDANTIC_SAYS[check.kind]
    return True


def test_every_kind_of_check_is_among_the_cases() -> None:
    kinds = {check.kind for check in schema_spec(rows_schema()).checks}

    assert kinds == {
        "null", "ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern", "enum",
    }  # fmt: skip
