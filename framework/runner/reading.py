"""Planned inputs become frames; afterwards, what was read becomes the manifest's entries."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from framework.manifest import InputEntry, ReadEntry, SourceFile
from framework.plan import AbsentInput, FixtureInput, Plan, PlannedInput, RunInput, SourceInput
from framework.schema.spec import SchemaSpec
from framework.spark.read import SourceFrame, SourceRead, frame_of_rows, read_published, read_source
from framework.storage.publish import RunLog, check_files
from framework.world import World

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Reads:
    """The frames of all ports, and how to tell afterwards what was in them."""

    plan: Plan
    world: World
    frames: Mapping[str, "DataFrame | None"]
    sources: Mapping[str, SourceFrame]

    def verified(self, spark: "SparkSession") -> tuple[InputEntry, ...]:
        """What was read, once it was read.

        Raises: InputChanged when a source's file or a published attempt is not what was planned any more;
        CheckFailed when rows of a source break its schema's checks or cannot be parsed.
        """
        return tuple(entry for planned in self.plan.inputs for entry in self._entry(planned))

    def _entry(self, planned: PlannedInput) -> tuple[InputEntry, ...]:
        if isinstance(planned, RunInput):
            return (self._run_entry(planned),)
        if isinstance(planned, SourceInput):
            return (self._source_entry(planned),)
        return ()

    def _run_entry(self, planned: RunInput) -> InputEntry:
        reads = []
        for read in planned.reads:
            entry = read.published.output(read.output)
            RunLog(self.world.store(read.published.key.team), read.published.key).ensure_live(read.published)
            reads.append(
                ReadEntry(
                    path=read.path,
                    attempt=read.published.number,
                    digest=read.published.digest,
                    output=read.output,
                    rows=entry.rows,
                    bytes=entry.bytes,
                )
            )
        return InputEntry(port=planned.port.name, kind="run", reads=tuple(reads))

    def _source_entry(self, planned: SourceInput) -> InputEntry:
        planned.listing.require_unchanged()
        files = tuple(
            SourceFile(uri=file.path.as_uri(), bytes=file.bytes, modified=file.modified_ns / 1e9)
            for file in planned.listing.files
        )
        rows = self.sources[planned.port.name].finish()
        return InputEntry(port=planned.port.name, kind="source", files=files, digest=planned.listing.digest, rows=rows)


def read_inputs(spark: "SparkSession", plan: Plan, world: World) -> Reads:
    """The frames of every port of ``plan``: lazy, columns as the consumer declares them.

    Raises: InputCorrupt (a file is gone or has another size), SchemaMismatch (a source lacks columns).
    """
    frames: dict[str, DataFrame | None] = {}
    sources: dict[str, SourceFrame] = {}
    for planned in plan.inputs:
        name = planned.port.name
        if isinstance(planned, SourceInput):
            sources[name] = _source(spark, planned)
            frames[name] = sources[name].frame
        elif isinstance(planned, RunInput):
            frames[name] = _published(spark, planned, world)
        elif isinstance(planned, FixtureInput):
            frames[name] = frame_of_rows(spark, planned.fixture.rows, planned.port.schema)
        elif isinstance(planned, AbsentInput):
            frames[name] = None
    return Reads(plan, world, frames, sources)


def _source(spark: "SparkSession", planned: SourceInput) -> SourceFrame:
    listing = planned.listing
    read = SourceRead(
        files=tuple(file.path.as_uri() for file in listing.files),
        format=listing.spec.format,
        options=listing.spec.options,
        on_bad=listing.spec.on_bad,
    )
    return read_source(spark, read, planned.port.schema)


def canonical(spec: SchemaSpec) -> str:
    """A schema as text that is equal for equal schemas."""
    return json.dumps(spec.to_json(), sort_keys=True)


def _published(spark: "SparkSession", planned: RunInput, world: World) -> "DataFrame":
    """All reads as one frame, in the order of the edges. Producers of one schema are one scan, whatever their number."""
    by_schema: dict[str, tuple[SchemaSpec, list[str]]] = {}
    for read in planned.reads:
        store = world.store(read.published.key.team)
        check_files(store, read.published, read.output)
        _, uris = by_schema.setdefault(canonical(read.schema), (read.schema, []))
        uris.extend(store.uri(path) for path in read.published.paths(read.output))
    frames = [read_published(spark, uris, planned.port.schema, written) for written, uris in by_schema.values()]
    if not frames:
        return frame_of_rows(spark, (), planned.port.schema)
    return reduce(lambda one, other: one.unionByName(other), frames)
