"""What do data checks cost a write of ten columns?

Each variant reads the same Parquet rows, writes them, and verifies what it wrote as a run does before it publishes:

* ``no checks``: the write alone, of a schema that promises nothing;
* ``nulls and ranges``: on every column, which the footers prove;
* ``five more a column``: lengths and patterns of text, rules for the rest, which take a pass over what was written;
* ``a key``: uniqueness of two columns, on top of nulls and ranges;
* ``five drop rules``: which leave no row out, and are counted in the write;
* ``broken rows``: as ``five more``, and one row in a thousand breaks a rule that warns: counts and keys are taken.
"""

import shutil
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pyspark.sql import SparkSession

from benchmarks.pairs import Answer, Run, run_pairs
from framework.datafile import DataFile
from framework.schema.spec import Check, Column, SchemaSpec
from framework.spark.archive import archive_home
from framework.spark.columns import struct_type, verify_columns
from framework.spark.session import SessionSettings, open_session
from framework.spark.verify import verify_output
from framework.spark.write import write_output

ROWS, SMALL_ROWS = 10_000_000, 300_000
ROUNDS, SMALL_ROUNDS = 7, 2
BOUNDS: Final = {"nulls and ranges": 1.05, "five more a column": 1.5}

_ROWS: Final = (
    "id as a", "int(id % 1000) as b", "double((id * 7919) % 1000003) / 7 as c", "decimal(id % 97) :: decimal(18,2) as d",
    "concat('k', id % 5000) as e", "concat('v', id % 100) as f", "date_add(date'2020-01-01', int(id % 2000)) as g",
    "timestamp_seconds(1600000000 + id) as h", "id % 2 = 0 as i", "bigint(hash(id)) as j",
)  # fmt: skip
_TYPES: Final = {
    "a": "long", "b": "integer", "c": "double", "d": "decimal(18,2)", "e": "string",
    "f": "string", "g": "date", "h": "timestamp", "i": "boolean", "j": "long",
}  # fmt: skip
_RANGES: Final[dict[str, tuple[Any, Any]]] = {
    "a": (0, 2**62),
    "b": (0, 1000),
    "c": (0.0, 1e9),
    "d": (Decimal("0.00"), Decimal("97.00")),
    "g": (date(2019, 1, 1), date(2030, 1, 1)),
    "h": (datetime(2019, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)),
    "j": (-(2**31), 2**31),
}
# Five a column that no footer proves. Arithmetic on decimals is left out: Spark takes 0.5 to 1 microsecond for each
# operation, so that a few of them outweigh all else here.
_WHOLE: Final = ("{c} % 1 = 0", "{c} % 7 < 7", "{c} + 1 > {c}", "{c} <> -77", "{c} <= 1e12")
_MONEY: Final = (
    "{c} <> -77",
    "{c} >= 0 OR i",
    "{c} < 97 OR NOT i",
    "{c} IN (0.50) OR {c} <> 0.50",
    "{c} <= 1000 OR b = 0",
)
_FLOAT: Final = ("NOT isnan({c})", "{c} * 2 < 1e14", "{c} <> -1", "{c} > -1e13", "abs({c}) < 1e13")
_TEXT: Final = ("substr({c}, 1, 1) IN ('k', 'v')", "{c} <> ''")  # and three constraints, see more()
_TIME: Final = (
    "year({c}) >= 2019",
    "year({c}) < 2100",
    "month({c}) > 0",
    "{c} <> date'2000-01-01'",
    "dayofmonth({c}) < 32",
)
_FLAG: Final = ("{c} OR a % 2 <> 0", "NOT {c} OR a % 2 = 0", "{c} = (a % 2 = 0)", "{c} OR b >= 0", "{c} OR NOT {c}")
_MORE: Final = {
    "a": _WHOLE, "b": _WHOLE, "c": _FLOAT, "d": _MONEY, "e": _TEXT,
    "f": _TEXT, "g": _TIME, "h": _TIME, "i": _FLAG, "j": _WHOLE,
}  # fmt: skip


def plain() -> SchemaSpec:
    return SchemaSpec("Plain", tuple(Column(name, kind, nullable=True) for name, kind in _TYPES.items()))


def ranges() -> SchemaSpec:
    """Nulls on every column, both bounds where values have an order."""
    return SchemaSpec(
        "Ranges",
        tuple(Column(name, kind, nullable=False, checks=tuple(_bounds(name))) for name, kind in _TYPES.items()),
    )


def _bounds(name: str) -> list[Check]:
    low, high = _RANGES.get(name, (None, None))
    return [] if low is None else [Check(f"{name}.ge", name, "ge", low), Check(f"{name}.le", name, "le", high)]


def more() -> SchemaSpec:
    """``ranges`` and five more a column: lengths and a pattern for text, rules for the rest."""
    rules = (
        Check(f"{name}_{number}", None, "sql", text.format(c=name))
        for name, texts in _MORE.items()
        for number, text in enumerate(texts)
    )
    spec = ranges()
    columns = (replace(c, checks=(*c.checks, *_texts(c.name))) if c.type == "string" else c for c in spec.columns)
    return replace(spec, name="More", columns=tuple(columns), rules=tuple(rules))


def _texts(name: str) -> tuple[Check, ...]:
    return (
        Check(f"{name}.min_length", name, "min_length", 1),
        Check(f"{name}.max_length", name, "max_length", 10),
        Check(f"{name}.pattern", name, "pattern", r"^[kv][0-9]+\z"),
    )


def keyed() -> SchemaSpec:
    return replace(ranges(), name="Keyed", key=("a", "e"))


def dropping() -> SchemaSpec:
    texts = ("a >= 0", "length(e) > 0", "c < 1e14", "f rlike '^v'", "year(g) < 2100")
    return replace(ranges(), rules=tuple(Check(f"d{i}", None, "sql", text, "drop") for i, text in enumerate(texts)))


def broken() -> SchemaSpec:
    spec = more()
    return replace(spec, key=("a", "e"), rules=(*spec.rules, Check("rare", None, "sql", "a % 1000 <> 1", "warn")))


def ask(*, small: bool) -> tuple[Answer, ...]:
    """Seconds of write and verification."""
    conf = {"spark.driver.memory": "3g", "spark.sql.shuffle.partitions": "4"}
    settings = SessionSettings("cost of checks", conf=conf, archive_dir=archive_home())
    rows = SMALL_ROWS if small else ROWS
    with TemporaryDirectory() as folder, open_session(settings) as spark:
        variants = _variants(spark, Path(folder), rows)
        seconds = run_pairs(variants, SMALL_ROUNDS if small else ROUNDS)
    question = f"seconds to write and verify {rows:,} rows of ten columns, over a write without checks"
    return (Answer(question, "no checks", seconds, BOUNDS),)


def _variants(spark: SparkSession, folder: Path, rows: int) -> dict[str, Run]:
    source = f"file://{folder}/source"
    spark.range(0, rows, 1, 4).selectExpr(*_ROWS).write.parquet(source)
    specs = {
        "no checks": plain(),
        "nulls and ranges": ranges(),
        "five more a column": more(),
        "a key": keyed(),
        "five drop rules": dropping(),
        "broken rows": broken(),
    }
    return {name: partial(_run, spark, source, folder / "out", spec) for name, spec in specs.items()}


def _run(spark: SparkSession, source: str, out: Path, spec: SchemaSpec) -> float:
    """Seconds of a run's own steps: columns, write, verification."""
    shutil.rmtree(out, ignore_errors=True)
    frame = spark.read.schema(struct_type(plain())).parquet(source)
    started = time.monotonic()
    checked = verify_columns(frame, spec, where="benchmark")
    facts = write_output(checked, spec, f"file://{out}", output="default")
    files = [DataFile(f"file://{path}") for path in sorted(out.glob("part-*"))]
    report = verify_output(spark, files, spec, output="default", observed=facts)
    taken = time.monotonic() - started
    assert sum(report.rows) == facts.rows
    return taken
