"""Published datasets for the commands to look at: the real protocol, with pyarrow instead of Spark."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from framework.identity import Epoch, RunKey
from framework.manifest import FileEntry, InputEntry, Manifest, OutputEntry
from framework.schema.model import Schema, schema_spec
from framework.storage.base import Store
from framework.storage.publish import Published, RunLog

_ARROW = {"string": pa.string(), "long": pa.int64(), "double": pa.float64(), "date": pa.date32()}


class Amount(Schema, key=("name",)):
    """One amount."""

    name: str
    amount: float | None


@dataclass(frozen=True)
class Dataset:
    """Rows to publish under a run key."""

    key: RunKey
    rows: Sequence[Mapping[str, Any]]
    schema: type[Schema] = Amount
    output: str = "default"
    job: str = "jobs.flights.delays:Delays"
    inputs: tuple[InputEntry, ...] = ()
    checks: dict[str, int] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


def publish(store: Store, data: Dataset) -> Published:
    """One more attempt of the run."""
    log = RunLog(store, data.key)
    attempt = log.claim(Epoch("incarnation", 1, 1), clear_number=0, who="ann@laptop:1", seen=None)
    file = f"{data.output}/part-0.parquet"
    content = _parquet(data)
    store.put_if_absent(f"{attempt.directory}/{file}", content)
    entry = OutputEntry(
        name=data.output,
        schema_=schema_spec(data.schema).to_json(),
        rows=len(data.rows),
        bytes=len(content),
        files=(FileEntry(path=file, bytes=len(content), rows=len(data.rows)),),
        checks=data.checks,
    )
    claim = attempt.claim
    manifest = Manifest(
        key=data.key,
        attempt=attempt.number,
        token=claim.token,
        epoch=claim.epoch,
        clear_number=claim.clear_number,
        job=data.job,
        contract="0" * 64,
        parameters=data.parameters,
        outputs=(entry,),
        inputs=data.inputs,
        producer={"teamspark": "0.1.0"},
    )
    return log.publish(attempt, manifest)


def _parquet(data: Dataset) -> bytes:
    spec = schema_spec(data.schema)
    columns = {column.name: [row.get(column.name) for row in data.rows] for column in spec.columns}
    schema = pa.schema([(column.name, _ARROW[str(column.type)]) for column in spec.columns])
    out = io.BytesIO()
    parquet.write_table(pa.table(columns, schema=schema), out)
    return out.getvalue()
