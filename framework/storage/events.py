"""Spark's event logs of a team's runs: one file for each launch that had a session, put once and never changed.

A log belongs to a launch, not to an attempt: a run that fails before its claim has a log and no number, and one launch
may claim twice. An attempt's claim names its launch, so the log of an attempt is found by name.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from framework.errors import PathError, StoreUnavailable
from framework.identity import Epoch, RunKey, TaskKey
from framework.storage.base import LOG_FOLDER, Entry, SlotTaken, Store
from framework.storage.paths import EVENTS, check_run, decode, encode, events_path, run_path
from framework.storage.publish import RunLog

SUFFIX: Final = ".zstd"
_FILE: Final = re.compile(r"(?:(?P<run>[^/]+)(?:/map-(?P<index>0|[1-9]\d{0,8}))?/)(?P<name>\d+\.\d+-[0-9a-f]{8})\.zstd")


@dataclass(frozen=True, slots=True)
class EventLog:
    """The log of one launch. ``name``: its try and launch, and a digest of what they are counted in: ``1.2-3fa94c1e``."""

    key: RunKey
    name: str
    entry: Entry

    @property
    def path(self) -> str:
        return self.entry.path


def log_name(epoch: Epoch) -> str:
    """A launch's name within its run: names are used once, as launches are."""
    return f"{epoch.try_number}.{epoch.launch}-{sha256(epoch.incarnation.encode()).hexdigest()[:8]}"


def log_path(key: RunKey, name: str) -> str:
    """Raises: PathError."""
    return f"{events_path(key)}/{name}{SUFFIX}"


def put_log(store: Store, key: RunKey, epoch: Epoch, data: bytes) -> None:
    """Keep the log of a launch. Raises: StoreUnavailable, SetupError, PathError."""
    path = log_path(key, log_name(epoch))
    try:
        store.put_if_absent(path, data)
    except SlotTaken:
        return  # ours: only the reply to an earlier put was lost
    except StoreUnavailable:
        if store.stat(path) is None:
            raise


def logs_of(store: Store, key: RunKey) -> tuple[EventLog, ...]:
    """The logs of a run's launches, oldest first by the store's clock. Raises: StoreUnavailable, SetupError, PathError."""
    folder = events_path(key)
    found = (_log(key.task, entry) for entry in store.list(folder))
    mine = [one for one in found if one is not None and one.key == key]
    return tuple(sorted(mine, key=lambda one: (one.entry.modified, one.name)))


def log_of_attempt(store: Store, key: RunKey, number: int) -> EventLog | None:
    """The log of the launch that claimed attempt ``number``; None without such an attempt, or a log of it.

    Raises: StoreUnavailable, SetupError, InputCorrupt, PathError.
    """
    for one in RunLog(store, key).state().attempts:
        if one.number == number:
            name = log_name(one.claim.epoch)
            entry = store.stat(log_path(key, name))
            return None if entry is None else EventLog(key, name, entry)
    return None


def logged_dags(store: Store, team: str, dag_id: str | None = None) -> Iterator[tuple[str, str]]:
    """The DAGs of ``team`` that have event logs, or the one that is named, each with its folder of logs."""
    root = f"/{team}/{EVENTS}"
    for name in store.folders(root) if dag_id is None else (encode(dag_id),):
        with suppress(PathError):
            yield decode(name), f"{root}/{name}"


def logs_below(store: Store, dag: tuple[str, str], team: str, task_id: str | None = None) -> Iterator[EventLog]:
    """Every log of one of ``logged_dags``, or of one of its tasks. Raises: StoreUnavailable, SetupError, PathError."""
    dag_id, folder = dag
    for name in store.folders(folder) if task_id is None else (encode(task_id),):
        try:
            task = TaskKey(team, dag_id, decode(name))
        except PathError:
            continue
        yield from (one for entry in store.list(f"{folder}/{name}") if (one := _log(task, entry)) is not None)


def is_gone(store: Store, key: RunKey) -> bool:
    """Whether a run has no records: it never claimed, or somebody removed it. Raises: StoreUnavailable, PathError."""
    return LOG_FOLDER not in store.folders(run_path(key))


def _log(task: TaskKey, entry: Entry) -> EventLog | None:
    """The log that a file below ``task``'s folder of logs is; None for anything else that lies there."""
    depth = len(f"/{task.team}/{EVENTS}/{encode(task.dag_id)}/{encode(task.task_id)}/")
    match = _FILE.fullmatch(entry.path[depth:])
    if match is None:
        return None
    try:
        run = check_run(match["run"])
    except PathError:
        return None
    index = None if match["index"] is None else int(match["index"])
    return EventLog(RunKey(task.team, task.dag_id, task.task_id, run, index), match["name"], entry)
