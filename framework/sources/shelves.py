"""Where files of a source lie: a directory of this machine, or a bucket. The same questions, the same answers."""

import fnmatch
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from framework.datafile import DataFile, Readable
from framework.errors import ConfigError, SetupError
from framework.storage.base import Access

if TYPE_CHECKING:
    from framework.storage.s3objects import Found, Objects

_WILD: Final = re.compile(r"[*?\[]")
_HIDDEN: Final = ("_", ".")
_S3: Final = "s3://"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was when the run was planned.

    ``uri``: as Spark opens it. ``modified_ns``: nanoseconds since the epoch, by the clock of where it lies.
    ``version``: the server's mark of the content, where there is one: a bucket's ETag.
    """

    uri: str
    bytes: int
    modified_ns: int
    version: str | None = None

    @property
    def place(self) -> str:
        """As people say it, and as team files permit it: a path, or ``s3://bucket/key``."""
        return self.uri.removeprefix("file://").replace("s3a://", _S3, 1)


class Shelf(Protocol):
    """Files of a source. Raises everywhere: StoreUnavailable, SetupError."""

    def find(self) -> tuple[SourceFile, ...]:
        """The files that are there now, by name."""

    def again(self, file: SourceFile) -> SourceFile | None:
        """The same file as it is now; None when it is gone."""

    def data(self, file: SourceFile) -> DataFile:
        """The file for Spark, and for pyarrow."""


@dataclass(frozen=True, slots=True)
class Directory:
    """``pattern``: a file, a glob in its last part, or a folder."""

    pattern: Path

    def find(self) -> tuple[SourceFile, ...]:
        pattern = self.pattern / "*" if self.pattern.is_dir() else self.pattern
        paths = sorted(path.resolve() for path in pattern.parent.glob(pattern.name) if path.is_file())
        named = (path for path in paths if _meant(path.name, pattern.name))
        return tuple(file for path in named if (file := _stat(path)))

    def again(self, file: SourceFile) -> SourceFile | None:
        return _stat(Path(file.place))

    def data(self, file: SourceFile) -> DataFile:
        return DataFile(file.uri, file.bytes)


@dataclass(frozen=True, slots=True)
class BucketShelf:
    """``key``: an object, a glob in its last part, or a folder; with ``/`` at its end it can only be a folder."""

    bucket: str
    key: str
    objects: "Objects" = field(repr=False)

    def find(self) -> tuple[SourceFile, ...]:
        folder, slash, name = self.key.rpartition("/")
        if name and not _WILD.search(name):
            one = self.objects.head(self.key)
            if one is not None:
                return (self._file(one),)
            folder, slash, name = self.key, "/", ""
        known = _WILD.split(name)[0]
        found = self.objects.directly_below(f"{folder}{slash}{known}")
        return tuple(self._file(one) for one in found if fits(one.key.rpartition("/")[2], name or "*"))

    def again(self, file: SourceFile) -> SourceFile | None:
        found = self.objects.head(self._key(file))
        return None if found is None else self._file(found)

    def data(self, file: SourceFile) -> DataFile:
        key = self._key(file)

        def opened() -> Readable:
            return self.objects.readable(key)

        return DataFile(file.uri, file.bytes, opener=opened)

    def _key(self, file: SourceFile) -> str:
        return file.uri.removeprefix(f"s3a://{self.bucket}/")

    def _file(self, found: "Found") -> SourceFile:
        seconds = int(found.modified)  # all that the answer to a single question tells
        return SourceFile(f"s3a://{self.bucket}/{found.key}", found.bytes, seconds * 10**9, version=found.etag)


def bucket_shelf(place: str, access: Access) -> BucketShelf:
    """The shelf that ``place`` (``s3://bucket/key``) names. Raises: ConfigError, SetupError."""
    bucket, _, key = place.removeprefix(_S3).partition("/")
    _require_plain(place, key)
    try:
        from framework.storage.s3client import Bucket  # only now: nobody else pays for boto3
        from framework.storage.s3objects import Objects
    except ModuleNotFoundError as error:
        raise SetupError(
            "a source in a bucket needs boto3",
            where=place,
            got=str(error),
            next_step="run this where jobs run, or install teamspark[jobs]",
        ) from error
    return BucketShelf(bucket, key, Objects(Bucket(bucket, "", access.endpoint, access.region)))


def _require_plain(place: str, key: str) -> None:
    """Hadoop takes ``a/../b`` for ``b``: what was permitted by one name would be read by another.

    Raises: ConfigError.
    """
    folder, _, name = key.rpartition("/")
    parts = [*(folder.split("/") if folder else ()), *([name] if name else ())]
    if not key or any(part in ("", ".", "..") for part in parts) or _WILD.search(folder):
        raise ConfigError(
            "not a place in a bucket",
            got=place,
            expected="s3://<bucket>/<folders>/<name>, no part empty, '.' or '..', a pattern in the last one only",
            next_step="correct 'uri' in sources.yaml",
        )


def fits(name: str, pattern: str) -> bool:
    return name not in ("", ".", "..") and fnmatch.fnmatchcase(name, pattern) and _meant(name, pattern)


def _meant(name: str, pattern: str) -> bool:
    """Markers and half-written files begin with ``_`` or ``.``, and Spark reads none; a pattern may spell it."""
    return not name.startswith(_HIDDEN) or pattern.startswith(_HIDDEN)


def _stat(path: Path) -> SourceFile | None:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return SourceFile(f"file://{path}", facts.st_size, facts.st_mtime_ns)
