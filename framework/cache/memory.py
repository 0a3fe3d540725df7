"""A cache in this process's memory: it remembers what it would hold, and what is read through it comes from the store.

For tests, and wherever the order of things matters and not their speed.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

from framework.cache.base import Held, Location
from framework.errors import CacheUnavailable
from framework.storage.base import Store
from framework.storage.carrying import copied


class MemoryCache:
    """Whole files, each held or not, pinned or not."""

    kind = "memory"
    place = "this process"

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: set[tuple[str, str]] = set()
        self._pinned: set[tuple[str, str]] = set()

    def resolve(self, store: Store, path: str) -> Location:
        return Location(store.uri(path), cached=True)

    def status(self, store: Store, path: str) -> tuple[Held, ...]:
        entries = {entry.path: entry.bytes for entry in store.list(path)}
        if (itself := store.stat(path)) is not None:
            entries[path] = itself.bytes
        with self._lock:
            return tuple(self._state(store, name, size) for name, size in sorted(entries.items()))

    def _state(self, store: Store, path: str, size: int) -> Held:
        key = (store.root, path)
        return Held(path, size, size if key in self._held else 0, key in self._pinned)

    def probe(self, store: Store, path: str) -> None:
        return None

    def warm(self, store: Store, paths: Iterable[str], *, within_s: float) -> int:
        deadline, total = time.monotonic() + within_s, 0
        for path in paths:
            if time.monotonic() >= deadline:
                break
            entry = store.stat(path)
            if entry is not None:
                total += entry.bytes
                with self._lock:
                    self._held.add((store.root, path))
        return total

    def fetch(self, store: Store, path: str, target: Path, *, within_s: float) -> None:
        try:
            copied(store.readable(path), target)
        except FileNotFoundError as error:
            raise CacheUnavailable("there is no such file", where=path) from error

    def pin(self, store: Store, paths: Sequence[str]) -> None:
        with self._lock:
            self._pinned |= {(store.root, path) for path in paths}

    def unpin(self, store: Store, paths: Sequence[str]) -> None:
        with self._lock:
            self._pinned -= {(store.root, path) for path in paths}

    def free(self, store: Store, paths: Sequence[str]) -> None:
        with self._lock:
            for held in (self._held, self._pinned):
                held.difference_update([key for key in held if key[0] == store.root and _below(key[1], paths)])


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in folders)
