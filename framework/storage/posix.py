"""A store in a directory: a laptop's disk, or a mounted network file system that keeps ``link(2)`` atomic.

A slot is taken by linking a synced temporary file to its name, never by rename (which replaces) and never by
``O_EXCL`` (which shows an empty slot before its bytes). Below the root no symbolic link is followed, ever: each
folder is opened relative to its parent, so a link planted between two look-ups does not help either.
"""

import ctypes
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from framework.errors import PathError, SetupError, StoreUnavailable, TeamsparkError
from framework.storage.base import Entry, SlotTaken, check_deletable, split_file, split_path

_TEMPORARY: Final = ".put-"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# Characters of a root that Spark would read as a glob or a client would un-escape: data would land elsewhere.
_UNSAFE: Final = frozenset("*?[]{}\\%#\n\r\t")

_FULL: Final = (StoreUnavailable, "the store is full", "free space, or raise the quota, then run again")
_ODD: Final = (
    SetupError,
    "the store holds a symbolic link or something else that is no plain file or folder",
    "remove it",
)
_DENIED: Final = (SetupError, "the store denies access", "give this user read and write permission on the root")
_FACTS: Final[dict[int, tuple[type[TeamsparkError], str, str]]] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: (StoreUnavailable, "the store is read-only", "mount it for writing"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ELOOP: _ODD,
    errno.ENOTDIR: _ODD,
    errno.ENAMETOOLONG: (PathError, "the file system refuses so long a path", "choose a shorter root"),
    errno.EOPNOTSUPP: (SetupError, "the file system has no hard links", "choose a root on one that has"),
    errno.EMLINK: (SetupError, "the file system has no hard links", "choose a root on one that has"),
}
_OTHER: Final = (StoreUnavailable, "the store did not answer as a file system should", "run again; see the cause")


class DirectoryStore:
    """A store below ``root``, which is made by the first put.

    ``root`` itself may be, or go through, a symbolic link; it is resolved once, here.
    """

    kind = "directory"

    def __init__(self, root: Path) -> None:
        """Raises: SetupError when Spark could not open paths below ``root`` as they are written."""
        self._root = root.expanduser().resolve()
        if found := sorted(_UNSAFE & set(str(self._root))):
            raise SetupError(
                "the store's root holds characters that Spark takes for a pattern or an escape",
                where=str(self._root),
                got=" ".join(map(repr, found)),
                next_step="choose a root without them",
            )

    @property
    def root(self) -> str:
        return str(self._root)

    def local(self, path: str) -> Path:
        """The local path of a logical one, for readers that are not Spark. Raises: PathError."""
        return self._root.joinpath(*split_path(path))

    def uri(self, path: str) -> str:
        # Not Path.as_uri(): Hadoop does not un-escape, and `!` would become `%21`, another name.
        return f"file://{self.local(path)}"

    def put_if_absent(self, path: str, data: bytes) -> None:
        parents, name = split_file(path)
        temporary = f"{_TEMPORARY}{secrets.token_hex(8)}"
        with _translated(path), self._folder(parents, create=True) as folder:
            try:
                _write_synced(folder, temporary, data)
                os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError as error:
                raise SlotTaken(path) from error
            finally:
                with suppress(OSError):  # left-over temporaries are never listed; the outcome is decided
                    os.unlink(temporary, dir_fd=folder)
            os.fsync(folder)

    def read(self, path: str) -> bytes | None:
        parents, name = split_file(path)
        with (
            _translated(path),
            suppress(FileNotFoundError),
            self._folder(parents) as folder,
            os.fdopen(_open_plain(folder, name), "rb") as file,
        ):
            return file.read()
        return None

    def stat(self, path: str) -> Entry | None:
        parents, name = split_file(path)
        with _translated(path), suppress(FileNotFoundError), self._folder(parents) as folder:
            return _entry(path, os.stat(name, dir_fd=folder, follow_symlinks=False))
        return None

    def list(self, prefix: str) -> tuple[Entry, ...]:
        with _translated(prefix), suppress(FileNotFoundError), self._folder(split_path(prefix)) as folder:
            return tuple(sorted(_walk(folder, prefix.rstrip("/"))))
        return ()

    def folders(self, prefix: str) -> tuple[str, ...]:
        with (
            _translated(prefix),
            suppress(FileNotFoundError),
            self._folder(split_path(prefix)) as folder,
            os.scandir(folder) as found,
        ):
            return tuple(sorted(item.name for item in found if item.is_dir(follow_symlinks=False)))
        return ()

    def settle(self, files: Iterable[tuple[str, int]]) -> None:
        folders: dict[tuple[str, ...], dict[str, int]] = {}
        for path, size in files:
            parents, name = split_file(path)
            folders.setdefault(parents, {})[name] = size
        for parents, sizes in folders.items():
            place = "/" + "/".join(parents)
            with _translated(place), self._folder(parents) as folder:
                for name, size in sizes.items():
                    _check_size(f"{place}/{name}", _look(folder, name, f"{place}/{name}"), size)
        self._sync({parents: tuple(sizes) for parents, sizes in folders.items()})

    def delete(self, paths: Iterable[str]) -> None:
        for path in check_deletable(paths):
            parents, name = split_file(path)
            with _translated(path), suppress(FileNotFoundError), self._folder(parents) as folder:
                os.unlink(name, dir_fd=folder)

    def _sync(self, names: Mapping[tuple[str, ...], Iterable[str]]) -> None:
        """Make what other processes wrote durable: by one call for the file system where there is one.

        Synced one by one, a thousand small files cost seconds on an ordinary disk; together, about as much as ten.
        """
        sync_all = _syncfs()
        for parents in [()] if sync_all else names:
            with _translated("/" + "/".join(parents)), self._folder(parents) as folder:
                if sync_all is None:
                    _sync_each(folder, names[parents])
                elif sync_all(folder) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    @contextmanager
    def _folder(self, parts: Iterable[str], *, create: bool = False) -> Iterator[int]:
        if create and not self._root.exists():
            self._root.mkdir(parents=True, exist_ok=True)
        current = os.open(self._root, _FOLDER)
        try:
            for part in parts:
                inner = _step(current, part, create=create)
                os.close(current)
                current = inner
            yield current
        finally:
            os.close(current)


def _step(folder: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
        os.fsync(folder)
    return os.open(name, _FOLDER, dir_fd=folder)


@contextmanager
def _descriptor(number: int) -> Iterator[int]:
    try:
        yield number
    finally:
        os.close(number)


def _write_synced(folder: int, name: str, data: bytes) -> None:
    with os.fdopen(os.open(name, _NEW, 0o644, dir_fd=folder), "wb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())


def _open_plain(folder: int, name: str) -> int:
    number = os.open(name, _OLD, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.ELOOP, "not a plain file", name)
    return number


def _entry(path: str, found: os.stat_result) -> Entry:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ELOOP, "not a plain file", path)
    return Entry(path, found.st_size, found.st_mtime)


def _walk(folder: int, path: str) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        items = [(item.name, item.is_dir(follow_symlinks=False)) for item in found]
    for name, is_folder in items:
        if name.startswith(_TEMPORARY):
            continue
        # A file may vanish between the two look-ups: Spark's committer moves its own about.
        with suppress(FileNotFoundError):
            if is_folder:
                with _descriptor(os.open(name, _FOLDER, dir_fd=folder)) as inner:
                    yield from _walk(inner, f"{path}/{name}")
            else:
                yield _entry(f"{path}/{name}", os.stat(name, dir_fd=folder, follow_symlinks=False))


def _look(folder: int, name: str, path: str) -> int | None:
    try:
        return _entry(path, os.stat(name, dir_fd=folder, follow_symlinks=False)).bytes
    except FileNotFoundError:
        return None


def _sync_each(folder: int, names: Iterable[str]) -> None:
    for name in names:
        with _descriptor(_open_plain(folder, name)) as file:
            os.fsync(file)
    os.fsync(folder)


def _syncfs() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


def _check_size(path: str, got: int | None, expected: int) -> None:
    if got != expected:
        raise StoreUnavailable(
            "a written file is gone or changed before it was published",
            where=path,
            got="nothing" if got is None else f"{got} bytes",
            expected=f"{expected} bytes",
            next_step="run again; nothing else may write below an attempt",
        )


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        # An absence is an answer for a look-up, which handles it inside; here it surprised a writer.
        raise StoreUnavailable("a file of the store is gone", where=path, next_step="run again") from None
    except OSError as error:
        _raise_for(error, path)


def _raise_for(error: OSError, path: str) -> NoReturn:
    kind, what, next_step = _FACTS.get(error.errno or 0, _OTHER)
    raise kind(what, where=path, got=f"{error.strerror} (errno {error.errno})", next_step=next_step) from error
