"""What retention has to leave alone for the sake of tables."""

from collections.abc import Callable
from functools import cache

from framework.identity import TaskKey
from framework.storage.base import Store
from framework.storage.paths import run_path
from framework.storage.publish import Published
from framework.tables.log import TableLog
from framework.tables.snapshot import Snapshot


def holder(store: Store) -> Callable[[Published], bool]:
    """Whether a table has the rows of a published attempt, or may yet get them. Each table is looked at once.

    An attempt is let go only when its table has a newer one of its run: by the fence it cannot come back, and whoever
    pinned the table before that pinned it before the attempt is retired, which is what the grace period counts from.
    """

    @cache
    def latest(task: TaskKey, output: str) -> Snapshot | None:
        return TableLog.of(store, task, output).latest()

    def holds(published: Published) -> bool:
        names = [entry.name for entry in published.manifest.outputs if entry.table]
        tables = (latest(published.key.task, name) for name in names)
        return any(one is None or one.attempt_of(run_path(published.key)) <= published.number for one in tables)

    return holds
