"""Where an edge leads: to published runs of a task, or to its table, found, permitted and pinned. Control files only."""

import difflib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from framework.config import EdgeRef, ExportedConfig
from framework.errors import DefinitionError, FinalError, NotYet, TeamsparkError
from framework.identity import RunKey, TaskKey
from framework.job import NO_TABLE
from framework.schema.spec import SchemaSpec
from framework.storage.base import Store
from framework.storage.paths import dated_run, run_path, segment_of_date
from framework.storage.publish import Published, RunLog
from framework.storage.runs import latest, runs_of, task_keys
from framework.tables.log import TableLog
from framework.tables.pinning import PinnedTable, Span, pinned
from framework.tables.snapshot import Snapshot
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
    def untyped(self) -> bool:
        return self.published.output(self.output).untyped

    @property
    def rows(self) -> int:
        return self.published.output(self.output).rows

    @property
    def path(self) -> str:
        return run_path(self.published.key)


def pin_runs(edge: EdgeRef, config: ExportedConfig, world: World) -> tuple[PinnedRun, ...]:
    """The newest attempt of the run that ``edge`` asks for, or of each of its indices.

    Raises: DefinitionError, PolicyError, FinalError; NotYet, StoreUnavailable.
    """
    task = TaskKey(edge.team, edge.dag_id, edge.task_id)
    world.teams.require_grant(config.key.team, task)
    store = world.store(edge.team)
    segment = _segment(edge, config, store)
    base = RunKey(task.team, task.dag_id, task.task_id, segment)
    published = _indices(store, base, edge)
    return tuple(PinnedRun(_with_output(one, edge), edge.output) for one in published)


def pin_table(edge: EdgeRef, *, as_of: str, config: ExportedConfig, world: World) -> PinnedTable | None:
    """The table of ``edge`` as it is now, rows of runs up to mine; None while there is none and need not be one.

    Of another task's table, its run of my date (or its latest) has to be in it. My own table is read without my own run,
    so that a second attempt does not see what the first one wrote, and need not be there for my first run.

    Raises: DefinitionError, PolicyError, FinalError, InputCorrupt; NotYet, StoreUnavailable.
    """
    task = TaskKey(edge.team, edge.dag_id, edge.task_id)
    world.teams.require_grant(config.key.team, task)
    store, own = world.store(edge.team), task == config.key.task
    mine = config.run.logical_date or config.run.run_after
    asked = _asked_of(edge, config, store) if not own else ()
    snapshot = TableLog.of(store, task, edge.output).latest()
    _require_in_table(asked, snapshot, edge)
    if snapshot is None:
        return None
    moment = None if as_of == "latest" else mine
    return pinned(task, edge.output, snapshot, Span(moment, config.key.run if own else None))


def _asked_of(edge: EdgeRef, config: ExportedConfig, store: Store) -> tuple[Published, ...]:
    """The published attempts whose rows the table has to have: of the run with my date, or of the latest one."""
    task = TaskKey(edge.team, edge.dag_id, edge.task_id)
    base = RunKey(task.team, task.dag_id, task.task_id, _segment(edge, config, store))
    found = tuple(_with_output(one, edge) for one in _indices(store, base, edge))
    for one in found:
        if not one.output(edge.output).table:
            raise DefinitionError(
                "the producer's output is no table", where=f"{one.key} output '{edge.output}'", next_step=NO_TABLE
            )
    return found


def _require_in_table(asked: tuple[Published, ...], snapshot: Snapshot | None, edge: EdgeRef) -> None:
    late = [one for one in asked if snapshot is None or snapshot.attempt_of(run_path(one.key)) < one.number]
    if late:
        raise NotYet(
            "a run is published, and its rows are not in the table yet",
            where=f"{late[0].key} attempt {late[0].number}, table '{edge.output}'",
            got="no table" if snapshot is None else f"version {snapshot.version} of the table",
            next_step="wait for the producer to end; if it was killed before the commit, its next try makes it",
        )


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
    _require_recent(edge, task, dated_run(found), mine)
    return found


def _require_recent(edge: EdgeRef, task: TaskKey, date: datetime | None, mine: datetime) -> None:
    if edge.max_age_s is not None and date is not None and mine - date > timedelta(seconds=edge.max_age_s):
        raise NotYet(
            "the newest published run is too old",
            where=str(task),
            got=segment_of_date(date),
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
        next_step="let the producer run for this date; an edge waits for it for as long as it says: Upstream(..., wait='PT2H')"
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
