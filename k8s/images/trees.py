"""Directory trees: as the entries of a layer, in order, without times and owners; and how they are filled."""

import os
import shutil
import stat
import sys
import tarfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from framework.errors import ConfigError, SetupError, clip
from framework.job import digest
from k8s.images.running import ended

_SHARES: Final = 4
_SHARE: Final = 500
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
    """As ``framework.job.digest`` finds them. Raises: ConfigError for a link."""
    return no_links(digest.sources(root, skipped))


def no_links(paths: Iterable[Path]) -> Iterator[Path]:
    """``paths``. Raises: ConfigError for a link."""
    for path in paths:
        if path.is_symlink():
            raise ConfigError("a link is not taken into an image", where=path, next_step="put the file in its place")
        yield path


def content_digest(root: Path, paths: Iterable[Path] | None = None) -> str:
    """sha256, hex, over names and bytes of ``paths`` below ``root``; by default of its sources."""
    found = sources(root) if paths is None else paths
    return digest.digest_of((path.relative_to(root).as_posix(), path) for path in found)


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

    ``within`` is what will be found ``at`` another place, which tracebacks then name. Raises: SetupError.
    """
    files = sorted(str(path) for path in folder.rglob("*.py") if path.is_file())
    shares = min(_SHARES, 1 + len(files) // _SHARE)
    # Python writes a letter otherwise when the process knows it as a name: each begins anew, with the same files on any machine.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda number: _compile(files[number::shares], within, at), range(shares)))


def _compile(files: Sequence[str], within: Path, at: str) -> None:
    tool = [sys.executable, "-P", "-S", "-s", "-m", "compileall", "-qq", "-f", "--invalidation-mode", "unchecked-hash"]
    with NamedTemporaryFile("w", suffix=".txt") as names:
        names.write("\n".join(files))
        names.flush()
        command: list[str | Path] = [*tool, "-s", within, "-p", at, "-i", names.name]
        ended(command, {"LC_ALL": "C.UTF-8"}, what="no byte code was made")
