"""A table's log in a store: entries found by name, one after the other, and one slot taken at its end."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Final

from framework.errors import InputCorrupt, StoreUnavailable
from framework.identity import TaskKey
from framework.storage.base import TABLE_LOG, SlotTaken, Store
from framework.storage.paths import table_path
from framework.storage.slots import decide
from framework.tables.actions import Commit, parse_commit
from framework.tables.checkpoint import checkpoint_bytes, read_checkpoint
from framework.tables.snapshot import Snapshot, replay

_ENTRY: Final = re.compile(r"(\d{20})\.json")
_CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint\.parquet")


@dataclass(frozen=True, slots=True)
class TableLog:
    """The log of the table at the logical path ``place``. Any number of processes may have one."""

    store: Store
    place: str

    @classmethod
    def of(cls, store: Store, task: TaskKey, output: str) -> "TableLog":
        """Raises: PathError."""
        return cls(store, table_path(task, output))

    def latest(self) -> Snapshot | None:
        """The table as it is now; None when nobody has committed to it.

        The end is found by name, never in a listing, which may lag. A listing only tells that there has to be more:
        without it, a log that lost an entry would be taken for an older table, and be written over.

        Raises: InputCorrupt for an entry that is torn or missing; StoreUnavailable.
        """
        entries, checkpoints = self._listed()
        found = self.after(self._base(checkpoints))
        version = -1 if found is None else found.version
        if entries and max(entries) > version:
            raise _missing(self.place, self._slot(version + 1), max(entries))
        return found

    def at(self, version: int) -> Snapshot:
        """The table as it was at ``version``. Raises: InputCorrupt when the log does not go so far; StoreUnavailable."""
        base = self._base([number for number in self._listed()[1] if number <= version])
        start = 0 if base is None else base.version + 1
        entries = takewhile(lambda entry: entry[0] <= version, self._entries(start))
        found = replay(base, entries, where=self.place)
        if found is None or found.version < version:
            raise _missing(self.place, self._slot(-1 if found is None else found.version + 1), version)
        return found

    def after(self, snapshot: Snapshot | None) -> Snapshot | None:
        """``snapshot`` and what was committed since, by name."""
        start = 0 if snapshot is None else snapshot.version + 1
        return replay(snapshot, self._entries(start), where=self.place)

    def take(self, version: int, data: bytes, *, pause: Callable[[float], None]) -> bytes:
        """What stands in the slot of ``version`` after ``data`` was put there: somebody else may have been first.

        Raises: StoreUnavailable.
        """
        return decide(self.store, self._slot(version), data, pause=pause)

    def save(self, snapshot: Snapshot) -> None:
        """A checkpoint of ``snapshot``, if there is none: whoever is first has the same to say. It is no loss if it fails."""
        data = checkpoint_bytes(snapshot, now_ms=time.time_ns() // 1_000_000)
        with suppress(SlotTaken, StoreUnavailable):
            self.store.put_if_absent(self._checkpoint(snapshot.version), data)

    def _base(self, checkpoints: Iterable[int]) -> Snapshot | None:
        """The table at the newest checkpoint that can be read."""
        for version in sorted(checkpoints, reverse=True):
            with suppress(OSError, ValueError, KeyError, TypeError):
                return read_checkpoint(self.store.readable(self._checkpoint(version)), version)
        return None

    def _entries(self, start: int) -> Iterator[tuple[int, Commit]]:
        for version in count(start):
            data = self.store.read(self._slot(version))
            if data is None:
                return
            yield version, parse_commit(data, where=self._slot(version))

    def _listed(self) -> tuple[list[int], list[int]]:
        """The versions of the entries and of the checkpoints that a listing shows."""
        names = [entry.path.rpartition("/")[2] for entry in self.store.list(f"{self.place}/{TABLE_LOG}")]
        return _versions(_ENTRY, names), _versions(_CHECKPOINT, names)

    def _slot(self, version: int) -> str:
        return f"{self.place}/{TABLE_LOG}/{version:020d}.json"

    def _checkpoint(self, version: int) -> str:
        return f"{self.place}/{TABLE_LOG}/{version:020d}.checkpoint.parquet"


def _versions(kind: re.Pattern[str], names: Iterable[str]) -> list[int]:
    return [int(match[1]) for name in names if (match := kind.fullmatch(name))]


def _missing(place: str, slot: str, version: int) -> InputCorrupt:
    return InputCorrupt(
        "an entry of a table's log is missing",
        where=place,
        got=f"no {slot.rpartition('/')[2]}",
        expected=f"every entry up to {version}",
        next_step="restore it from a backup or an older version of the object; nobody commits to the table until then",
    )
