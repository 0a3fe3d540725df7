"""The in-memory peer of the real stores: the same promises, for tests and dry runs. It ships."""

import time
from collections.abc import Callable, Iterable
from io import BytesIO
from threading import Lock
from typing import IO

from framework.storage.base import Access, Entry, SlotTaken, check_deletable, check_size, split_file, split_path


class MemoryStore:
    """A store in a dictionary; its life is the object's."""

    kind = "memory"
    root = "memory:/"
    access = Access("memory")

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, float]] = {}
        self._lock = Lock()

    def put_if_absent(self, path: str, data: bytes) -> None:
        split_file(path)
        with self._lock:
            if path in self._files:
                raise SlotTaken(path)
            self._files[path] = (bytes(data), time.time())

    def put_file(self, path: str, opened: Callable[[], IO[bytes]]) -> None:
        split_file(path)
        with opened() as source:
            self._files[path] = (source.read(), time.time())

    def read(self, path: str) -> bytes | None:
        split_file(path)
        found = self._files.get(path)
        return None if found is None else found[0]

    def stat(self, path: str) -> Entry | None:
        split_file(path)
        found = self._files.get(path)
        return None if found is None else Entry(path, len(found[0]), found[1])

    def list(self, prefix: str) -> tuple[Entry, ...]:
        below = _below(prefix)
        with self._lock:
            found = [(path, *kept) for path, kept in self._files.items() if path.startswith(below)]
        return tuple(sorted(Entry(path, len(data), modified) for path, data, modified in found))

    def folders(self, prefix: str) -> tuple[str, ...]:
        below = _below(prefix)
        tails = (entry.path[len(below) :].split("/") for entry in self.list(prefix))
        names = {tail[0] for tail in tails if len(tail) > 1}
        return tuple(sorted(names))

    def settle(self, files: Iterable[tuple[str, int]]) -> None:
        for path, size in files:
            found = self.stat(path)
            check_size(path, None if found is None else found.bytes, size)

    def delete(self, paths: Iterable[str]) -> None:
        for path in check_deletable(paths):
            with self._lock:
                self._files.pop(path, None)

    def uri(self, path: str) -> str:
        split_path(path)
        return f"memory:{path}"

    def readable(self, path: str) -> BytesIO:
        data = self.read(path)
        if data is None:
            raise FileNotFoundError(self.uri(path))
        return BytesIO(data)


def _below(prefix: str) -> str:
    parts = split_path(prefix)
    return "/" + "".join(f"{part}/" for part in parts)
