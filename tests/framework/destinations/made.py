"""Published attempts of a tiny output, made without Spark, and the couriers that deliver them."""

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from framework.config import DestinationEntry, ExportedConfig, RunFacts
from framework.connections import NONE, Connections
from framework.destinations.base import Delivery
from framework.destinations.deliver import Courier
from framework.identity import Epoch, RunKey
from framework.manifest import FileEntry, Manifest, OutputEntry
from framework.schema.spec import Column, SchemaSpec
from framework.storage.attempts import Published, published_files
from framework.storage.base import Store
from framework.storage.publish import RunLog
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams

KEY = RunKey("tester", "tester.daily", "sums", "20130101T000000Z")
DAY = datetime(2013, 1, 1, tzinfo=UTC)
SPEC = SchemaSpec("Sum", (Column("name", "string", nullable=False), Column("total", "long", nullable=True)))


def publish(
    store: Store, parts: Sequence[Mapping[str, Any]], *, try_number: int = 1, key: RunKey = KEY, spec: SchemaSpec = SPEC
) -> Published:
    """An attempt of one output, a file for each of ``parts`` (columns by name)."""
    log, epoch = RunLog(store, key), Epoch("one", try_number, 1)
    attempt = log.claim(epoch, clear_number=try_number, who="test", seen=log.seen())
    files = []
    for number, part in enumerate(parts):
        table = pa.table(dict(part)) if not isinstance(part, pa.Table) else part
        sink = io.BytesIO()
        pq.write_table(table, sink)
        name = f"default/part-{number:05d}.parquet"
        store.put_if_absent(f"{attempt.directory}/{name}", sink.getvalue())
        files.append(FileEntry(path=name, bytes=len(sink.getvalue()), rows=table.num_rows))
    output = OutputEntry(
        name="default",
        schema_=spec.to_json(),
        rows=sum(file.rows or 0 for file in files),
        bytes=sum(file.bytes for file in files),
        files=tuple(files),
    )
    manifest = Manifest(
        key=key,
        attempt=attempt.number,
        token=attempt.token,
        epoch=epoch,
        clear_number=try_number,
        job="jobs.tester.sums:Sums",
        contract="0",
        outputs=(output,),
    )
    return log.publish(attempt, manifest)


def sums(version: str, parts: int = 2) -> list[dict[str, Any]]:
    """Rows that tell their version, in so many files."""
    return [{"name": [f"{version}-{part}-{n}" for n in range(3)], "total": [1, None, part]} for part in range(parts)]


def delivery(store: Store, published: Published) -> Delivery:
    return Delivery(published, "default", published_files(store, published))


def config(workspace: Path, *entries: Mapping[str, Any], try_number: int = 1) -> ExportedConfig:
    told = tuple(DestinationEntry(**entry) for entry in entries)
    return ExportedConfig(
        key=KEY,
        epoch=Epoch("one", try_number, 1),
        clear_number=try_number,
        job="jobs.tester.sums:Sums",
        run=RunFacts(run_id="r", run_after=DAY, logical_date=DAY),
        destinations={"default": told},
        workspace=str(workspace),
    )


def teams(workspace: Path, *, writes: Sequence[str] = ()) -> Teams:
    (workspace / "k8s/teams").mkdir(parents=True, exist_ok=True)
    team = {"team": "tester", "owners": ["a@example.org"], "store": {"kind": "directory", "root": "store"}}
    (workspace / "k8s/teams/tester.yaml").write_text(json.dumps({**team, "writes": list(writes)}))
    return load_teams(workspace)


def courier(
    store: Store,
    workspace: Path,
    *entries: Mapping[str, Any],
    connections: Connections = NONE,
    writes: Sequence[str] = (),
) -> Courier:
    return Courier(config(workspace, *entries), teams(workspace, writes=writes), store, connections)
