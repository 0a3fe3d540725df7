"""What the errors of a file system mean to who runs a job: error numbers as a table, and one border where they turn."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from framework.errors import PathError, SetupError, StoreUnavailable, TeamsparkError

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


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raises: StoreUnavailable, SetupError or PathError, with ``path``, for the OSError that was raised inside."""
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
