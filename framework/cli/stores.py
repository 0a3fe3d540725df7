"""A team's store as this machine sees it: runs of this machine are in its private store, all others in the shared one."""

from collections.abc import Iterable
from dataclasses import dataclass

from framework.datafile import Readable
from framework.storage.base import Access, Entry, Store, split_path
from framework.storage.paths import EVENTS, LOCAL_DAG


@dataclass(frozen=True)
class WithLocalRuns:
    """A ``Store`` of two: paths below ``/<team>/_local`` are ``local``'s, and their event logs; all else is ``shared``'s."""

    shared: Store
    local: Store

    @property
    def kind(self) -> str:
        return self.shared.kind

    @property
    def root(self) -> str:
        return self.shared.root

    @property
    def access(self) -> Access:
        return self.shared.access

    def of(self, path: str) -> Store:
        """Where ``path`` is."""
        parts = split_path(path)
        place = parts[2:3] if parts[1:2] == (EVENTS,) else parts[1:2]
        return self.local if place == (LOCAL_DAG,) else self.shared

    def put_if_absent(self, path: str, data: bytes) -> None:
        self.of(path).put_if_absent(path, data)

    def read(self, path: str) -> bytes | None:
        return self.of(path).read(path)

    def stat(self, path: str) -> Entry | None:
        return self.of(path).stat(path)

    def list(self, prefix: str) -> tuple[Entry, ...]:
        return self.of(prefix).list(prefix)

    def folders(self, prefix: str) -> tuple[str, ...]:
        here = self.of(prefix).folders(prefix)
        parts = split_path(prefix)
        if len(parts) != 1 and parts[1:] != (EVENTS,):
            return here
        own = {name for name in self.local.folders(prefix) if name == LOCAL_DAG}
        return tuple(sorted({name for name in here if name != LOCAL_DAG} | own))

    def settle(self, files: Iterable[tuple[str, int]]) -> None:
        for path, size in files:
            self.of(path).settle([(path, size)])

    def delete(self, paths: Iterable[str]) -> None:
        asked = tuple(paths)
        for store in (self.shared, self.local):
            store.delete(path for path in asked if self.of(path) is store)

    def uri(self, path: str) -> str:
        return self.of(path).uri(path)

    def readable(self, path: str) -> Readable:
        return self.of(path).readable(path)
