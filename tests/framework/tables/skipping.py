"""A table with a column of every type whose files differ, written by Spark as the product does: what filters are tried on."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field, NaiveDatetime
from pyspark.sql import SparkSession

from framework import Frame, Job, Schema, Table
from framework.identity import TaskKey
from framework.job import contract_of
from framework.manifest import Manifest
from framework.runner.writing import Writer
from framework.schema.model import schema_spec
from framework.schema.types import Float32, Int8, Int16, Int32, to_single
from framework.spark.rows import frame_of_rows
from framework.storage.base import Store
from framework.storage.publish import RunLog
from framework.tables.commit import commit_tables
from framework.tables.log import TableLog
from tests.framework.tables.runs import TASK, claim, day


class Spot(Schema):
    x: int | None
    name: str | None


class Every(Schema):
    i8: Int8 | None
    i16: Int16 | None
    i32: Int32 | None
    i64: int | None
    f32: Float32 | None
    f64: float | None
    flag: bool | None
    text: str | None
    raw: bytes | None
    day: date | None
    at: AwareDatetime | None
    local: NaiveDatetime | None
    cents: Annotated[Decimal, Field(max_digits=5, decimal_places=2)] | None
    money: Annotated[Decimal, Field(max_digits=18, decimal_places=4)] | None
    huge: Annotated[Decimal, Field(max_digits=38, decimal_places=10)] | None
    nothing: str | None
    spot: Spot | None
    tags: list[str] | None


class Keep(Job):
    def transform(self, rows: Frame[Every]) -> Table[Every]:
        return rows


SPEC: Final = schema_spec(Every)
OUTPUT: Final = "default"
FILTERED: Final = (
    *("i8", "i16", "i32", "i64", "f32", "f64", "flag", "text", "raw", "day", "at", "local", "cents", "money", "huge"),
    "nothing",
)
NEW_YEAR: Final = datetime(2013, 1, 1, tzinfo=UTC)


def row(rank: int, micros: int = 0) -> dict[str, Any]:
    """Values that all grow with ``rank``."""
    at = NEW_YEAR + timedelta(days=rank, microseconds=micros)
    return {
        "i8": rank,
        "i16": rank * 300,
        "i32": rank * 70_000,
        "i64": rank * 5_000_000_000,
        "f32": to_single(rank + 0.1),
        "f64": rank + 0.1,
        "flag": rank > 0,
        "text": f"{rank + 50:03d}" + "ä" * 40 + f"{micros:06d}",
        "raw": bytes([rank + 100]),
        "day": at.date(),
        "at": at,
        "local": at.replace(tzinfo=None),
        "cents": Decimal(rank) + Decimal("0.01"),
        "money": Decimal(rank * 10**12) + Decimal("0.0001"),
        "huge": Decimal(rank * 10**26) + Decimal("0.0000000001"),
        "nothing": None,
        "spot": {"x": rank, "name": None},
        "tags": [str(rank)],
    }


EMPTY: Final[dict[str, Any]] = dict.fromkeys(SPEC.names)
ODD: Final = {
    "f32": float("nan"),
    "f64": float("nan"),
    "text": "\U0010ffff" * 40,
    "day": date(1, 1, 1),
    "huge": Decimal("-9999999999999999999999999999.9999999999"),
    "i64": 2**63 - 1,
    "cents": Decimal("-999.99"),
}
FILES: Final[tuple[list[dict[str, Any]], ...]] = (
    [row(-40, 1), row(-39, 999), row(-38, 1_001)],
    [row(1, 1_999), row(2, 123_456), EMPTY | {"f64": -0.0, "f32": 0.0}],
    [row(40, 999_999), row(41, 500), row(42, 1)],
    [row(20) | ODD, row(21) | {"f64": float("inf"), "f32": float("-inf")}],
    [EMPTY, EMPTY],
)


def fill(spark: SparkSession, store: Store) -> TableLog:
    """A day for each of ``FILES``, by the product's own way from frame to commit."""
    contract = contract_of(Keep)
    for number, rows in enumerate(FILES):
        attempt = claim(store, day(number))
        writer = Writer(contract, store, attempt)
        frame = frame_of_rows(spark, rows, SPEC).coalesce(1)
        outputs, _ = writer.verify(spark, writer.write({OUTPUT: frame}))
        manifest = Manifest(
            key=attempt.key,
            attempt=attempt.number,
            token=attempt.token,
            epoch=attempt.claim.epoch,
            clear_number=attempt.claim.clear_number,
            job="jobs.flights.delays:Keep",
            contract=contract.hash,
            outputs=outputs,
        )
        commit_tables(store, RunLog(store, attempt.key).publish(attempt, manifest))
    return TableLog.of(store, TaskKey(TASK.team, TASK.dag_id, TASK.task_id), OUTPUT)


def probes() -> Iterator[tuple[str, str, Any]]:
    """A column, a comparison and a value: every value there is, with all that lie beside it left to the others."""
    for name in FILTERED:
        values = {one[name] for rows in FILES for one in rows if one[name] is not None and one[name] == one[name]}
        yield from ((name, how, value) for value in sorted(values) for how in ("==", "<", "<=", ">", ">="))
