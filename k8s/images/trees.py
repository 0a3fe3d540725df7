"""Directory trees: as the entries of a layer, in order, without times and owners; and how they are filled."""

import compileall
import os
import py_compile
import shutil
import stat
import tarfile
from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from framework.errors import ConfigError, SetupError, clip

WHITEOUT: Final = ".wh."
"""A file of this prefix deletes another in the layers below: content may not be called so."""


def write_tree(tar: tarfile.TarFile, source: Path, target: str) -> None:
    """Add ``source`` as ``target``. Raises: ConfigError for what no layer can hold; SetupError when it cannot be read."""
    try:
        for path, name in entries(source, target.strip("/")):
            _add(tar, path, name)
    except OSError as error:
        raise SetupError(
            "a layer cannot be read", where=error.filename or source, got=clip(error.strerror or str(error))
        ) from error


def entries(source: Path, target: str) -> Iterator[tuple[Path, str]]:
    """Every file and folder from ``source`` down with its name in the image, a folder before what is in it."""
    if target:  # the root itself is there already
        yield source, target
    if source.is_dir() and not source.is_symlink():
        for path in sorted(source.iterdir(), key=lambda path: os.fsencode(path.name)):
            if path.name.startswith(WHITEOUT):
                raise ConfigError("a file's name would delete another in the image", where=path)
            yield from entries(path, f"{target}/{path.name}".lstrip("/"))


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    status = path.lstat()
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISREG(status.st_mode):
        info.size = status.st_size  # names of one file are several files here: what shares a file is chance
        with path.open("rb") as content:
            tar.addfile(info, content)
    elif stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif stat.S_ISLNK(status.st_mode):
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, str(path.readlink())
        tar.addfile(info)
    else:
        raise ConfigError("a layer holds files, folders and links", where=path, got="a device, socket or pipe")


def sources(root: Path, skipped: Collection[str] = ()) -> Iterator[Path]:
    """The files below ``root`` that somebody wrote, in order: no byte code, nothing in a folder called as one of ``skipped``."""
    for path in sorted(root.iterdir()):
        if path.is_symlink():
            raise ConfigError("a link is not taken into an image", where=path, next_step="put the file in its place")
        if path.is_dir():
            if path.name not in {"__pycache__", *skipped}:
                yield from sources(path, skipped)
        elif path.suffix != ".pyc":
            yield path


def content_digest(root: Path, paths: Iterable[Path] | None = None) -> str:
    """sha256, hex, over names and bytes of ``paths`` below ``root``; by default of its sources."""
    digest = sha256()
    for path in sources(root) if paths is None else paths:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def copied(source: Path, target: Path, paths: Iterable[Path] | None = None) -> None:
    """``paths`` below ``source``, into ``target``; by default all its sources."""
    for path in sources(source) if paths is None else paths:
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)


def readable(tree: Path) -> None:
    """Everybody may read ``tree``, whatever the umask of who made it."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o111 else 0o644)


def compiled(folder: Path, *, within: Path, at: str) -> None:
    """Byte code that holds without times, since there are none in an image; files that are no Python of ours stay as they are.

    ``within`` is what will be found ``at`` another place, which tracebacks then name.
    """
    checked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(
        folder, maxlevels=30, quiet=2, force=True, workers=0, stripdir=within, prependdir=at, invalidation_mode=checked
    )
