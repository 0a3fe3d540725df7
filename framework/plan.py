"""From an exported configuration to a ``Plan``: inputs found, permitted, compatible and pinned, nothing written yet.

The plan is a frozen value that can be printed. Making it reads control files of stores and listings of sources,
never data, and starts no JVM.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from framework.config import EdgeRef, ExportedConfig
from framework.errors import ContractSkew, DefinitionError, FinalError, NotYet, SchemaMismatch, TeamsparkError
from framework.identity import RunKey, TaskKey
from framework.job import InputPort, JobContract, Run
from framework.schema.compare import missing_for
from framework.schema.spec import SchemaSpec
from framework.sources import Listing, freeze
from framework.storage.base import Store
from framework.storage.paths import LOCAL_DAG, dated_run, run_path
from framework.storage.publish import Published, RunLog, Seen
from framework.storage.runs import latest, runs_of, task_keys
from framework.world import World

NEAREST: Final = 3


@dataclass(frozen=True)
class PinnedRun:
    """One output of one published attempt, pinned by number and digest."""

    published: Published
    output: str

    @property
    def schema(self) -> SchemaSpec:
        return SchemaSpec.from_json(self.published.output(self.output).schema_)

    @property
    def rows(self) -> int:
        return self.published.output(self.output).rows

    @property
    def path(self) -> str:
        return run_path(self.published.key)


@dataclass(frozen=True)
class RunInput:
    """A port fed by published outputs; several are read as one frame."""

    port: InputPort
    reads: tuple[PinnedRun, ...]


@dataclass(frozen=True)
class SourceInput:
    """A port fed by files from outside, listed when the run was planned."""

    port: InputPort
    listing: Listing


@dataclass(frozen=True)
class FixtureInput:
    """A port fed by rows that somebody wrote down: laptops and tests only."""

    port: InputPort
    fixture: "Fixture"


@dataclass(frozen=True)
class AbsentInput:
    """An optional port whose producer has published nothing: ``transform`` gets None."""

    port: InputPort


PlannedInput = RunInput | SourceInput | FixtureInput | AbsentInput


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
    """Complete rows of a port's schema, by column name. ``origin``: the file or test they stand in."""

    rows: tuple[Mapping[str, Any], ...]
    origin: str


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
    wrong: list[TeamsparkError] = []
    for port in contract.inputs:
        try:
            inputs.append(_resolve(port, request, run, world))
        except TeamsparkError as error:
            wrong.append(error)
    if wrong:
        raise _first_of(wrong)
    return Plan(config, contract, run, tuple(inputs), seen, run_path(config.key))


def run_of(config: ExportedConfig) -> Run:
    """The ``Run`` that a transform sees, without an attempt number: that comes with the claim."""
    facts = config.run
    interval = (facts.start, facts.end) if facts.start is not None and facts.end is not None else None
    return Run(key=config.key, zone=facts.zone, logical_date=facts.logical_date, interval=interval)


def _first_of(wrong: list[TeamsparkError]) -> TeamsparkError:
    ordered = sorted(wrong, key=lambda error: error.retryable)
    first, rest = ordered[0], ordered[1:]
    first.details = (*first.details, *dict.fromkeys(_in_a_line(error) for error in rest))
    return first


def _in_a_line(error: TeamsparkError) -> str:
    """Another error below the one that is told whole: what and where; what to do next is said once."""
    place = f"{error.where}: " if error.where is not None else ""
    got = f" ({error.got})" if error.got is not None else ""
    return f"{place}{error.what}{got}" + "".join(f"; {line}" for line in error.details)


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


def _resolve(port: InputPort, request: PlanRequest, run: Run, world: World) -> PlannedInput:
    if port.name in request.fixtures:
        return FixtureInput(port, request.fixtures[port.name])
    if port.source:
        return SourceInput(port, freeze(port.source, world.teams, run))
    edges = request.config.inputs.get(port.name, ())
    try:
        reads = tuple(read for edge in edges for read in _pin(edge, request.config, world))
    except NotYet:
        if port.optional:
            return AbsentInput(port)
        raise
    if not reads:
        return AbsentInput(port) if port.optional else _no_indices(port, edges)
    for read in reads:
        _require_compatible(port, read, request.config.job)
    return RunInput(port, reads)


def _no_indices(port: InputPort, edges: tuple[EdgeRef, ...]) -> PlannedInput:
    """A mapped producer over nothing: zero rows, which is a dataset like any other."""
    if not edges:
        raise DefinitionError("a port without an edge", where=port.name)
    return RunInput(port, ())


def _pin(edge: EdgeRef, config: ExportedConfig, world: World) -> tuple[PinnedRun, ...]:
    task = TaskKey(edge.team, edge.dag_id, edge.task_id)
    world.teams.require_grant(config.key.team, task)
    store = world.store(edge.team)
    segment = _segment(edge, config, store)
    base = RunKey(task.team, task.dag_id, task.task_id, segment)
    published = _indices(store, base, edge)
    return tuple(PinnedRun(_with_output(one, edge), edge.output) for one in published)


def _segment(edge: EdgeRef, config: ExportedConfig, store: Store) -> str:
    task = TaskKey(edge.team, edge.dag_id, edge.task_id)
    if edge.run == "same":
        if not edge.same_dag and config.key.run.startswith("at-"):
            raise FinalError(
                "'same run' of another DAG has no meaning for a run without a date",
                where=f"input from {task}",
                got=config.key.run,
                next_step="trigger with a logical date, or use Upstream(..., run='latest')",
            )
        return config.key.run
    mine = config.run.logical_date or config.run.run_after
    found = latest(store, task, not_after=mine, strictly=task == config.key.task)
    if found is None:
        raise _nothing_at(store, task, f"a dated run at or before {mine.isoformat()}")
    _require_recent(edge, task, found, mine)
    return found


def _require_recent(edge: EdgeRef, task: TaskKey, segment: str, mine: datetime) -> None:
    date = dated_run(segment)
    if edge.max_age_s is not None and date is not None and mine - date > timedelta(seconds=edge.max_age_s):
        raise NotYet(
            "the newest published run is too old",
            where=str(task),
            got=segment,
            expected=f"at most {timedelta(seconds=edge.max_age_s)} before {mine.isoformat()}",
        )


def _indices(store: Store, base: RunKey, edge: EdgeRef) -> tuple[Published, ...]:
    count = edge.map_count
    if count is None:
        plain = RunLog(store, base).newest(at_least=edge.at_least)
        if plain is not None:
            return (plain,)
        first = RunLog(store, _index(base, 0)).newest()
        count = first.manifest.map_count if first else None
        if count is None:
            raise _nothing_at(store, base.task, f"run {base.run}")
    found = {n: RunLog(store, _index(base, n)).newest() for n in range(count)}
    missing = [n for n, one in found.items() if one is None]
    if missing:
        raise NotYet(
            "some indices of a mapped task have not published",
            where=str(base),
            got=f"indices {missing[:10]} missing",
            expected=f"{count} published indices",
        )
    return tuple(one for one in found.values() if one is not None)


def _index(base: RunKey, number: int) -> RunKey:
    return RunKey(base.team, base.dag_id, base.task_id, base.run, number)


def _nothing_at(store: Store, task: TaskKey, wanted: str) -> NotYet:
    nearest = runs_of(store, task)[-NEAREST:]
    return NotYet(
        "an input is not published yet",
        where=str(task),
        got=f"published runs: {', '.join(nearest)}" if nearest else _no_task(store, task),
        expected=wanted,
        next_step="let the producer run for this date, or give the edge a wait: Upstream(..., wait='PT2H')"
        + ("" if nearest else f"; if the name is wrong: teamspark outputs ls {task.team}"),
    )


def _no_task(store: Store, task: TaskKey) -> str:
    like = _like(store, task)
    return "no task of this name has published" + (f"; there are {', '.join(like)}" if like else "")


def _like(store: Store, task: TaskKey) -> list[str]:
    """The tasks with the nearest names that have published; none where this team may not look around."""
    try:
        known = {str(one): one for one in task_keys(store, task.team)}
        close = difflib.get_close_matches(str(task), known, n=2 * NEAREST, cutoff=0.5)
        return [name for name in close if runs_of(store, known[name])][:NEAREST]
    except TeamsparkError:
        return []


def _with_output(published: Published, edge: EdgeRef) -> Published:
    names = [entry.name for entry in published.manifest.outputs]
    if edge.output not in names:
        raise DefinitionError(
            "the producer has no such output",
            where=str(published.key),
            got=edge.output,
            expected=f"one of {', '.join(names)}",
        )
    return published


def _require_compatible(port: InputPort, read: PinnedRun, job: str) -> None:
    wrong = missing_for(port.schema, read.schema)
    if wrong:
        raise SchemaMismatch(
            f"input '{port.name}' does not fit what its producer published",
            where=job,
            got=f"{read.published.key} attempt {read.published.number}, output '{read.output}'",
            expected=port.schema.name,
            details=wrong,
            next_step=f"declare in {port.schema.name}, this job's schema of its input, what was written, or give a column "
            "that may be missing a default; else ask the producer for a new output beside the old one",
        )
