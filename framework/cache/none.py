"""No cache: everything is read from the store, and nothing is held."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from framework.cache.base import Held, Location, store_location
from framework.errors import CacheUnavailable
from framework.storage.base import Store


@dataclass(frozen=True, slots=True)
class NoCache:
    """The cache of a team that has none. ``why``: said in reports, where somebody expects one."""

    why: str | None = None
    kind: str = "none"
    place: str = "none"

    def resolve(self, store: Store, path: str) -> Location:
        return store_location(store, path, self.why)

    def status(self, store: Store, path: str) -> tuple[Held, ...]:
        return ()

    def probe(self, store: Store, path: str) -> None:
        return None

    def warm(self, store: Store, paths: Iterable[str], *, within_s: float) -> int:
        return 0

    def fetch(self, store: Store, path: str, target: Path, *, within_s: float) -> None:
        raise CacheUnavailable("there is no cache", where=path, next_step="read it from the store")

    def pin(self, store: Store, paths: Sequence[str]) -> None:
        return None

    def unpin(self, store: Store, paths: Sequence[str]) -> None:
        return None

    def free(self, store: Store, paths: Sequence[str]) -> None:
        return None
