"""What has been published, as values: tasks of a team, runs of a task, one attempt with what became of its inputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from framework.cli.addresses import AttemptAddress, parse_attempt
from framework.cli.stores import WithLocalRuns
from framework.errors import ConfigError
from framework.identity import RunKey, TaskKey
from framework.manifest import Manifest, ReadEntry
from framework.storage.base import LOG_FOLDER, Store
from framework.storage.paths import run_path
from framework.storage.publish import AttemptState, LogState, Published, RunLog
from framework.storage.runs import runs_of, task_keys
from framework.tables.log import TableLog
from framework.world import World


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task that has published, the number of its runs, and the newest one."""

    task: TaskKey
    runs: int
    newest: str

    def to_json(self) -> dict[str, Any]:
        return {"task": str(self.task), "runs": self.runs, "newest": self.newest}


@dataclass(frozen=True, slots=True)
class TeamLine:
    """A team, and the number of its tasks that have published."""

    team: str
    tasks: int

    def to_json(self) -> dict[str, Any]:
        return {"team": self.team, "tasks": self.tasks}


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run's newest attempt. ``attempts`` counts all claims; ``modified``: when it was published, the store's clock."""

    published: Published
    attempts: int
    modified: datetime | None

    @property
    def rows(self) -> int:
        return sum(output.rows for output in self.published.manifest.outputs)

    @property
    def bytes(self) -> int:
        return sum(output.bytes for output in self.published.manifest.outputs)

    def to_json(self) -> dict[str, Any]:
        outputs = {o.name: {"rows": o.rows, "bytes": o.bytes} for o in self.published.manifest.outputs}
        return {
            "path": run_path(self.published.key),
            "attempt": self.published.number,
            "attempts": self.attempts,
            "digest": self.published.digest,
            "published": self.modified and self.modified.isoformat(),
            "outputs": outputs,
        }


@dataclass(frozen=True, slots=True)
class InputState:
    """One published dataset that an attempt read, and the attempt that is the newest there now (None: all retired)."""

    port: str
    read: ReadEntry
    newest: int | None

    @property
    def stale(self) -> bool:
        return self.newest != self.read.attempt

    @property
    def told(self) -> str:
        if not self.stale:
            return "the newest"
        if self.newest is None:
            return "retired since, and nothing newer is published"
        return f"input has attempt {self.newest}, I read {self.read.attempt}"

    def to_json(self) -> dict[str, Any]:
        read = self.read.model_dump(mode="json")
        return {"port": self.port, **read, "newest": self.newest, "stale": self.stale}


@dataclass(frozen=True, slots=True)
class TableState:
    """A table that an attempt writes to: its version now, and the attempt of the same run whose rows it has (0: none)."""

    output: str
    path: str
    version: int | None
    attempt: int
    mine: int

    @property
    def told(self) -> str:
        if self.attempt == self.mine:
            return f"version {self.version} has this attempt's rows"
        if self.attempt:
            return f"version {self.version} has the rows of attempt {self.attempt}"
        return "has no rows of this run yet: its next try commits them"

    def to_json(self) -> dict[str, Any]:
        return {"output": self.output, "path": self.path, "version": self.version, "attempt": self.attempt or None}


def tasks_of(store: Store, team: str, dag_id: str | None = None) -> Iterator[TaskLine]:
    """The tasks of ``team`` (or of one of its DAGs) that have published anything."""
    for task in task_keys(store, team, dag_id):
        runs = runs_of(store, task)
        if runs:
            yield TaskLine(task, len(runs), runs[-1])


def teams_listed(world: World) -> Iterator[TeamLine]:
    """The teams that have published anything."""
    for team in sorted(world.teams.by_name):
        tasks = sum(1 for _ in tasks_of(world.store(team), team))
        if tasks:
            yield TeamLine(team, tasks)


def roots_of(store: Store, parts: tuple[str, ...]) -> str:
    """Where what is published of a place would lie; of a whole team there may be two such roots."""
    if not isinstance(store, WithLocalRuns):
        return store.root
    if len(parts) == 1:
        return f"{store.shared.root}, or {store.local.root} for runs of this machine"
    return store.of("/" + "/".join(parts[:2])).root


def runs_listed(store: Store, task: TaskKey) -> Iterator[RunLine]:
    """The published runs of ``task``, oldest first; every map index of a mapped one."""
    for segment in runs_of(store, task):
        plain = RunKey(task.team, task.dag_id, task.task_id, segment)
        for key in (plain, *_mapped(store, plain)):
            state = RunLog(store, key).state()
            if state.newest is not None:
                yield RunLine(state.newest, len(state.attempts), _published_at(store, state.newest))


def _mapped(store: Store, plain: RunKey) -> Iterator[RunKey]:
    names = [name.removeprefix("map-") for name in store.folders(run_path(plain)) if name.startswith("map-")]
    for number in sorted(int(name) for name in names if name.isdigit()):
        yield RunKey(plain.team, plain.dag_id, plain.task_id, plain.run, number)


def _published_at(store: Store, published: Published) -> datetime | None:
    entry = store.stat(f"{run_path(published.key)}/{LOG_FOLDER}/{published.number:04d}.published")
    return None if entry is None else datetime.fromtimestamp(entry.modified, UTC)


def find_attempt(store: Store, address: AttemptAddress) -> Published:
    """The attempt that is named, else the newest. Raises: ConfigError, saying what there is."""
    log = RunLog(store, address.key)
    found = log.newest() if address.attempt is None else log.published(address.attempt)
    if found is None:
        raise ConfigError(
            "no such published attempt",
            where=str(address),
            got=_there_is(log.state()),
            next_step=f"see the runs there are: teamspark outputs ls {address.key.task}",
        )
    return found


def _there_is(state: LogState) -> str:
    if not state.attempts:
        return "no attempt of this run"
    return ", ".join(f"attempt {one.number} {standing(one)}" for one in state.attempts)


def standing(one: AttemptState) -> str:
    """In one word, what became of an attempt."""
    if one.retired:
        return "retired"
    if one.published:
        return "published"
    return "closed" if one.tombstoned else "unfinished"


def history(store: Store, key: RunKey) -> tuple[AttemptState, ...]:
    """Every attempt of a run, oldest first."""
    return RunLog(store, key).state().attempts


def input_states(world: World, manifest: Manifest) -> Iterator[InputState]:
    """What became of the published datasets that ``manifest`` read. Those of a team that is gone are left out."""
    for entry in manifest.inputs:
        for read in entry.reads:
            key = key_of_path(read.path)
            if key.team in world.teams.by_name:
                newest = RunLog(world.store(key.team), key).newest()
                yield InputState(entry.port, read, None if newest is None else newest.number)


def table_states(store: Store, published: Published) -> Iterator[TableState]:
    """What became of the outputs that are tables. Raises: InputCorrupt."""
    key = published.key
    for name in (entry.name for entry in published.manifest.outputs if entry.table):
        log = TableLog.of(store, key.task, name)
        found = log.latest()
        version, attempt = (None, 0) if found is None else (found.version, found.attempt_of(run_path(key)))
        yield TableState(name, log.place, version, attempt, published.number)


def key_of_path(path: str) -> RunKey:
    """The run key of a run path as manifests hold it. Raises: ConfigError, PathError."""
    return parse_attempt(path).key
