"""What a program left becomes the manifest's entries, and the files that are brought to where the attempt is.

What reads Parquet is imported only for outputs that are rows: a step that has none of them starts in two thirds of the time.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from framework.container.found import Left, left_in, left_out, nothing
from framework.datafile import DataFile, mapped, readable
from framework.job import JobContract, OutputPort
from framework.manifest import FileEntry, OutputEntry
from framework.masking import visible
from framework.runner.laying import digest_of
from framework.storage.attempts import Attempt, list_attempt, paths_below, stored_file
from framework.storage.base import Store
from framework.storage.carrying import Move

_CHUNK_BYTES: Final = 1 << 20
_TOLD: Final = 5


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
        entries = files_entries(port, left)
        digests = tuple(digest_of(one.path) for one in left)
        return Ready(entry_of(port, entries, digests=digests), left, tuple(_told_of(port, left_out(folder))))
    from framework.container.rows import rows_here

    return rows_here(port, left, aside, where=where)


def _told_of(port: OutputPort, names: Sequence[str]) -> Iterator[str]:
    if names:
        few = ", ".join(visible(name) for name in names[:_TOLD])
        yield f"{port.name}: {len(names)} name(s) left out, since they begin with _ or . as markers do: {few}"


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
        return Ready(entry_of(port, entries, digests=tuple(mapped(_digest, files))))
    from framework.container.rows import rows_there

    return rows_there(port, entries, files, where=where)


def files_entries(port: OutputPort, files: Sequence[Left]) -> tuple[FileEntry, ...]:
    """As the manifest tells of ``files``, their rows uncounted."""
    return tuple(FileEntry(path=f"{port.name}/{one.name}", bytes=one.bytes) for one in files)


def entry_of(
    port: OutputPort,
    files: Sequence[FileEntry],
    *,
    broken: Mapping[str, int] | None = None,
    digests: tuple[str, ...] = (),
) -> OutputEntry:
    """What the manifest tells of the output. ``broken``: rows that break each check; ``digests``: of files that nobody types."""
    return OutputEntry(
        name=port.name,
        schema_=port.schema.to_json(),
        rows=sum(file.rows or 0 for file in files),
        bytes=sum(file.bytes for file in files),
        files=tuple(files),
        checks=dict(broken or {}),
        keep=port.keep,
        untyped=port.files,
        digests=digests,
    )


def _digest(file: DataFile) -> str:
    opened: Any = readable(file)
    if isinstance(opened, Path):
        return digest_of(opened)
    digest = hashlib.sha256()
    while chunk := opened.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _where(port: OutputPort, contract: JobContract) -> str:
    return f"{contract.job} output '{port.name}'"
