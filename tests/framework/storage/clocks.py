"""A store with a clock of its own, which a test moves: days pass at once, and differ from the local ones."""

from dataclasses import replace
from threading import Lock

from framework.storage.base import Entry, Store
from tests.contracts.faults import Wrapped

DAY_S = 24 * 60 * 60


class Clocked(Wrapped):
    """Files are as old as ``now`` says they were put; ``now`` is in seconds, and begins at any moment."""

    def __init__(self, inner: Store, now: float = 1_000_000_000.0) -> None:
        super().__init__(inner)
        self.now = now
        self._times: dict[str, float] = {}
        self._lock = Lock()

    def moved(self, inner: Store) -> "Clocked":
        """The same ages for a copy of the same files."""
        copy = Clocked(inner, self.now)
        copy._times.update(self._times)
        return copy

    def pass_days(self, days: float) -> None:
        self.now += days * DAY_S

    def put_if_absent(self, path: str, data: bytes) -> None:
        super().put_if_absent(path, data)
        with self._lock:
            self._times[path] = self.now

    def stat(self, path: str) -> Entry | None:
        found = super().stat(path)
        return None if found is None else self._dated(found)

    def list(self, prefix: str) -> tuple[Entry, ...]:
        return tuple(self._dated(entry) for entry in super().list(prefix))

    def _dated(self, entry: Entry) -> Entry:
        return replace(entry, modified=self._times.get(entry.path, entry.modified))
