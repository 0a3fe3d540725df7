"""Which tasks there are, which of their runs are published, and the newest dated one: answered by listings."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from framework.errors import PathError
from framework.identity import RunKey, TaskKey
from framework.storage.base import Store
from framework.storage.paths import dated_run, decode, made_at, task_path
from framework.storage.publish import RunLog

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def task_keys(store: Store, team: str, dag_id: str | None = None) -> Iterator[TaskKey]:
    """The tasks of ``team``, or of one of its DAGs, that have a folder. Raises: StoreUnavailable, PathError."""
    for dag in _ids(store, f"/{team}") if dag_id is None else (dag_id,):
        folder = task_path(TaskKey(team, dag, "any")).rpartition("/")[0]
        for task_id in _ids(store, folder):
            yield TaskKey(team, dag, task_id)


def _ids(store: Store, folder: str) -> Iterator[str]:
    """The ids that are folders below ``folder``; what no id is encoded as (``lost+found``) is not ours."""
    for name in store.folders(folder):
        try:
            yield decode(name)
        except PathError:
            continue


def runs_of(store: Store, task: TaskKey) -> tuple[str, ...]:
    """Segments of the runs of ``task`` that have something published, oldest first; ``key-`` runs come before all.

    A mapped run counts when its index 0 does. Raises: StoreUnavailable, PathError.
    """
    segments = store.folders(task_path(task))
    return tuple(sorted((s for s in segments if is_published(store, task, s)), key=lambda s: (_moment(s), s)))


def latest(store: Store, task: TaskKey, *, not_after: datetime, strictly: bool = False) -> str | None:
    """The segment of the newest published *dated* run at or before ``not_after`` (aware), or None.

    ``strictly``: before it, for a task that reads its own history. Runs without a date have no place in that order.

    Raises: StoreUnavailable, PathError.
    """
    dated = [(date, s) for s in store.folders(task_path(task)) if (date := dated_run(s)) is not None]
    for date, segment in sorted(dated, reverse=True):
        in_time = date < not_after if strictly else date <= not_after
        if in_time and is_published(store, task, segment):
            return segment
    return None


def is_published(store: Store, task: TaskKey, segment: str) -> bool:
    """Whether the run has a published attempt, as a plain task or at map index 0."""
    if _moment(segment) == _NEVER and not segment.startswith("key-"):
        return False  # no run's folder: tables have their place beside runs
    plain = RunKey(task.team, task.dag_id, task.task_id, segment)
    first = RunKey(task.team, task.dag_id, task.task_id, segment, 0)
    return any(RunLog(store, key).newest() is not None for key in (plain, first))


def _moment(segment: str) -> datetime:
    return dated_run(segment) or made_at(segment) or _NEVER
