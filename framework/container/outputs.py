"""What a program left becomes the manifest's entries, and the files that are brought to where the attempt is."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from framework.container.arrow import misfits
from framework.container.checks import Kept, kept_by
from framework.container.found import Left, left_in, nothing
from framework.container.typed import as_parquet, other_columns
from framework.datafile import DataFile, File, mapped, readable
from framework.errors import SchemaMismatch, clip
from framework.job import JobContract, OutputPort
from framework.manifest import FileEntry, OutputEntry, counted
from framework.runner.laying import digest_of
from framework.storage.attempts import Attempt, list_attempt, paths_below, stored_file
from framework.storage.base import Store
from framework.storage.carrying import Move

_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Ready:
    """One output that may be published. ``files``: those that are not where the attempt is yet. ``warnings``: for a person."""

    entry: OutputEntry
    files: tuple[Left, ...] = ()
    warnings: tuple[str, ...] = ()

    def moves(self, attempt: Attempt) -> tuple[Move, ...]:
        """Where its files go."""
        folder = attempt.output_dir(self.entry.name)
        return tuple(Move(f"{folder}/{one.name}", one.path, one.bytes) for one in self.files)


def ready_here(contract: JobContract, folders: Path, aside: Path) -> tuple[Ready, ...]:
    """Check every output in its folder below ``folders``; what is rewritten goes to ``aside``.

    Raises: SchemaMismatch, CheckFailed, StoreUnavailable, SetupError.
    """
    return tuple(_ready_here(port, folders / port.name, aside / port.name, contract) for port in contract.outputs)


def _ready_here(port: OutputPort, folder: Path, aside: Path, contract: JobContract) -> Ready:
    where = _where(port, contract)
    left = left_in(folder, output=port.name, where=where)
    if port.files:
        return Ready(_entry(port, _entries(port, left), digests=tuple(digest_of(one.path) for one in left)), left)
    files = as_parquet(left, port.schema, aside, output=port.name, where=where)
    kept = _kept([one.path for one in files], port, where)
    return Ready(_entry(port, counted(_entries(port, files), kept.rows), kept), files, kept.warnings())


def ready_there(contract: JobContract, store: Store, attempt: Attempt) -> tuple[Ready, ...]:
    """Check every output where the program has written it itself, below the attempt's own URIs. Typed ones are Parquet.

    Raises: SchemaMismatch, CheckFailed, StoreUnavailable, SetupError.
    """
    return tuple(_ready_there(port, store, attempt, contract) for port in contract.outputs)


def _ready_there(port: OutputPort, store: Store, attempt: Attempt, contract: JobContract) -> Ready:
    where, folder = _where(port, contract), attempt.output_dir(port.name)
    entries = list_attempt(store, attempt, port.name)
    if not entries:
        raise nothing(port.name, where=where, place=store.uri(folder))
    paths = paths_below(folder, port.name, entries)
    files = [stored_file(store, path, entry) for path, entry in zip(paths, entries, strict=True)]
    if port.files:
        return Ready(_entry(port, entries, digests=tuple(mapped(_digest, files))))
    with _read_back(port, where):
        schemas = mapped(lambda file: pq.read_schema(readable(file)), files)
    wrong = [
        f"{e.path}: {line}" for e, found in zip(entries, schemas, strict=True) for line in misfits(found, port.schema)
    ]
    if wrong:
        raise other_columns(port.schema, wrong, output=port.name, where=where)
    kept = _kept(files, port, where)
    return Ready(_entry(port, counted(entries, kept.rows), kept), (), kept.warnings())


def _kept(files: Sequence[File], port: OutputPort, where: str) -> Kept:
    with _read_back(port, where):
        return kept_by(files, port.schema, output=port.name, where=where)


@contextmanager
def _read_back(port: OutputPort, where: str) -> Iterator[None]:
    try:
        yield
    except pa.ArrowException as error:
        raise SchemaMismatch(
            f"output '{port.name}' holds a file that is no whole Parquet file", where=where, got=clip(str(error)),
            next_step="let the program close its files before it ends; where it writes by URI, files are Parquet",
        ) from error  # fmt: skip


def _digest(file: DataFile) -> str:
    opened: Any = readable(file)
    if isinstance(opened, Path):
        return digest_of(opened)
    digest = hashlib.sha256()
    while chunk := opened.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _entries(port: OutputPort, files: Sequence[Left]) -> tuple[FileEntry, ...]:
    return tuple(FileEntry(path=f"{port.name}/{one.name}", bytes=one.bytes) for one in files)


def _entry(
    port: OutputPort, files: Sequence[FileEntry], kept: Kept | None = None, *, digests: tuple[str, ...] = ()
) -> OutputEntry:
    return OutputEntry(
        name=port.name,
        schema_=port.schema.to_json(),
        rows=sum(file.rows or 0 for file in files),
        bytes=sum(file.bytes for file in files),
        files=tuple(files),
        checks={} if kept is None else dict(kept.broken),
        keep=port.keep,
        untyped=port.files,
        digests=digests,
    )


def _where(port: OutputPort, contract: JobContract) -> str:
    return f"{contract.job} output '{port.name}'"
