"""Whole files between a store and a folder of this machine: many at a time where a server is asked for them, in bounded memory.

What is there already, whole, is not carried again: a second call goes on where a first was ended.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol, runtime_checkable

from framework.datafile import Readable
from framework.errors import StoreUnavailable
from framework.storage.base import Depot, Store
from framework.storage.oserrors import translated

_PART: Final = ".part"
_FOLDER: Final = "the folder of this machine"


@dataclass(frozen=True, slots=True)
class Move:
    """One file: its logical path, and where it is, or is to be, on this machine."""

    path: str
    local: Path
    bytes: int


@runtime_checkable
class Carrier(Protocol):
    """What a store has besides that carries many files at once by itself."""

    def fetch(self, moves: Iterable[Move]) -> None:
        """Each file appears whole or not. Raises: StoreUnavailable, SetupError."""

    def send(self, moves: Iterable[Move]) -> None:
        """As ``fetch``, the other way. The file of this machine may be gone afterwards."""


def fetch(store: Store, moves: Iterable[Move]) -> None:
    """Bring every file here. Raises: StoreUnavailable, also for a file that is not there or has another size; SetupError."""
    wanted = [one for one in moves if not _is_here(one)]
    with translated(str(wanted[0].local.parent) if wanted else "", what=_FOLDER):
        for folder in {one.local.parent for one in wanted}:
            folder.mkdir(parents=True, exist_ok=True)
        for one in wanted:
            if not one.bytes:
                one.local.touch()  # an object without a byte has no range that could be asked for again
        _fetch(store, [one for one in wanted if one.bytes])
    if late := [one for one in wanted if not _is_here(one)]:
        raise StoreUnavailable(
            "a published file did not arrive as it was published",
            where=late[0].path, got=f"{_size(late[0])} bytes", expected=f"{late[0].bytes} bytes", next_step="run again",
        )  # fmt: skip


def _fetch(store: Store, wanted: Sequence[Move]) -> None:
    try:
        if isinstance(store, Carrier):
            store.fetch(wanted)
        else:
            for one in wanted:
                copied(store.readable(one.path), one.local)
    except FileNotFoundError as error:
        raise StoreUnavailable(
            "a published file is gone",
            where=str(error.filename or error),
            next_step="run again; if it stays so, the producer has to run again",
        ) from error


def send(store: Depot, moves: Iterable[Move]) -> None:
    """Bring every file to the store. Raises: StoreUnavailable, SetupError."""
    held = list(moves)
    if isinstance(store, Carrier):
        store.send(held)
        return
    for one in held:
        store.put_file(one.path, lambda one=one: one.local.open("rb"))  # type: ignore[misc]  # a loop's variable, bound


def _is_here(move: Move) -> bool:
    return _size(move) == move.bytes


def _size(move: Move) -> int | None:
    return move.local.stat().st_size if move.local.is_file() else None


def copied(source: Readable, target: Path) -> None:
    """The file ``target``, whole or not there. Raises: OSError, and what ``source`` raises."""
    with appearing(target) as file, source.open("rb") if isinstance(source, Path) else source as opened:
        shutil.copyfileobj(opened, file)


@contextmanager
def appearing(target: Path) -> Iterator[IO[bytes]]:
    """What is written becomes ``target`` when the block ends well; else nothing of it is left. Raises: OSError."""
    aside = target.with_name(f".{target.name}{_PART}")
    try:
        with aside.open("wb") as file:
            yield file
        aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
