"""What the protocol hands out: an attempt to write, a published attempt to read, and the listing of either's files."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

from framework.datafile import DataFile
from framework.errors import InputCorrupt
from framework.identity import RunKey
from framework.manifest import Claim, FileEntry, Manifest, OutputEntry, digest_of, parse_record
from framework.storage.base import Store
from framework.storage.paths import run_path, table_path, table_share

# Of a path behind its folder: a marker, a checksum or a committer's leftover, or something in a folder of those.
_NO_DATA: Final = re.compile(r"/[_.]")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A claimed number: the right to write below ``directory``, which no other attempt ever has."""

    key: RunKey
    number: int
    claim: Claim

    @property
    def token(self) -> str:
        return self.claim.token

    @property
    def directory(self) -> str:
        """``/team/dag/task/run/a0001-<8 hex of the token>``, a logical path."""
        return attempt_directory(self.key, self.number, self.token)

    def output_dir(self, name: str = "default", *, table: bool = False) -> str:
        """Where its output ``name`` is written; a ``table``'s is below the table."""
        return table_directory(self.key, self.number, self.token, name) if table else f"{self.directory}/{name}"


@dataclass(frozen=True, slots=True)
class Published:
    """A published attempt: its manifest, and the sha256 that pins it."""

    key: RunKey
    number: int
    manifest: Manifest
    digest: str

    @classmethod
    def of(cls, manifest: Manifest, data: bytes) -> Self:
        """``data``: the bytes that stand in the slot, of which ``manifest`` is the record."""
        return cls(manifest.key, manifest.attempt, manifest, digest_of(data))

    @property
    def directory(self) -> str:
        return attempt_directory(self.key, self.number, self.manifest.token)

    def output_dir(self, name: str = "default") -> str:
        """Raises: KeyError."""
        if self.output(name).table:
            return table_directory(self.key, self.number, self.manifest.token, name)
        return f"{self.directory}/{name}"

    def output(self, name: str = "default") -> OutputEntry:
        """Raises: KeyError."""
        return self.manifest.output(name)

    def files(self, output: str = "default") -> tuple[FileEntry, ...]:
        """The output's data files; where they are is what ``paths`` says. Raises: KeyError."""
        return self.output(output).files

    def paths(self, output: str = "default") -> tuple[str, ...]:
        """The logical paths of the output's data files. Raises: KeyError, InputCorrupt."""
        return paths_below(self.output_dir(output), output, self.files(output))


def attempt_directory(key: RunKey, number: int, token: str) -> str:
    """The logical path of an attempt's data. With the token in it a name is never used twice."""
    return f"{run_path(key)}/{attempt_folder(number, token)}"


def table_directory(key: RunKey, number: int, token: str, output: str) -> str:
    """The logical path of what an attempt writes for a table: below the table, so that its log names relative paths."""
    return f"{table_path(key.task, output)}/{table_share(key)}/{attempt_folder(number, token)}"


def attempt_folder(number: int, token: str) -> str:
    return f"a{number:04d}-{token[:8]}"


def paths_below(folder: str, output: str, files: Iterable[FileEntry]) -> tuple[str, ...]:
    """The logical paths of an output's ``files``, whose own paths begin with its name, when it lies in ``folder``.

    Raises: InputCorrupt.
    """
    start, inside = len(output), f"{output}/"
    found = []
    for file in files:
        if not file.path.startswith(inside):
            raise InputCorrupt("a manifest names a file outside its output", where=folder, got=file.path)
        found.append(f"{folder}{file.path[start:]}")
    return tuple(found)


def parse_published(data: bytes, key: RunKey, number: int) -> Published | None:
    """The published attempt in the bytes of a publish slot of ``key``; None for a tombstone.

    A manifest that names another run or number is refused: its files would be looked for elsewhere.

    Raises: InputCorrupt.
    """
    where = f"{key} attempt {number}"
    record = parse_record(data, where=where)
    if record.kind == "tombstone":
        return None
    if record.kind == "manifest" and (record.key, record.attempt) == (key, number):
        return Published.of(record, data)
    got = f"manifest of {record.key} attempt {record.attempt}" if record.kind == "manifest" else record.kind
    raise InputCorrupt("a publish slot holds a record that does not belong there", where=where, got=got)


def list_attempt(
    store: Store, attempt: Attempt, output: str = "default", *, table: bool = False
) -> tuple[FileEntry, ...]:
    """The data files an attempt has written for ``output``, without rows, sorted by path.

    Names that begin with ``_`` or ``.`` are markers, checksums and leftovers of committers, never data.
    A listing may lag: whoever publishes compares the rows in these files with the rows that were written.
    """
    folder = attempt.output_dir(output, table=table)
    return tuple(
        FileEntry(path=f"{output}{entry.path[len(folder) :]}", bytes=entry.bytes)
        for entry in store.list(folder)
        if not _NO_DATA.search(entry.path, len(folder))
    )


def stored_file(store: Store, path: str, entry: FileEntry) -> DataFile:
    """The file ``path`` of ``store`` for Spark and for pyarrow, with what is recorded of it."""
    return DataFile(store.uri(path), entry.bytes, entry.rows, partial(store.readable, path))


def published_files(store: Store, published: Published, output: str = "default") -> tuple[DataFile, ...]:
    """The data files of a published output. Raises: KeyError."""
    entries = zip(published.paths(output), published.files(output), strict=True)
    return tuple(stored_file(store, path, entry) for path, entry in entries)


def check_files(store: Store, published: Published, output: str = "default") -> None:
    """That every file of a published output is there with the size its manifest says: one listing.

    A file the listing lacks is looked up by name, because listings lag.

    Raises: InputCorrupt naming the files; KeyError.
    """
    listed = {entry.path: entry.bytes for entry in store.list(published.output_dir(output))}
    wrong = []
    for file, path in zip(published.files(output), published.paths(output), strict=True):
        size = listed.get(path)
        if size is None:
            found = store.stat(path)
            size = None if found is None else found.bytes
        if size != file.bytes:
            wrong.append(f"{path}: {'gone' if size is None else f'{size} bytes'}, expected {file.bytes} bytes")
    if wrong:
        raise InputCorrupt(
            "published files are not what their manifest says",
            where=f"{published.key} attempt {published.number}",
            details=wrong,
            next_step="run the producer again: it publishes a new attempt",
        )
