"""From an exported configuration to a ``Plan``: inputs found, permitted, compatible and pinned, nothing written yet.

The plan is a frozen value that can be printed. Making it reads control files of stores and listings of sources,
never data, and starts no JVM.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.config import EdgeRef, ExportedConfig
from framework.edges import PinnedRun, pin_runs, pin_table
from framework.errors import ContractSkew, DefinitionError, NotYet, SchemaMismatch, TeamsparkError, together
from framework.job import NO_ROWS, InputPort, JobContract, Run
from framework.schema.compare import missing_for
from framework.schema.spec import SchemaSpec
from framework.sources import Listing, Query, freeze
from framework.storage.paths import LOCAL_DAG, dated_run, run_path
from framework.storage.publish import RunLog, Seen
from framework.tables.log import TableLog
from framework.tables.pinning import PinnedTable
from framework.tables.schemas import evolved
from framework.world import World


@dataclass(frozen=True)
class RunInput:
    """A port fed by published outputs; several are read as one frame."""

    port: InputPort
    reads: tuple[PinnedRun, ...]


@dataclass(frozen=True)
class TableInput:
    """A port fed by tables, each at one version; several are read as one frame."""

    port: InputPort
    tables: tuple[PinnedTable, ...]


@dataclass(frozen=True)
class SourceInput:
    """A port fed by files from outside, listed when the run was planned."""

    port: InputPort
    listing: Listing


@dataclass(frozen=True)
class QueryInput:
    """A port fed by a database, with a statement that was bound when the run was planned. Rows are what it answers then."""

    port: InputPort
    query: Query


@dataclass(frozen=True)
class FixtureInput:
    """A port fed by rows that somebody wrote down: laptops and tests only."""

    port: InputPort
    fixture: "Fixture"


@dataclass(frozen=True)
class AbsentInput:
    """An optional port whose producer has published nothing: ``transform`` gets None."""

    port: InputPort


PlannedInput = RunInput | TableInput | SourceInput | QueryInput | FixtureInput | AbsentInput


@dataclass(frozen=True)
class Plan:
    """What one run will do.

    ``seen``: the claims that existed, so that a later stranger is noticed; None on a laptop, where the incarnations
    of two calls have no order and both may finish.
    """

    config: ExportedConfig
    contract: JobContract
    run: Run
    inputs: tuple[PlannedInput, ...]
    seen: Seen | None
    path: str


@dataclass(frozen=True)
class Fixture:
    """Complete rows of a port's schema, by column name; for a port of files the folder that holds them. ``origin``: the file or
    test they stand in.
    """

    rows: tuple[Mapping[str, Any], ...]
    origin: str
    folder: Path | None = None


@dataclass(frozen=True)
class PlanRequest:
    """``fixtures`` names ports that are fed with given rows instead of from edges or sources."""

    config: ExportedConfig
    contract: JobContract
    fixtures: Mapping[str, Fixture] = field(default_factory=dict)


def make_plan(request: PlanRequest, world: World) -> Plan:
    """Resolve and pin every input of ``request``.

    Raises: ContractSkew, DefinitionError, PolicyError, SchemaMismatch (final); NotYet, StoreUnavailable (retryable).
    All inputs are looked at before anything is raised, and a final mistake is told before a missing input.
    """
    config, contract = request.config, request.contract
    _require_same_contract(config, contract)
    _require_ports(request)
    run = run_of(config)
    log = RunLog(world.output_store(config.key.team), config.key)
    seen = None if config.key.dag_id == LOCAL_DAG else log.seen()
    inputs: list[PlannedInput] = []
    wrong: list[TeamsparkError] = list(_table_mistakes(request, world))
    for port in contract.inputs:
        try:
            inputs.append(_resolve(port, request, run, world))
        except TeamsparkError as error:
            wrong.append(error)
    if wrong:
        raise together(wrong)
    return Plan(config, contract, run, tuple(inputs), seen, run_path(config.key))


def run_of(config: ExportedConfig) -> Run:
    """The ``Run`` that a transform sees, without an attempt number: that comes with the claim."""
    facts = config.run
    interval = (facts.start, facts.end) if facts.start is not None and facts.end is not None else None
    return Run(key=config.key, zone=facts.zone, logical_date=facts.logical_date, interval=interval)


def _require_same_contract(config: ExportedConfig, contract: JobContract) -> None:
    if config.contract is not None and config.contract != contract.hash:
        raise ContractSkew(
            "the DAG was written against another version of this job",
            where=config.job,
            got=f"contract {contract.hash[:12]} in this environment",
            expected=f"contract {config.contract[:12]}, as the DAG's export says",
            next_step="deploy DAG and jobs together: teamspark jobs export, then release both",
        )


def _require_ports(request: PlanRequest) -> None:
    edges = request.config.inputs
    known = {port.name for port in request.contract.inputs}
    fed = {*edges, *request.fixtures}
    wrong = [f"no input port '{name}'; the ports are {', '.join(sorted(known)) or '(none)'}" for name in fed - known]
    for port in request.contract.inputs:
        if port.source and port.name in edges:
            wrong.append(f"port '{port.name}' is fed by source '{port.source}'; it takes no edge")
        if not (port.source or port.optional or port.name in fed):
            wrong.append(f"port '{port.name}' has no edge: add inputs={{'{port.name}': <task>.output}}")
    if wrong:
        raise DefinitionError("inputs and ports do not match", where=request.config.job, details=sorted(wrong))


def _table_mistakes(request: PlanRequest, world: World) -> Iterator[TeamsparkError]:
    """What is known to be wrong with the tables that this run writes to, before anything is computed."""
    config = request.config
    tables = [port for port in request.contract.outputs if port.table]
    if tables and dated_run(config.key.run) is None:
        yield DefinitionError(
            "a table is made of dated runs, and this run has no date",
            where=f"{config.job} output '{tables[0].name}'",
            got=config.key.run,
            next_step="trigger the DAG with a logical date (teamspark run: --date 2013-01-01), or declare Frame[S]",
        )
        return
    for port in tables:
        try:
            held = TableLog.of(world.output_store(config.key.team), config.key.task, port.name).latest()
            if held is not None:
                evolved(held.spec(), port.schema, where=f"{config.job} output '{port.name}'")
        except TeamsparkError as error:
            yield error


def _resolve(port: InputPort, request: PlanRequest, run: Run, world: World) -> PlannedInput:
    if port.name in request.fixtures:
        return _fixture(port, request.fixtures[port.name])
    if port.source:
        found = freeze(port.source, world.teams, run, world.connections)
        return QueryInput(port, found) if isinstance(found, Query) else SourceInput(port, found)
    edges = request.config.inputs.get(port.name, ())
    if port.table:
        return _tables(port, edges, request.config, world)
    try:
        reads = tuple(read for edge in edges for read in pin_runs(edge, request.config, world))
    except NotYet:
        if port.optional:
            return AbsentInput(port)
        raise
    if not reads:
        return AbsentInput(port) if port.optional else _no_indices(port, edges)
    for read in reads:
        got = f"{read.published.key} attempt {read.published.number}, output '{read.output}'"
        if read.untyped and not port.files:
            raise DefinitionError(
                f"input '{port.name}' has rows, and its producer published files", where=got, next_step=NO_ROWS
            )
        _require_schema(port, read.schema, got, request.config.job)
    return RunInput(port, reads)


def _fixture(port: InputPort, fixture: Fixture) -> FixtureInput:
    if port.files != (fixture.folder is not None):
        raise DefinitionError(
            f"input '{port.name}' is {'a folder of files' if port.files else 'rows'}",
            where=fixture.origin,
            next_step="give a folder to a port of Files, rows to all others",
        )
    return FixtureInput(port, fixture)


def _tables(port: InputPort, edges: tuple[EdgeRef, ...], config: ExportedConfig, world: World) -> PlannedInput:
    """The tables behind ``edges``. A task's own table that nobody has written to yet has no rows."""
    try:
        found = [pin_table(edge, as_of=port.as_of, config=config, world=world) for edge in edges]
    except NotYet:
        if port.optional:
            return AbsentInput(port)
        raise
    tables = tuple(one for one in found if one is not None)
    if not tables and port.optional:
        return AbsentInput(port)
    for table in tables:
        got = f"table '{table.output}' of {table.task}, version {table.snapshot.version}"
        _require_schema(port, table.schema, got, config.job)
    return TableInput(port, tables)


def _no_indices(port: InputPort, edges: tuple[EdgeRef, ...]) -> PlannedInput:
    """A mapped producer over nothing: zero rows, which is a dataset like any other."""
    if not edges:
        raise DefinitionError("a port without an edge", where=port.name)
    return RunInput(port, ())


def _require_schema(port: InputPort, given: SchemaSpec, got: str, job: str) -> None:
    wrong = missing_for(port.schema, given)
    if wrong:
        raise SchemaMismatch(
            f"input '{port.name}' does not fit what its producer published",
            where=job,
            got=got,
            expected=port.schema.name,
            details=wrong,
            next_step=f"declare in {port.schema.name}, this job's schema of its input, what was written, or give a column "
            "that may be missing a default; else ask the producer for a new output beside the old one",
        )
