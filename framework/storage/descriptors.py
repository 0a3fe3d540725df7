"""Work inside one open folder, by names relative to its descriptor: no name here is ever resolved through a link.

A folder may hold a thousand files and be looked at twice in one publish, so the look-ups are plain calls in plain
loops. Functions raise OSError as the system does; ``framework.storage.oserrors`` says what it means.
"""

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Final

from framework.errors import StoreUnavailable
from framework.storage.base import Entry
from framework.storage.ownership import Ownership

TEMPORARY: Final = ".put-"
_COPIED: Final = 1 << 20
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def step(folder: int, name: str, *, create: bool, owned: Ownership | None = None) -> int:
    """A descriptor of the folder ``name`` in ``folder``, which is made, durably, when ``create``, and then ``owned``.

    Raises: OSError; SetupError.
    """
    try:
        return os.open(name, FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
        os.fsync(folder)
    made = os.open(name, FOLDER, dir_fd=folder)
    if owned is not None:
        _apply(owned, made, name)
    return made


def _apply(owned: Ownership, number: int, name: str) -> None:
    try:
        owned.apply(number, name)
    except BaseException:
        os.close(number)
        raise


def write_synced(folder: int, name: str, data: bytes, owned: Ownership | None = None) -> None:
    """A new file with ``data``, durable but for its name. Raises: OSError; SetupError."""
    with os.fdopen(os.open(name, _NEW, 0o644, dir_fd=folder), "wb", buffering=0) as file:
        if owned is not None:
            owned.apply(file.fileno(), name)
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())


def copy_synced(folder: int, name: str, source: IO[bytes], owned: Ownership | None = None) -> None:
    """A new file with all that ``source`` holds, durable but for its name. Raises: OSError; SetupError."""
    with os.fdopen(os.open(name, _NEW, 0o644, dir_fd=folder), "wb") as file:
        if owned is not None:
            owned.apply(file.fileno(), name)
        shutil.copyfileobj(source, file, _COPIED)
        file.flush()
        os.fsync(file.fileno())


def open_plain(folder: int, name: str) -> int:
    """A descriptor for reading a plain file; nobody waits for a pipe. Raises: OSError, ELOOP for anything else."""
    number = os.open(name, _OLD, dir_fd=folder)
    try:
        _require_plain(os.fstat(number), name)
    except OSError:
        os.close(number)
        raise
    return number


def entry_of(folder: int, name: str, path: str) -> Entry:
    """The plain file ``name``, as ``path``. Raises: OSError, ELOOP for anything else."""
    return _entry(path, os.stat(name, dir_fd=folder, follow_symlinks=False))


def walk(folder: int, path: str) -> Iterator[Entry]:
    """Every file below ``folder``, which is ``path``: one scan of each folder, one look at each file.

    Raises: OSError, ELOOP for what is neither a plain file nor a folder.
    """
    with os.scandir(folder) as found:
        items = [item for item in found if not item.name.startswith(TEMPORARY)]
    for item in items:
        try:
            if item.is_dir(follow_symlinks=False):
                with _opened(os.open(item.name, FOLDER, dir_fd=folder)) as inner:
                    yield from walk(inner, f"{path}/{item.name}")
            else:
                yield _entry(f"{path}/{item.name}", item.stat(follow_symlinks=False))
        except FileNotFoundError:  # it may vanish between the two look-ups: Spark's committer moves its own about
            continue


def remove_empty(folder: int, name: str) -> None:
    """Remove the folders below ``name`` and itself, those that are empty. Raises: OSError when something is left."""
    for _, inner, _, opened in os.fwalk(name, topdown=False, dir_fd=folder):
        for one in inner:
            with suppress(OSError):
                os.rmdir(one, dir_fd=opened)
    os.rmdir(name, dir_fd=folder)


def check_sizes(folder: int, path: str, sizes: Mapping[str, int]) -> None:
    """That each named file of ``folder``, which is ``path``, is there and has its size.

    Each is asked for by name. A scan would ask the system as often, once for each size, and may lag.

    Raises: StoreUnavailable for a file that is gone or changed; OSError, ELOOP for what is no plain file.
    """
    for name, size in sizes.items():
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            raise _changed(f"{path}/{name}", "nothing", size) from None
        _require_plain(found, name)
        if found.st_size != size:
            raise _changed(f"{path}/{name}", f"{found.st_size} bytes", size)


def own_each(folder: int, names: Iterable[str], owned: Ownership) -> None:
    """Give the named files and the folder their owner and mode. Raises: OSError; SetupError."""
    for name in names:
        with _opened(open_plain(folder, name)) as file:
            owned.apply(file, name)
    owned.apply(folder, ".")


def sync_each(folder: int, names: Iterable[str]) -> None:
    """Make the named files and the folder durable, one by one. Raises: OSError."""
    for name in names:
        with _opened(open_plain(folder, name)) as file:
            os.fsync(file)
    os.fsync(folder)


def syncfs() -> Callable[[int], None] | None:
    """The call that makes a whole file system durable, of which it takes any descriptor; None where there is none.

    It raises OSError.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if call is None:
        return None

    def sync_all(folder: int) -> None:
        if call(folder) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return sync_all


@contextmanager
def _opened(number: int) -> Iterator[int]:
    try:
        yield number
    finally:
        os.close(number)


def _entry(path: str, found: os.stat_result) -> Entry:
    _require_plain(found, path)
    # Not st_mtime, which whoever writes can set, and which a link keeps: a slot that was linked late would look old.
    return Entry(path, found.st_size, found.st_ctime)


def _require_plain(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ELOOP, "not a plain file", name)


def _changed(path: str, got: str, expected: int) -> StoreUnavailable:
    return StoreUnavailable(
        "a written file is gone or changed before it was published",
        where=path,
        got=got,
        expected=f"{expected} bytes",
        next_step="run again; nothing else may write below an attempt",
    )
