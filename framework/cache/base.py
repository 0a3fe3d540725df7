"""The seam between a run and a cache: where a dataset is read, what is held of it, and keeping or letting go of it.

A cache is asked about *logical* paths of a store, as ``framework.storage.paths`` makes them, and of published attempts
only: their files are written once, so nothing that a cache holds of them is ever old. What an implementation promises:

* ``resolve`` never raises and never hangs: where the cache is away, or does not know the store, it says the store's own;
* the other verbs are bounded in time and raise ``CacheUnavailable``; of a store that is not before it, it holds nothing;
* no verb changes what is in the store.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from framework.spark.stores import Extra
from framework.storage.base import Store

LOOK_S: Final = 3.0
"""How long a cache may take to answer a question, before the run goes on without it."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where Spark reads one folder: ``uri``, raw as Hadoop wants it, and what its session needs for that.

    ``cached``: through the cache. ``why``: in words why not, where that is news.
    """

    uri: str
    cached: bool = False
    needs: Extra = field(default_factory=Extra)
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """One file as a cache knows it. ``hot`` of its ``bytes`` are in the cache; ``sound``: the store has all of it."""

    path: str
    bytes: int
    hot: int
    pinned: bool = False
    sound: bool = True


class Cache(Protocol):
    """One team's cache. Safe to share between threads."""

    @property
    def kind(self) -> str:
        """What sort of cache: ``none``, ``memory``, ``alluxio``."""

    @property
    def place(self) -> str:
        """Where it is, as people say it."""

    def resolve(self, store: Store, path: str) -> Location:
        """Where the folder ``path`` of ``store`` is read. Never raises."""

    def status(self, store: Store, path: str) -> tuple[Held, ...]:
        """Every file below the folder ``path``, sorted by path; of a file that file alone; nothing of what is absent.

        Raises: CacheUnavailable.
        """

    def probe(self, store: Store, path: str) -> None:
        """That the file ``path`` is delivered: its first bytes. Raises: CacheUnavailable."""

    def warm(self, store: Store, paths: Iterable[str], *, within_s: float) -> int:
        """Bring the files ``paths`` into the cache, in their order, and say how many bytes they have.

        Stops when time is up. Raises: CacheUnavailable.
        """

    def fetch(self, store: Store, path: str, target: Path, *, within_s: float) -> None:
        """The file ``path`` as ``target``, a file of this machine, whole or not there.

        Raises: CacheUnavailable, also when time is up, and for a store that the cache is not before; OSError of ``target``.
        """

    def pin(self, store: Store, paths: Sequence[str]) -> None:
        """Keep these files, once they are there, until they are unpinned or freed. Raises: CacheUnavailable."""

    def unpin(self, store: Store, paths: Sequence[str]) -> None:
        """Raises: CacheUnavailable."""

    def free(self, store: Store, paths: Sequence[str]) -> None:
        """Let go of these files or folders, pinned or not; absent ones are no error. Raises: CacheUnavailable."""


def store_location(store: Store, path: str, why: str | None = None) -> Location:
    """The store's own."""
    return Location(store.uri(path), why=why)
