"""Bringing a published attempt's rows into its table: decide, take the next slot of the log, and look again if it was lost.

Nothing is written twice, nothing locked. Whoever loses a slot has seen another commit come to be, so of many writers one
always gets on. Called again, by whoever finishes a killed try's work, it finds its own entry and is done.
"""

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from framework.errors import StoreUnavailable
from framework.storage.base import Store
from framework.storage.publish import Published
from framework.tables.actions import Commit, commit_bytes, parse_commit
from framework.tables.checkpoint import due
from framework.tables.log import TableLog
from framework.tables.proposal import Proposal, Settled, next_commit, proposal_of
from framework.tables.snapshot import Snapshot, replay

# A slot is lost only to another commit: as many in a row are a table that hundreds write to at once.
_LOST_AT_MOST: Final = 2000
_PAUSES_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of it. ``version``: of the table, as far as it was looked at; ``lost``: slots that others took first."""

    verdict: Settled
    version: int
    lost: int = 0


def commit_tables(store: Store, published: Published) -> dict[str, Committed]:
    """Every table output of ``published``, by name. Raises: as ``commit_output``."""
    names = [entry.name for entry in published.manifest.outputs if entry.table]
    return {name: commit_output(store, published, name) for name in names}


def commit_output(store: Store, published: Published, output: str) -> Committed:
    """The rows of one output of ``published`` in its table, in place of those that this run had there.

    Raises: SchemaMismatch, InputCorrupt (final); StoreUnavailable.
    """
    return commit(TableLog.of(store, published.key.task, output), proposal_of(published, output))


def commit(log: TableLog, wanted: Proposal, *, pause: Callable[[float], None] = time.sleep) -> Committed:
    """``wanted`` in the table of ``log``. Raises: SchemaMismatch, InputCorrupt (final); StoreUnavailable."""
    snapshot = log.latest()
    for lost in range(_LOST_AT_MOST):
        version = 0 if snapshot is None else snapshot.version + 1
        entry = next_commit(snapshot, wanted, new_id=str(uuid.uuid4()), now_ms=time.time_ns() // 1_000_000)
        if not isinstance(entry, str):
            data = commit_bytes(entry)
            found = log.take(version, data, pause=pause)
            if found == data:
                _save_if_due(log, snapshot, version, entry)
                return Committed("committed", version, lost)
            snapshot = _moved_on(log, snapshot, version, found)
            pause(secrets.randbelow(1000) / 1000 * _PAUSES_S * min(lost + 1, 10))
            continue
        return Committed(entry, version - 1, lost)
    raise StoreUnavailable(
        "a table's log moves on too fast to commit to it",
        where=wanted.where,
        got=f"{_LOST_AT_MOST} slots lost to other commits",
        next_step="run again with fewer tasks at once",
    )


def _save_if_due(log: TableLog, snapshot: Snapshot | None, version: int, entry: Commit) -> None:
    if snapshot is not None and due(snapshot, version):
        now = replay(snapshot, [(version, entry)], where=log.place)
        assert now is not None
        log.save(now)


def _moved_on(log: TableLog, snapshot: Snapshot | None, version: int, found: bytes) -> Snapshot | None:
    entry = parse_commit(found, where=f"{log.place} version {version}")
    return log.after(replay(snapshot, [(version, entry)], where=log.place))
