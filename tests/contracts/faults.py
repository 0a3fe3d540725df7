"""Stores that misbehave as real ones do: late listings and lost replies. They wrap a store and keep its promises."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import cycle
from threading import Lock

from framework.datafile import Readable
from framework.errors import StoreUnavailable
from framework.storage.base import Access, Entry, SlotTaken, Store


class Wrapped:
    """Hands every call to ``inner``; a fault overrides one of them."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    @property
    def kind(self) -> str:
        return self.inner.kind

    @property
    def root(self) -> str:
        return self.inner.root

    @property
    def access(self) -> Access:
        return self.inner.access

    def put_if_absent(self, path: str, data: bytes) -> None:
        self.inner.put_if_absent(path, data)

    def read(self, path: str) -> bytes | None:
        return self.inner.read(path)

    def stat(self, path: str) -> Entry | None:
        return self.inner.stat(path)

    def list(self, prefix: str) -> tuple[Entry, ...]:
        return self.inner.list(prefix)

    def folders(self, prefix: str) -> tuple[str, ...]:
        return self.inner.folders(prefix)

    def settle(self, files: Iterable[tuple[str, int]]) -> None:
        self.inner.settle(files)

    def delete(self, paths: Iterable[str]) -> None:
        self.inner.delete(paths)

    def uri(self, path: str) -> str:
        return self.inner.uri(path)

    def readable(self, path: str) -> Readable:
        return self.inner.readable(path)


class LaggingStore(Wrapped):
    """A name appears in listings only after ``looks(path)`` listings that should have shown it did not.

    Counted, not timed, so that tests are exact; each name lags by itself, which is worse than any real cache.
    """

    def __init__(self, inner: Store, looks: Callable[[str], int] = lambda _: 2) -> None:
        super().__init__(inner)
        self._looks = looks
        self._missed: Counter[str] = Counter()
        self._lock = Lock()

    def list(self, prefix: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.inner.list(prefix) if not self._hidden(entry.path))

    def folders(self, prefix: str) -> tuple[str, ...]:
        base = prefix.rstrip("/")
        return tuple(name for name in self.inner.folders(prefix) if not self._hidden(f"{base}/{name}"))

    def _hidden(self, path: str) -> bool:
        with self._lock:
            if self._missed[path] >= self._looks(path):
                return False
            self._missed[path] += 1
            return True


class LostReplyStore(Wrapped):
    """Puts whose answer the writer never gets.

    ``lose(path)`` says what happens to one put: ``"taken"`` (stored; the client's own retry is refused),
    ``"silence"`` (stored; then a time-out), ``"request"`` (never arrives; a time-out), None (answered).
    """

    def __init__(self, inner: Store, lose: Callable[[str], str | None]) -> None:
        super().__init__(inner)
        self._lose = lose
        self.lost: Counter[str] = Counter()

    def put_if_absent(self, path: str, data: bytes) -> None:
        how = self._lose(path)
        if how is not None:
            self.lost[how] += 1
        if how != "request":
            self.inner.put_if_absent(path, data)
        if how == "taken":
            raise SlotTaken(path)
        if how is not None:
            raise StoreUnavailable("no answer", where=path)


def lose_in_turn(*ways: str | None) -> Callable[[str], str | None]:
    """Each put meets the next of ``ways``, round and round."""
    lock, turns = Lock(), cycle(ways)

    def lose(path: str) -> str | None:
        with lock:
            return next(turns)

    return lose
