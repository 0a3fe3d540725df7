"""The files that a program left for one output: plain files in a folder, nothing else. No name is resolved through a link."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framework.errors import SchemaMismatch
from framework.masking import visible
from framework.storage.oserrors import translated

_MARKS: Final = "_."


@dataclass(frozen=True, slots=True)
class Left:
    """One file. ``name``: below the output's folder, with ``/``."""

    name: str
    path: Path
    bytes: int


def left_in(folder: Path, *, output: str, where: str) -> tuple[Left, ...]:
    """Sorted by name. Names that begin with ``_`` or ``.`` are markers and leftovers of writers, and not among them.

    Raises: SchemaMismatch for a link, a pipe or a socket, and for an output without a file; StoreUnavailable, SetupError.
    """
    odd: list[str] = []
    with translated(str(folder), what="the output's folder"):
        _require_own(folder, output=output, where=where)
        found = sorted(_below(folder, "", odd), key=lambda one: one.name)
    if odd:
        raise SchemaMismatch(
            f"output '{output}' holds something else than files and folders", where=where, details=odd,
            next_step="write the files themselves, by plain names; links lead out of the output",
        )  # fmt: skip
    if not found:
        raise nothing(output, where=where, place=str(folder))
    return tuple(found)


def left_out(folder: Path) -> tuple[str, ...]:
    """What ``left_in`` takes for markers: names below ``folder``, a folder of them once. Raises: StoreUnavailable, SetupError."""
    with translated(str(folder), what="the output's folder"):
        return tuple(sorted(_markers(folder, "")))


def _markers(folder: Path, inside: str) -> Iterator[str]:
    with os.scandir(folder) as items:
        for item in items:
            name = f"{inside}{item.name}"
            if item.name[0] in _MARKS:
                yield name
            elif item.is_dir(follow_symlinks=False):
                yield from _markers(Path(item.path), f"{name}/")


def _require_own(folder: Path, *, output: str, where: str) -> None:
    """The program may have put a link in place of the folder, or of the one above: what that leads to is not its own.

    Raises: SchemaMismatch.
    """
    if links := [one for one in (folder.parent, folder) if one.is_symlink()]:
        raise SchemaMismatch(
            f"the folder of output '{output}' is a link", where=where, got=str(links[0]),
            next_step="write into the folder that is there",
        )  # fmt: skip
    if not folder.is_dir():
        raise nothing(output, where=where, place=str(folder))


def nothing(output: str, *, where: str, place: str) -> SchemaMismatch:
    """The error of a program that wrote no file for ``output``."""
    return SchemaMismatch(
        f"the program wrote nothing for output '{output}'",
        where=where,
        expected=f"files below {place}",
        next_step=f"write to what the configuration names: path, or uri, of outputs.{output}",
    )


def _below(folder: Path, inside: str, odd: list[str]) -> Iterator[Left]:
    with os.scandir(folder) as items:
        for item in items:
            name, mode = f"{inside}{item.name}", item.stat(follow_symlinks=False).st_mode
            if item.name[0] in _MARKS:
                continue
            if not item.name.isprintable() or "\\" in item.name:  # no store has them all, and no manifest
                odd.append(f"{visible(name)}: a name with a control character, a backslash or no UTF-8")
                continue
            if stat.S_ISDIR(mode):
                yield from _below(Path(item.path), f"{name}/", odd)
            elif stat.S_ISREG(mode):
                yield Left(name, Path(item.path), item.stat(follow_symlinks=False).st_size)
            else:
                odd.append(f"{name}: {'a link' if stat.S_ISLNK(mode) else 'no plain file'}")
