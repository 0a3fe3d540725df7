"""The seam between the publish protocol and a system of record: nine verbs and one internal signal.

Paths are logical: absolute, ``/``-separated, made by ``framework.storage.paths``. What a store must promise:

* ``put_if_absent`` is atomic and decides between racing writers: at most one set of bytes ever appears under a path;
* ``read`` and ``stat`` by name see every put that was answered before they were called;
* ``list`` and ``folders`` may lag behind (network file systems cache directories) but never invent an entry.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Final, Protocol, runtime_checkable

from framework.datafile import Readable
from framework.errors import PathError, StoreUnavailable
from framework.storage.lifecycle import BucketFacts

LOG_FOLDER: Final = "_log"
TABLE_LOG: Final = "_delta_log"
# The folder of an attempt's data, in its run's: the number, and the first digits of the claim's token.
ATTEMPT_FOLDER: Final = re.compile(r"a\d{4,}-[0-9a-f]{8}")

# Segments without `/` or a control character, none of them `.` or `..`: one match a path, because publishing asks it of
# a thousand at once. A segment begins with no dot, or with one and something that is none, or with two and anything.
_PATH: Final = re.compile(r"(?:/(?:[^./\x00-\x1f\x7f]|\.[^./\x00-\x1f\x7f]|\.\.[^/\x00-\x1f\x7f])[^/\x00-\x1f\x7f]*)+")


class SlotTaken(Exception):
    """Somebody's bytes are under this path, perhaps our own: the answer to an earlier put may have been lost.

    Internal to the room, on purpose outside the error tree: only reading the slot back tells who won.
    """


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A stored file: logical path, size, and seconds since the epoch by the *store's* clock."""

    path: str
    bytes: int
    modified: float


@dataclass(frozen=True, slots=True)
class Access:
    """What another program has to be told before it opens a store's URIs: plain facts, never a credential.

    ``scheme``: of the URIs. ``endpoint`` None: the scheme's own. ``region`` None: found by the credentials' chain.
    """

    scheme: str
    bucket: str = ""
    endpoint: str | None = None
    region: str | None = None

    @property
    def path_style(self) -> bool:
        """Whether the bucket is named in the path: an endpoint of one's own seldom has a host for each bucket."""
        return self.endpoint is not None


class Store(Protocol):
    """A system of record. Safe to share between threads."""

    @property
    def kind(self) -> str:
        """What sort of store: ``directory``, ``efs``, ``s3``, ``memory``."""

    @property
    def root(self) -> str:
        """Where it is, as people say it."""

    @property
    def access(self) -> Access:
        """How other programs reach what ``uri`` names."""

    def put_if_absent(self, path: str, data: bytes) -> None:
        """Make ``data`` durable under ``path`` if nothing is there yet, all of it or nothing.

        Raises: SlotTaken, StoreUnavailable, SetupError. After SlotTaken or StoreUnavailable it may have been stored.
        """

    def read(self, path: str) -> bytes | None:
        """All bytes under ``path``; None when there is nothing. Raises: StoreUnavailable, SetupError."""

    def stat(self, path: str) -> Entry | None:
        """Size and age of one file, by name; None when there is nothing. Raises: StoreUnavailable, SetupError."""

    def list(self, prefix: str) -> tuple[Entry, ...]:
        """Every file below the folder ``prefix``, recursively, sorted by path. Raises: StoreUnavailable, SetupError."""

    def folders(self, prefix: str) -> tuple[str, ...]:
        """Names of the folders directly below ``prefix``, sorted. Raises: StoreUnavailable, SetupError."""

    def settle(self, files: Iterable[tuple[str, int]]) -> None:
        """Make durable what another program wrote through ``uri``; files are (path, bytes).

        Raises: StoreUnavailable when a file is gone or has another size, or cannot be made durable.
        """

    def delete(self, paths: Iterable[str]) -> None:
        """Remove data files; absent ones are no error. A store that has folders may remove an attempt's empty ones.

        Raises: PathError for anything in the log of a run or a table.
        """

    def uri(self, path: str) -> str:
        """What Spark opens for ``path``."""

    def readable(self, path: str) -> Readable:
        """What pyarrow opens for ``path``, anew with each call.

        Raises: FileNotFoundError, StoreUnavailable, SetupError; a path of this machine is not looked at yet.
        """


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in parts that was never completed: nobody can read it. ``begun`` as ``Entry.modified``."""

    path: str
    id: str
    begun: float


@runtime_checkable
class TakesParts(Protocol):
    """What a store has besides where files arrive in parts, which stay and are paid for until somebody lets go of them."""

    def uploads(self, prefix: str) -> tuple[Upload, ...]:
        """Those below the folder ``prefix`` that are not completed. Raises: StoreUnavailable, SetupError."""

    def abort(self, uploads: Iterable[Upload]) -> None:
        """Let go of their parts; what is completed or gone by now is no error. Raises: StoreUnavailable, SetupError."""


@runtime_checkable
class InBucket(Protocol):
    """What a store has besides that is in a bucket of an object store."""

    def facts(self) -> BucketFacts:
        """How the bucket is set up. Raises: StoreUnavailable; SetupError, also when this identity may not ask."""


class Depot(Store, Protocol):
    """A store that also takes whole files from elsewhere: where outputs are delivered to."""

    def put_file(self, path: str, opened: Callable[[], IO[bytes]]) -> None:
        """Make the bytes of what ``opened`` opens durable under ``path``; it appears whole or not.

        A name is only ever given the same bytes, so it does not matter who is last. Raises: StoreUnavailable, SetupError.
        """


def split_path(path: str) -> tuple[str, ...]:
    """The segments of a logical path; the root ``/`` has none.

    Raises: PathError for a relative path, an empty, ``.`` or ``..`` segment, or a control character.
    """
    if path == "/":
        return ()
    if not _PATH.fullmatch(path):
        raise PathError("not a store path", got=path, expected="/segment/segment, none of them empty, '.' or '..'")
    return tuple(path[1:].split("/"))


def split_file(path: str) -> tuple[tuple[str, ...], str]:
    """The folder's segments and the name of a file's logical path.

    Raises: PathError, for the root too.
    """
    parts = split_path(path)
    if not parts:
        raise PathError("the root is a folder", got=path, expected="a file's path")
    return parts[:-1], parts[-1]


def sizes_by_folder(files: Iterable[tuple[str, int]]) -> dict[str, dict[str, int]]:
    """Expected bytes by folder and name, of (path, bytes) pairs: a folder is then opened once for all its files.

    Raises: PathError for a path that ``split_file`` refuses.
    """
    folders: dict[str, dict[str, int]] = {}
    for path, size in files:
        if not _PATH.fullmatch(path):
            split_file(path)  # says what is wrong with it
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder or "/", {})[name] = size
    return folders


def check_size(path: str, found: int | None, expected: int) -> None:
    """Raises: StoreUnavailable unless the file is there with the bytes that its writer told of."""
    if found != expected:
        raise StoreUnavailable(
            "a written file is gone or changed",
            where=path,
            got="nothing" if found is None else f"{found} bytes",
            expected=f"{expected} bytes",
        )


def check_deletable(paths: Iterable[str]) -> tuple[str, ...]:
    """``paths`` if none is a control file: the log of a run or a table is its history and outlives its data.

    Raises: PathError.
    """
    checked = tuple(paths)
    for path in checked:
        if {LOG_FOLDER, TABLE_LOG} & set(split_path(path)):
            raise PathError("control files are never deleted", got=path, next_step="delete data files only")
    return checked
