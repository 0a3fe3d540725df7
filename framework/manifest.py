"""The records of a run's log: claim, manifest, tombstone and retirement, as frozen, versioned JSON.

A manifest is what publishes an attempt; its sha256 is the attempt's digest. Bytes read from a store were written by
another process, perhaps another team: names and paths in them are checked here, before anybody joins them to a root.
"""

import json
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from framework.durations import is_duration
from framework.errors import InputCorrupt
from framework.identity import Epoch, RunKey

VERSION: Final = 1
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")

# Two segments or more, without a backslash or a control character, none of them `.` or `..`. A segment begins with no
# dot, or with one and something that is none, or with two and anything: one match a file, and there may be a thousand.
_SEGMENT: Final = r"(?:[^./\\\x00-\x1f\x7f]|\.[^./\\\x00-\x1f\x7f]|\.\.[^/\\\x00-\x1f\x7f])[^/\\\x00-\x1f\x7f]*"
_RELATIVE: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})+")


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or not name.isascii():
        raise ValueError("not an output's name")
    return name


def _check_relative(path: str) -> str:
    if not _RELATIVE.fullmatch(path):
        raise ValueError("not a path below the attempt's directory")
    return path


def _check_keep(text: str) -> str:
    if not is_duration(text):
        raise ValueError("not a duration in days or weeks")
    return text


Count = Annotated[int, Field(ge=0)]
OutputName = Annotated[str, AfterValidator(_check_name)]
Sha256 = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
Token = Annotated[str, Field(pattern=r"\A[0-9a-f]{32}\z")]


class _Record(BaseModel):
    # A reader of this version refuses what it does not know, rather than read half of it.
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = VERSION


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Claim(_Record):
    """An attempt's number, taken. ``who`` is for people: host, process, launcher."""

    kind: Literal["claim"] = "claim"
    token: Token
    key: RunKey
    epoch: Epoch
    clear_number: Count
    who: str


class FileEntry(_Part):
    """A data file: ``path`` is relative to the attempt's directory and begins with the output's name.

    ``rows`` is None while they have not been counted, and of files that nobody typed.
    """

    path: Annotated[str, AfterValidator(_check_relative)]
    bytes: Count
    rows: Count | None = None


def counted(files: Iterable[FileEntry], rows: Iterable[int]) -> tuple[FileEntry, ...]:
    """``files`` with their rows, in the same order.

    Raises: ValueError when there are more of the one than of the other, or a count is none (ValidationError).
    """
    return tuple(
        FileEntry(path=file.path, bytes=file.bytes, rows=number) for file, number in zip(files, rows, strict=True)
    )


class OutputEntry(_Part):
    """One published dataset. ``schema_`` is the producer's schema in JSON; ``checks`` counts violations, 0 included.

    ``keep``: how long it is kept once published (``P30D``); None: for good. ``table``: its files are this run's share of
    a table of many runs, and lie below that; ``stats`` is then Delta's JSON about each of them, in their order.
    ``untyped``: files without a schema, whose rows nobody counted; ``digests`` is then the sha256 of each, in their order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    name: OutputName
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    rows: Count
    bytes: Count
    files: tuple[FileEntry, ...]
    checks: dict[str, Count] = {}
    dropped: dict[str, Count] = {}
    keep: Annotated[str, AfterValidator(_check_keep)] | None = None
    table: bool = False
    stats: tuple[str, ...] = ()
    untyped: bool = False
    digests: tuple[Sha256, ...] = ()

    @model_validator(mode="after")
    def _of_each_file(self) -> Self:
        for name, told in (("statistics", self.stats), ("digests", self.digests)):
            if told and len(told) != len(self.files):
                raise ValueError(f"{name} of {len(told)} files, and {len(self.files)} files")
        if self.untyped and len(self.digests) != len(self.files):
            raise ValueError("files without a schema, and without their digests")
        return self


class ReadEntry(_Part):
    """A published dataset that was read: which attempt of which run path, by digest."""

    path: str
    attempt: Annotated[int, Field(ge=1)]
    digest: str
    output: OutputName = "default"
    rows: Count
    bytes: Count


class TableRead(_Part):
    """A table that was read, as it was at ``version``: rows of runs up to ``run``, of all runs when that is None.

    ``path``: the table's. ``table_id``: which table that was, should another have been made in its place.
    """

    path: str
    table_id: str
    version: Count
    run: str | None
    rows: Count
    bytes: Count


class SourceFile(_Part):
    """A file from outside that was read; ``modified`` in seconds since the epoch by its store's clock.

    ``version``: the store's mark of the content, where it has one: a bucket's ETag.
    """

    uri: str
    bytes: Count
    modified: float
    version: str | None = None


class QueryEntry(_Part):
    """A statement that a database answered: whose connection, the sha256 of its text, when (seconds since the epoch).

    Another time the same statement may be answered otherwise, and there is no way to ask again for what it was.
    """

    connection: str
    statement: str
    read_at: float


class InputEntry(_Part):
    """What one port was fed with: published runs, tables, a frozen listing of a source and its digest, a query, or rows of
    a fixture.

    A fixture is nobody's data: it has rows, and neither reads nor files. ``rows``: how many there were in the source
    or the fixture; None for runs and tables, whose reads say it, and where nobody counted.
    """

    port: str
    kind: Literal["run", "table", "source", "fixture"]
    reads: tuple[ReadEntry, ...] = ()
    tables: tuple[TableRead, ...] = ()
    files: tuple[SourceFile, ...] = ()
    query: QueryEntry | None = None
    digest: str | None = None
    rows: Count | None = None


class Manifest(_Record):
    """Publishes an attempt, all outputs at once."""

    kind: Literal["manifest"] = "manifest"
    key: RunKey
    attempt: Annotated[int, Field(ge=1)]
    token: Token
    epoch: Epoch
    clear_number: Count
    job: str
    contract: str
    code_digest: str | None = None
    parameters: dict[str, Any] = {}
    outputs: tuple[OutputEntry, ...]
    inputs: tuple[InputEntry, ...] = ()
    map_count: Count | None = None
    producer: dict[str, str] = {}

    def output(self, name: str = "default") -> OutputEntry:
        """The output of that name. Raises: KeyError."""
        for entry in self.outputs:
            if entry.name == name:
                return entry
        raise KeyError(name)


class Tombstone(_Record):
    """Stands in an attempt's publish slot so that the attempt can never be published."""

    kind: Literal["tombstone"] = "tombstone"
    token: Token
    who: str


class Retired(_Record):
    """A published attempt that readers no longer take, and whose data may go after the grace period."""

    kind: Literal["retired"] = "retired"
    token: Token
    who: str


Record = Claim | Manifest | Tombstone | Retired
_ANY: Final[TypeAdapter[Record]] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


def record_bytes(record: Record) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8, one final newline. Equal records have equal bytes."""
    plain = record.model_dump(mode="json")
    return (
        json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"
    ).encode()


def manifest_bytes(manifest: Manifest) -> bytes:
    """The bytes that publish ``manifest``."""
    return record_bytes(manifest)


def digest_of(data: bytes) -> str:
    """sha256 of a record's bytes, in hex: for a manifest, the attempt's digest."""
    return sha256(data).hexdigest()


def parse_record(data: bytes, *, where: str) -> Record:
    """The record that ``data`` holds.

    Raises: InputCorrupt when it is none, or was written by a version this one does not know.
    """
    try:
        return _ANY.validate_json(data)
    except ValidationError as error:
        raise InputCorrupt(
            "not a record of a run's log",
            where=where,
            details=[f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5]],
            expected=f"a claim, manifest, tombstone or retirement of version {VERSION}",
            next_step="upgrade teamspark if a newer one wrote it; else the producer must run again",
        ) from error
