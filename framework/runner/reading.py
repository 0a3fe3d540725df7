"""Planned inputs become frames; afterwards, what was read becomes the manifest's entries."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from framework.datafile import DataFile
from framework.edges import PinnedRun
from framework.job import Files
from framework.manifest import InputEntry, QueryEntry, ReadEntry, SourceFile, TableRead
from framework.plan import AbsentInput, FixtureInput, Plan, PlannedInput, QueryInput, RunInput, SourceInput, TableInput
from framework.runner.laying import laid_out, sources_of
from framework.runner.route import Leg, Route
from framework.schema.spec import SchemaSpec
from framework.spark.files import reading
from framework.spark.jdbc import QueryRead, querying, read_query
from framework.spark.landed import landing
from framework.spark.read import read_published
from framework.spark.rows import frame_of_rows
from framework.spark.sources import SourceRead, SourceRows, read_source
from framework.storage.attempts import published_files
from framework.storage.paths import segment_of_date
from framework.storage.publish import RunLog
from framework.tables.pinning import PinnedTable
from framework.world import World

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Reads:
    """The frames of all ports, and how to tell afterwards what was in them."""

    plan: Plan
    world: World
    route: Route
    frames: Mapping[str, "DataFrame | Files | None"]
    sources: Mapping[str, SourceRows]

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """A block in which the frames are used: Spark's failure to read a file becomes an error that names the file."""
        with ExitStack() as stack:
            for planned in self.plan.inputs:
                files = list(planned_files(planned, self.route))
                where = f"{self.plan.config.key} input '{planned.port.name}'"
                if isinstance(planned, QueryInput):
                    stack.enter_context(querying(where=where))
                if isinstance(planned, SourceInput):
                    stack.enter_context(landing(files, planned.listing.spec.options, where=where))
                stack.enter_context(reading(files, where=where))
            yield

    def verified(self) -> tuple[tuple[InputEntry, ...], tuple[str, ...]]:
        """What was read, once it was read, and a line for every check of a source that was broken and tolerated.

        Raises: InputChanged when a source's file or a published attempt is not what was planned any more.
        """
        entries = tuple(entry for planned in self.plan.inputs for entry in self._entry(planned))
        return entries, tuple(
            f"{check}: {count} row(s)"
            for source in self.sources.values()
            for check, count in source.report.violations.items()
            if count
        )

    def _entry(self, planned: PlannedInput) -> Iterator[InputEntry]:
        if isinstance(planned, RunInput):
            yield InputEntry(port=planned.port.name, kind="run", reads=tuple(map(self._read, planned.reads)))
        elif isinstance(planned, TableInput):
            yield InputEntry(port=planned.port.name, kind="table", tables=tuple(map(_table_read, planned.tables)))
        elif isinstance(planned, SourceInput):
            yield self._source(planned)
        elif isinstance(planned, QueryInput):
            yield self._query(planned)
        elif isinstance(planned, FixtureInput):
            yield InputEntry(port=planned.port.name, kind="fixture", rows=len(planned.fixture.rows))

    def _read(self, read: PinnedRun) -> ReadEntry:
        published, output = read.published, read.published.output(read.output)
        RunLog(self.world.store(published.key.team), published.key).ensure_live(published)
        return ReadEntry(
            path=read.path,
            attempt=published.number,
            digest=published.digest,
            output=read.output,
            rows=output.rows,
            bytes=output.bytes,
        )

    def _source(self, planned: SourceInput) -> InputEntry:
        planned.listing.require_unchanged()
        files = tuple(
            SourceFile(uri=file.uri, bytes=file.bytes, modified=file.modified_ns / 1e9, version=file.version)
            for file in planned.listing.files
        )
        rows = sum(self.sources[planned.port.name].report.rows)
        return InputEntry(port=planned.port.name, kind="source", files=files, digest=planned.listing.digest, rows=rows)

    def _query(self, planned: QueryInput) -> InputEntry:
        query, read = planned.query, self.sources[planned.port.name]
        asked = QueryEntry(connection=query.spec.connection, statement=query.digest, read_at=read.read_at)
        return InputEntry(
            port=planned.port.name, kind="source", query=asked, digest=query.digest, rows=sum(read.report.rows)
        )


def read_inputs(spark: "SparkSession", plan: Plan, world: World, route: Route, folder: Path) -> Reads:
    """The frames of every port of ``plan``, columns as the consumer declares them. Published data is read lazily,
    from where ``route`` says; sources are measured here, since nobody has checked them before. ``folder``: where files that
    nobody typed are laid out.

    Raises: InputCorrupt, InputChanged, CacheUnavailable, SchemaMismatch, CheckFailed.
    """
    frames: dict[str, DataFrame | Files | None] = {}
    sources: dict[str, SourceRows] = {}
    for planned in plan.inputs:
        name = planned.port.name
        if isinstance(planned, SourceInput):
            sources[name] = _source(spark, planned, job=plan.contract.job)
            frames[name] = sources[name].frame
        elif isinstance(planned, QueryInput):
            sources[name] = _query(spark, planned, job=plan.contract.job)
            frames[name] = sources[name].frame
        elif isinstance(planned, RunInput) and planned.port.files:
            frames[name] = Files(folder / name)
            laid_out(sources_of(planned, world), folder / name, linked=True)
        elif isinstance(planned, RunInput):
            frames[name] = _published(spark, planned, route, job=plan.contract.job)
        elif isinstance(planned, TableInput):
            frames[name] = _tables(spark, planned, route, job=plan.contract.job)
        elif isinstance(planned, FixtureInput) and planned.fixture.folder is not None:
            frames[name] = Files(planned.fixture.folder)
        elif isinstance(planned, FixtureInput):
            frames[name] = frame_of_rows(spark, planned.fixture.rows, planned.port.schema)
        elif isinstance(planned, AbsentInput):
            frames[name] = None
    return Reads(plan, world, route, frames, sources)


def _source(spark: "SparkSession", planned: SourceInput, *, job: str) -> SourceRows:
    spec, name = planned.listing.spec, planned.port.name
    read = SourceRead(planned.listing.data(), spec.format, spec.options, spec.on_bad)
    where = f"{job} input '{name}' from source '{planned.listing.source}'"
    return read_source(spark, read, planned.port.schema, port=name, where=where)


def _query(spark: "SparkSession", planned: QueryInput, *, job: str) -> SourceRows:
    query, name = planned.query, planned.port.name
    read = QueryRead(query.relation, query.connection, query.spec.reader_options())
    where = f"{job} input '{name}' from source '{query.source}'"
    return read_query(spark, read, planned.port.schema, port=name, where=where)


def _published(spark: "SparkSession", planned: RunInput, route: Route, *, job: str) -> "DataFrame":
    """All reads as one frame. A task's runs and indices of one schema are one scan, whatever their number."""
    scans: dict[tuple[str, str, str], list[Leg]] = {}
    for read in planned.reads:
        schema = json.dumps(read.schema.to_json(), sort_keys=True)
        leg = route.leg(planned.port.name, read)
        scans.setdefault((leg.location.uri.removesuffix(leg.folder), str(read.published.key.task), schema), []).append(
            leg
        )
    frames = [
        _scan(
            spark,
            legs,
            planned.port.schema,
            where=f"{job} input '{planned.port.name}' from {', '.join(leg.read.path for leg in legs[:3])}",
        )
        for legs in scans.values()
    ]
    return _together(spark, frames, planned)


def _tables(spark: "SparkSession", planned: TableInput, route: Route, *, job: str) -> "DataFrame":
    """The pinned files of each table, as one scan: no log is read again, and none through a cache."""
    frames = [
        read_published(
            spark,
            route.table(planned.port.name, table).files,
            spec=planned.port.schema,
            written=table.schema,
            where=f"{job} input '{planned.port.name}' from {table.path} version {table.snapshot.version}",
        )
        for table in planned.tables
    ]
    return _together(spark, frames, planned)


def _together(spark: "SparkSession", frames: "list[DataFrame]", planned: PlannedInput) -> "DataFrame":
    if not frames:
        return frame_of_rows(spark, (), planned.port.schema)
    return reduce(lambda one, other: one.unionByName(other), frames)


def _scan(spark: "SparkSession", legs: list[Leg], spec: SchemaSpec, *, where: str) -> "DataFrame":
    files = [file for leg in legs for file in data_files(leg)]
    with reading(files, where=where):
        return read_published(spark, files, spec=spec, written=legs[0].read.schema, where=where)


def _table_read(table: PinnedTable) -> TableRead:
    moment = table.span.moment
    return TableRead(
        path=table.path,
        table_id=table.snapshot.meta.id,
        version=table.snapshot.version,
        run=None if moment is None else segment_of_date(moment),
        rows=table.rows,
        bytes=table.bytes,
    )


def planned_files(planned: PlannedInput, route: Route) -> Iterator[DataFile]:
    """The data files behind one port."""
    if planned.port.files:
        return
    if isinstance(planned, RunInput):
        for read in planned.reads:
            yield from data_files(route.leg(planned.port.name, read))
    elif isinstance(planned, TableInput):
        for table in planned.tables:
            yield from route.table(planned.port.name, table).files
    elif isinstance(planned, SourceInput):
        yield from planned.listing.data()


def data_files(leg: Leg) -> tuple[DataFile, ...]:
    """The files of one pinned output where they are read, with what the manifest says of them. Its store opens them."""
    published, folder = leg.read.published, leg.folder
    files = published_files(leg.store, published, leg.read.output)
    if not leg.location.cached:
        return files
    named = zip(files, published.paths(leg.read.output), strict=True)
    return tuple(replace(file, uri=leg.location.uri + path.removeprefix(folder)) for file, path in named)
