"""Published files in a folder of this machine: exactly those of a manifest, whatever else lies where they were published."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framework.cache.base import Cache
from framework.edges import PinnedRun
from framework.errors import CacheUnavailable, InputCorrupt, SetupError
from framework.plan import RunInput
from framework.storage.base import Store
from framework.storage.carrying import Move, fetch
from framework.storage.oserrors import translated
from framework.world import World

_AT_ONCE: Final = 4
# A cache that takes longer than this for a file is slower than most stores.
_PATIENCE_S: Final = 10.0
_SLOW: Final = 20e6


@dataclass(frozen=True, slots=True)
class Source:
    """One published file behind a port: where it is, and the name that the program finds it by, below the port's folder."""

    store: Store
    path: str
    name: str
    bytes: int
    digest: str | None


def sources_of(planned: RunInput, world: World) -> tuple[Source, ...]:
    """Every file behind the port. Where several runs feed it, their files are told apart by a folder each: ``0``, ``1`` ..."""
    several = len(planned.reads) > 1
    return tuple(
        source
        for number, read in enumerate(planned.reads)
        for source in _sources(read, world, f"{number}/" if several else "")
    )


def _sources(read: PinnedRun, world: World, below: str) -> Iterator[Source]:
    published, output = read.published, read.published.output(read.output)
    store = world.store(published.key.team)
    digests = output.digests or (None,) * len(output.files)
    for file, path, digest in zip(output.files, published.paths(read.output), digests, strict=True):
        yield Source(store, path, below + file.path.removeprefix(f"{read.output}/"), file.bytes, digest)


@dataclass(frozen=True, slots=True)
class Hot:
    """Files, by their logical ``paths``, that ``cache`` holds whole."""

    cache: Cache
    paths: frozenset[str]


def laid_out(sources: Sequence[Source], folder: Path, *, linked: bool = False, hot: Hot | None = None) -> int:
    """The folder, with these files and no others; how many bytes came from the cache.

    ``linked``: as links, where a store is a file system of this machine. What a cache says it holds and does not deliver comes from
    the store. Raises: StoreUnavailable; InputCorrupt for a file that is not what its manifest says; SetupError when there is no room.
    """
    with translated(str(folder), what="the folder of inputs"):
        folder.mkdir(parents=True, exist_ok=True)
        here = [one for one in sources if linked and isinstance(one.store.readable(one.path), Path)]
        for one in here:
            _link(one, folder / one.name)
        rest = [one for one in sources if one not in here]
        require_room(_missing_bytes(rest, folder), shutil.disk_usage(folder).free, folder)
        warm = 0 if hot is None else _taken(hot, [one for one in rest if one.path in hot.paths], folder)
        for store in dict.fromkeys(one.store for one in rest):
            fetch(store, [Move(one.path, folder / one.name, one.bytes) for one in rest if one.store is store])
        _require_same([one for one in sources if one.digest], folder)
    return warm


def _taken(hot: Hot, sources: Sequence[Source], folder: Path) -> int:
    """Bytes of those that the cache delivered."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="teamspark-hot") as pool:
        return sum(pool.map(lambda one: _take(hot.cache, one, folder / one.name), sources))


def _take(cache: Cache, source: Source, target: Path) -> int:
    if target.exists():
        return 0  # of a step that was killed: the store's own look decides
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        cache.fetch(source.store, source.path, target, within_s=_PATIENCE_S + source.bytes / _SLOW)
    except CacheUnavailable:
        return 0
    return source.bytes if target.stat().st_size == source.bytes else 0


def _link(source: Source, name: Path) -> None:
    target = source.store.readable(source.path)
    name.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(name):
        name.symlink_to(str(target))


def _missing_bytes(sources: Sequence[Source], folder: Path) -> int:
    return sum(one.bytes for one in sources if not (folder / one.name).exists())


def require_room(wanted: int, free: int, folder: Path) -> None:
    """Raises: SetupError where so many bytes do not fit in."""
    if wanted > free:
        raise SetupError(
            "the inputs are larger than the folder that they are copied to", where=str(folder),
            got=f"{wanted:,} bytes", expected=f"at most {free:,} bytes",
            next_step='read them where they are: data="uri"; or read fewer runs at once',
        )  # fmt: skip


def _require_same(sources: Sequence[Source], folder: Path) -> None:
    wrong = [f"{one.path}: the sha256 differs" for one in sources if digest_of(folder / one.name) != one.digest]
    if wrong:
        raise InputCorrupt("files are not what their manifest says", where=str(folder), details=wrong,
                           next_step="run the producer again: it publishes a new attempt")  # fmt: skip


def digest_of(path: Path) -> str:
    """sha256 of a file, in hex. Raises: OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
