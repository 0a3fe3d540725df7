"""What ``gc`` finds in the stores of teams, and what becomes of it, as values."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from framework.cache.base import Cache
from framework.cli.addresses import parse_parts
from framework.durations import DEFAULT_LOGS, seconds_of
from framework.errors import CacheUnavailable, InputCorrupt, SetupError
from framework.identity import RunKey, TaskKey
from framework.storage.base import ATTEMPT_FOLDER, Store
from framework.storage.events import EventLog, is_gone, logged_dags, logs_below
from framework.storage.retention import Step, forgets, steps_of, unfinished
from framework.storage.runs import task_keys
from framework.storage.sweep import PROBES, carry_out, let_go, run_keys, store_now, survey, time_in, uploads_of
from framework.tables.holding import holder
from framework.world import World


@dataclass(frozen=True, slots=True)
class Sweep:
    """How to go about it. ``who``: None for a dry run, else the name that the records bear. ``logs_s``: of event logs."""

    grace_s: float
    who: str | None = None
    logs_s: float = seconds_of(DEFAULT_LOGS)


@dataclass(frozen=True, slots=True)
class Line:
    """One step for one run. ``outcome``: ``due`` or ``later``; with ``apply`` also ``done``, or ``published first``."""

    key: RunKey | TaskKey
    step: Step
    outcome: str

    @property
    def moment(self) -> datetime:
        """The earliest, by the store's clock."""
        return datetime.fromtimestamp(self.step.due, UTC).replace(microsecond=0)

    def to_json(self) -> dict[str, Any]:
        return {
            "run": str(self.key),
            "attempt": self.step.attempt,
            "action": self.step.action,
            "why": self.step.why,
            "files": len(self.step.files) + len(self.step.uploads),
            "bytes": self.step.bytes,
            "earliest": self.moment.isoformat(),
            "outcome": self.outcome,
        }


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A run whose log holds what this version does not understand, or a task whose uploads this identity may not see.

    Nothing of it is touched.
    """

    key: RunKey | TaskKey
    error: InputCorrupt | SetupError

    def to_json(self) -> dict[str, Any]:
        return {"run": str(self.key), **self.error.to_dict()}


def collect(world: World, places: Iterable[str], sweep: Sweep) -> Iterator[Line | Unreadable]:
    """Every step for the runs below ``places``, or of all teams; the due ones are carried out unless it is a dry run.

    Raises: ConfigError, PathError; StoreUnavailable, after which what was done stands and the rest is done next time.
    """
    asked = [parse_parts(place, 3) for place in dict.fromkeys(places)] or [(team,) for team in world.teams.by_name]
    for parts in asked:
        store = world.store(parts[0])
        kept = _Kept(store, world.cache(parts[0]))
        for task in (TaskKey(*parts),) if len(parts) == 3 else task_keys(store, *parts):
            yield from _task(kept, task, sweep)
        yield from _event_logs(store, parts, sweep)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where a team's data is kept, and kept hot."""

    store: Store
    cache: Cache


def _task(kept: _Kept, task: TaskKey, sweep: Sweep) -> Iterator[Line | Unreadable]:
    store = kept.store
    keys = tuple(run_keys(store, task))
    # Once, and before any run is looked at: by then all is at least as old as it is taken for.
    now = store_now(store, task) if keys else 0.0
    holds = holder(store)
    for key in keys:
        try:
            steps = steps_of(survey(store, key, holds=holds), sweep.grace_s)
        except InputCorrupt as error:
            yield Unreadable(key, error)
            continue
        for step in steps:
            yield Line(key, step, _outcome(kept, key, step, sweep) if step.due <= now else "later")
    yield from _uploads(store, task, sweep)


def _uploads(store: Store, task: TaskKey, sweep: Sweep) -> Iterator[Line | Unreadable]:
    try:
        steps = unfinished(uploads_of(store, task), sweep.grace_s)
    except SetupError as error:
        yield Unreadable(task, error)
        return
    now = store_now(store, task) if steps else 0.0
    for step in steps:
        if step.due > now:
            yield Line(task, step, "later")
            continue
        if sweep.who is not None:
            let_go(store, step)
        yield Line(task, step, "due" if sweep.who is None else "done")


def _event_logs(store: Store, parts: tuple[str, ...], sweep: Sweep) -> Iterator[Line]:
    """Of all tasks that ever had any, also of those that are gone."""
    team, dag_id, task_id = (*parts, None, None)[:3]
    assert team is not None
    for dag in logged_dags(store, team, dag_id):
        logs = tuple(logs_below(store, dag, team, task_id))
        now = time_in(store, f"{dag[1]}/{PROBES}") if logs else 0.0
        gone = {key: is_gone(store, key) for key in {log.key for log in logs}}
        for log in logs:
            yield _forgotten(store, log, sweep, gone=gone[log.key], now=now)


def _forgotten(store: Store, log: EventLog, sweep: Sweep, *, gone: bool, now: float) -> Line:
    step = forgets(log.entry, gone=gone, keep_s=sweep.logs_s, grace_s=sweep.grace_s)
    if step.due > now:
        return Line(log.key, step, "later")
    if sweep.who is not None:
        store.delete([log.path])
    return Line(log.key, step, "due" if sweep.who is None else "done")


def _outcome(kept: _Kept, key: RunKey, step: Step, sweep: Sweep) -> str:
    if sweep.who is None:
        return "due"
    if not carry_out(kept.store, key, step, who=sweep.who):
        return "published first"
    if step.action == "delete":
        with suppress(CacheUnavailable):  # what a cache holds of it, it lets go of by itself when it needs the room
            kept.cache.free(kept.store, _folders(step))
    return "done"


def _folders(step: Step) -> list[str]:
    """The attempts' folders that the files of ``step`` were in."""
    return list(dict.fromkeys(_folder(file.path) for file in step.files))


def _folder(path: str) -> str:
    parts = path.split("/")
    depth = next((n for n, part in enumerate(parts, 1) if ATTEMPT_FOLDER.fullmatch(part)), len(parts))
    return "/".join(parts[:depth])
