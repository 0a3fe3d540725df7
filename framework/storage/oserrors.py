"""What the errors of a file system mean to who runs a job: error numbers as a table, and one border where they turn."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from framework.errors import PathError, SetupError, StoreUnavailable, TeamsparkError

_FULL: Final = (StoreUnavailable, "{} is full", "free space, or raise the quota, then run again")
_ODD: Final = (
    SetupError,
    "{} holds a symbolic link or something else that is no plain file or folder",
    "remove it",
)
_DENIED: Final = (SetupError, "{} denies access", "give this user read and write permission on it")
_FACTS: Final[dict[int, tuple[type[TeamsparkError], str, str]]] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: (SetupError, "{} is read-only", "mount it for writing"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ELOOP: _ODD,
    errno.ENOTDIR: _ODD,
    errno.EEXIST: _ODD,
    errno.ENAMETOOLONG: (PathError, "the file system refuses so long a path", "choose a shorter root"),
    errno.EOPNOTSUPP: (SetupError, "the file system has no hard links", "choose a root on one that has"),
    errno.EMLINK: (SetupError, "the file system has no hard links", "choose a root on one that has"),
}
_OTHER: Final = (StoreUnavailable, "{} did not answer as a file system should", "run again; see the cause")


@contextmanager
def translated(path: str, *, what: str = "the store") -> Iterator[None]:
    """Raises: StoreUnavailable, SetupError or PathError, with ``path``, for the OSError that was raised inside.

    ``what`` is what a message calls the place.
    """
    try:
        yield
    except FileNotFoundError:
        # An absence is an answer for a look-up, which handles it inside; here it surprised a writer.
        raise StoreUnavailable(f"a file of {what} is gone", where=path, next_step="run again") from None
    except OSError as error:
        _raise_for(error, path, what)


def _raise_for(error: OSError, path: str, what: str) -> NoReturn:
    kind, told, next_step = _FACTS.get(error.errno or 0, _OTHER)
    raise kind(
        told.format(what), where=path, got=f"{error.strerror} (errno {error.errno})", next_step=next_step
    ) from error
