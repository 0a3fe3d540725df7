"""Outputs that are rows: Parquet with the declared columns, and what is declared of them checked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from framework.container.arrow import misfits
from framework.container.checks import Kept, kept_by
from framework.container.found import Left
from framework.container.outputs import Ready, entry_of, files_entries
from framework.container.typed import as_parquet, other_columns
from framework.datafile import DataFile, File, mapped, readable
from framework.errors import SchemaMismatch, clip
from framework.job import OutputPort
from framework.manifest import FileEntry, OutputEntry, counted


def rows_here(port: OutputPort, left: Sequence[Left], aside: Path, *, where: str) -> Ready:
    """Of files of this machine; what is rewritten goes to ``aside``. Raises: SchemaMismatch, CheckFailed, StoreUnavailable."""
    files = as_parquet(left, port.schema, aside, output=port.name, where=where)
    kept = _kept([one.path for one in files], port, where)
    return Ready(_entry(port, files_entries(port, files), kept), files, kept.warnings())


def rows_there(port: OutputPort, entries: Sequence[FileEntry], files: Sequence[DataFile], *, where: str) -> Ready:
    """Of ``files`` where they are. Raises: SchemaMismatch, CheckFailed, StoreUnavailable."""
    with _read_back(port, where):
        schemas = mapped(lambda file: pq.read_schema(readable(file)), files)
    wrong = [
        f"{e.path}: {line}" for e, found in zip(entries, schemas, strict=True) for line in misfits(found, port.schema)
    ]
    if wrong:
        raise other_columns(port.schema, wrong, output=port.name, where=where)
    kept = _kept(files, port, where)
    return Ready(_entry(port, entries, kept), (), kept.warnings())


def _entry(port: OutputPort, entries: Sequence[FileEntry], kept: Kept) -> OutputEntry:
    return entry_of(port, counted(entries, kept.rows), broken=kept.broken)


def _kept(files: Sequence[File], port: OutputPort, where: str) -> Kept:
    with _read_back(port, where):
        return kept_by(files, port.schema, output=port.name, where=where)


@contextmanager
def _read_back(port: OutputPort, where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the machine, not of the file's content
        raise SchemaMismatch(
            f"output '{port.name}' holds a file that is no whole Parquet file", where=where, got=clip(str(error)),
            next_step="let the program close its files before it ends; where it writes by URI, files are Parquet",
        ) from error  # fmt: skip
