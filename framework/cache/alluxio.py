"""A team's Alluxio as a cache: mounts found by asking, everything else by path. Only its proxy's REST is spoken.

A store is before it if Alluxio mounts its root, or a folder above its root, directly below ``/``.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from framework.cache.base import LOOK_S, Held, Location, store_location
from framework.cache.rest import Proxy
from framework.cache.settings import client_needs
from framework.errors import CacheUnavailable
from framework.storage.base import Access, Store

_AT_ONCE: Final = 4
_S3: Final = ("s3", "s3a", "s3n")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an Alluxio is: ``master`` as host:port, ``proxy`` as a URL; ``local``: on this machine, by ``cluster``."""

    master: str
    proxy: str
    local: bool = False


class AlluxioCache:
    """The Alluxio at ``address``, in front of stores that are reached as ``own`` is: an endpoint is in no mount's name."""

    kind = "alluxio"

    def __init__(self, address: Address, own: Access) -> None:
        self._address = address
        self._own = (own.scheme, own.endpoint)
        self._proxy = Proxy(address.proxy, within_s=LOOK_S)

    @property
    def place(self) -> str:
        return f"alluxio://{self._address.master}"

    @cached_property
    def _mounts(self) -> Mapping[str, str] | CacheUnavailable:
        """Asked once: who uses this object wants one answer for the whole of a run."""
        try:
            return {canonical(ufs): point for point, ufs in self._proxy.mounts().items()}
        except CacheUnavailable as error:
            return error

    def _at(self, store: Store, path: str) -> str | None:
        """Where ``path`` of the store is in Alluxio; None: Alluxio is not before it. Raises: CacheUnavailable."""
        if isinstance(self._mounts, CacheUnavailable):
            raise self._mounts
        if (store.access.scheme, store.access.endpoint) != self._own:
            return None
        # Of the path itself: what a person calls one store may have its runs in two places.
        uri = canonical(store.uri(path))
        for ufs, point in self._mounts.items():
            if uri == ufs or uri.startswith(f"{ufs}/"):
                return point + uri[len(ufs) :]
        return None

    def _there(self, store: Store, paths: Iterable[str]) -> list[str]:
        return [at for path in paths if (at := self._at(store, path)) is not None]

    def resolve(self, store: Store, path: str) -> Location:
        try:
            at = self._at(store, path)
        except CacheUnavailable as error:
            return store_location(store, path, f"{self.place} is not used: {error.what} ({error.got})")
        if at is None:
            return store_location(store, path)
        uri = f"alluxio://{self._address.master}{at}"
        return Location(uri, cached=True, needs=client_needs(local=self._address.local))

    def status(self, store: Store, path: str) -> tuple[Held, ...]:
        at = self._at(store, path)
        if at is None:
            return ()
        found = (_held(info, f"{path}{info.path[len(at) :]}") for info in self._proxy.files(at) if not info.folder)
        return tuple(sorted(found, key=lambda held: held.path))

    def probe(self, store: Store, path: str) -> None:
        for at in self._there(store, [path]):
            self._proxy.load(at, deadline=0)

    def warm(self, store: Store, paths: Iterable[str], *, within_s: float) -> int:
        deadline, there = time.monotonic() + within_s, self._there(store, paths)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="teamspark-warm") as pool:
            return sum(pool.map(lambda at: self._load(at, deadline), there))

    def _load(self, at: str, deadline: float) -> int:
        return self._proxy.load(at, deadline) if time.monotonic() < deadline else 0

    def fetch(self, store: Store, path: str, target: Path, *, within_s: float) -> None:
        at = self._at(store, path)
        if at is None:
            raise CacheUnavailable("the cache is not before this store", where=store.uri(path), got=self.place)
        self._proxy.save(at, target, time.monotonic() + within_s)

    def pin(self, store: Store, paths: Sequence[str]) -> None:
        for at in self._there(store, paths):
            self._proxy.set_pinned(at, pinned=True)

    def unpin(self, store: Store, paths: Sequence[str]) -> None:
        for at in self._there(store, paths):
            self._proxy.set_pinned(at, pinned=False)

    def free(self, store: Store, paths: Sequence[str]) -> None:
        for at in self._there(store, paths):
            self._proxy.free(at)


def canonical(uri: str) -> str:
    """One spelling of a place: Alluxio says ``/folder`` and ``s3://bucket/x/`` for ``file:///folder`` and ``s3a://bucket/x``."""
    scheme, sign, rest = uri.partition("://")
    if not sign:
        scheme, rest = "file", uri
    return f"{'s3' if scheme in _S3 else scheme}://{rest.rstrip('/')}"


def _held(info: Any, path: str) -> Held:
    return Held(
        path=path,
        bytes=info.length,
        hot=info.length * info.in_memory_percentage // 100,
        pinned=info.pinned,
        # A file that was written to Alluxio alone and is gone from there can be read by nobody.
        sound=info.persistence_state.name == "PERSISTED" and info.completed,
    )
