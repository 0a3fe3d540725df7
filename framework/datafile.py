"""One data file: as Spark names it, what is recorded of it, and how it is read without Spark.

pyarrow opens a path of this machine by itself; a file of an object store is opened by its store, so that it goes by
the same client, credentials and errors as everything else that is asked there.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import SEEK_END, IOBase
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from framework.errors import SetupError, clip

Readable: TypeAlias = Path | IOBase
"""What pyarrow opens: a path, or a seekable binary file for one thread at a time."""

R = TypeVar("R")
AT_ONCE: Final = 16
_LOCAL: Final = "file://"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file. ``uri`` is raw, never percent-encoded: Hadoop does not un-escape. None: nobody recorded it.

    ``opener``: opens it anew, where ``uri`` is no path of this machine. Raises: FileNotFoundError, StoreUnavailable.
    """

    uri: str
    bytes: int | None = None
    rows: int | None = None
    opener: Callable[[], Readable] | None = field(default=None, compare=False, repr=False)

    @property
    def local(self) -> Path | None:
        """Where it is on this machine's file system; None for a store that is not one."""
        return local_path(self.uri)

    @property
    def by_spark_only(self) -> bool:
        return self.opener is None and self.local is None


File: TypeAlias = DataFile | Path
F = TypeVar("F", bound=File)


def local_path(uri: str) -> Path | None:
    """Where ``uri`` is on this machine's file system; None for a store that is not one."""
    if uri.startswith(_LOCAL):
        return Path(uri.removeprefix(_LOCAL))
    return Path(uri) if uri.startswith("/") else None


def readable(file: File) -> Readable:
    """``file`` for pyarrow. Raises: SetupError when only Spark can open it; FileNotFoundError, StoreUnavailable."""
    if isinstance(file, Path):
        return file
    if (path := file.local) is not None:
        return path
    if file.opener is None:
        raise SetupError(
            "this file can be read by Spark only",
            got=clip(file.uri),
            next_step="use a store in a directory or a bucket",
        )
    return file.opener()


def size_of(opened: Readable) -> int:
    """Bytes. Raises: OSError."""
    return opened.stat().st_size if isinstance(opened, Path) else opened.seek(0, SEEK_END)


def mapped(work: Callable[[F], R], files: Iterable[F]) -> list[R]:
    """``work`` of each of ``files``, in order: several at a time where a server is asked for them."""
    held = list(files)
    if all(isinstance(file, Path) or file.local is not None for file in held):
        return [work(file) for file in held]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, held))
