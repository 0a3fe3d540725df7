"""Published files in a folder of this machine: exactly those of a manifest, whatever else lies where they were published."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from framework.edges import PinnedRun
from framework.errors import InputCorrupt, SetupError
from framework.plan import RunInput
from framework.storage.base import Store
from framework.storage.carrying import Move, fetch
from framework.storage.oserrors import translated
from framework.world import World


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


def laid_out(sources: Sequence[Source], folder: Path, *, linked: bool = False) -> None:
    """The folder, with these files and no others. ``linked``: as links, where a store is a file system of this machine.

    Raises: StoreUnavailable; InputCorrupt for a file that is not what its manifest says; SetupError when there is no room.
    """
    with translated(str(folder), what="the folder of inputs"):
        folder.mkdir(parents=True, exist_ok=True)
        here = [one for one in sources if linked and isinstance(one.store.readable(one.path), Path)]
        for one in here:
            _link(one, folder / one.name)
        rest = [one for one in sources if one not in here]
        require_room(_missing_bytes(rest, folder), shutil.disk_usage(folder).free, folder)
        for store in dict.fromkeys(one.store for one in rest):
            fetch(store, [Move(one.path, folder / one.name, one.bytes) for one in rest if one.store is store])
        _require_same([one for one in sources if one.digest], folder)


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
