"""Runs that publish rows of a table, as the runner does but without Spark: what the tests of tables race, kill and read."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from framework.identity import Epoch, RunKey, TaskKey
from framework.manifest import FileEntry, Manifest, OutputEntry
from framework.schema.model import Schema, schema_spec
from framework.schema.spec import SchemaSpec
from framework.spark.statistics import file_stats
from framework.storage.attempts import Attempt, paths_below
from framework.storage.base import Store
from framework.storage.paths import segment_of_date
from framework.storage.publish import Published, RunLog
from framework.tables.log import TableLog

TASK: Final = TaskKey("flights", "flights.daily", "delays")
OUTPUT: Final = "history"
FIRST_DAY: Final = datetime(2013, 1, 1, tzinfo=UTC)


class Delay(Schema):
    """What was late."""

    carrier: str
    n: int
    note: str | None = None


SPEC: Final = schema_spec(Delay)
_ARROW: Final = {"string": pa.string(), "long": pa.int64(), "double": pa.float64(), "timestamp_ntz": pa.timestamp("us")}


def day(number: int, map_index: int | None = None) -> RunKey:
    """The run of the ``number``-th day."""
    return RunKey(*(TASK.team, TASK.dag_id, TASK.task_id), segment_of_date(FIRST_DAY + timedelta(number)), map_index)


def rows(key: RunKey, attempt: int, count: int = 3) -> list[dict[str, Any]]:
    """Rows that say whose they are."""
    return [{"carrier": f"{key.run}/{key.map_index}", "n": attempt * 1000 + one, "note": None} for one in range(count)]


def parquet(content: Sequence[Mapping[str, Any]], spec: SchemaSpec = SPEC) -> bytes:
    fields = [(column.name, _ARROW[str(column.type)]) for column in spec.columns]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(one) for one in content], pa.schema(fields)), out)
    return out.getvalue()


def claim(store: Store, key: RunKey, number: int = 1) -> Attempt:
    """The next attempt of ``key``: a try of its own, all of one incarnation."""
    log = RunLog(store, key, pause=lambda _: None)
    return log.claim(Epoch("one", number, 1), clear_number=number, who="a test", seen=log.seen())


def publish(
    store: Store,
    attempt: Attempt,
    content: Sequence[Mapping[str, Any]],
    *,
    spec: SchemaSpec = SPEC,
    parts: int = 1,
    map_count: int | None = None,
    output: str = OUTPUT,
) -> Published:
    """Write ``content`` in so many files (none when it is empty) and publish it; the table is not touched."""
    pieces = [content[part::parts] for part in range(parts)] if content else []
    folder = attempt.output_dir(output, table=True)
    entries, stats = [], []
    for part, piece in enumerate(pieces):
        data = parquet(piece, spec)
        entries.append(FileEntry(path=f"{output}/part-{part}.parquet", bytes=len(data), rows=len(piece)))
        (path,) = paths_below(folder, output, entries[-1:])
        store.put_if_absent(path, data)
        stats.append(file_stats(pq.read_metadata(io.BytesIO(data)), spec))
    entry = OutputEntry(
        name=output,
        schema_=spec.to_json(),
        rows=len(content),
        bytes=sum(file.bytes for file in entries),
        files=tuple(entries),
        table=True,
        stats=tuple(stats),
    )
    manifest = Manifest(
        key=attempt.key,
        attempt=attempt.number,
        token=attempt.token,
        epoch=attempt.claim.epoch,
        clear_number=attempt.claim.clear_number,
        job="jobs.flights.delays:History",
        contract="0",
        outputs=(entry,),
        map_count=map_count,
    )
    return RunLog(store, attempt.key, pause=lambda _: None).publish(attempt, manifest)


def published(store: Store, key: RunKey, number: int = 1, **how: Any) -> Published:
    """Attempt ``number`` of ``key``, published with rows of its own."""
    attempt = claim(store, key, number)
    return publish(store, attempt, rows(key, attempt.number), **how)


def table(store: Store) -> TableLog:
    return TableLog.of(store, TASK, OUTPUT)


def held(store: Store) -> list[dict[str, Any]]:
    """The rows of the table by our own reading of its log, sorted."""
    snapshot = table(store).latest()
    found: list[dict[str, Any]] = []
    for file in () if snapshot is None else snapshot.up_to(None):
        reader = store.readable(f"{table(store).place}/{file.path}")
        found += pq.read_table(reader, partitioning=None).to_pylist()
    return in_order(found)


def in_order(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return sorted((dict(one) for one in found), key=lambda one: (one["carrier"], one["n"]))
