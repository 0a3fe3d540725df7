"""What a reader gets of a table: one version, the files of the runs that it may see, and no later look at either."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from framework.datafile import DataFile
from framework.identity import TaskKey
from framework.schema.spec import SchemaSpec
from framework.storage.base import Store
from framework.storage.paths import table_path
from framework.tables.actions import AddFile
from framework.tables.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Span:
    """Which runs a reader sees: up to ``moment`` (None: all), and without the run ``but``, the reader's own."""

    moment: datetime | None = None
    but: str | None = None


@dataclass(frozen=True, slots=True)
class PinnedTable:
    """A table at one version. ``files``: of the runs ``span``."""

    task: TaskKey
    output: str
    snapshot: Snapshot
    files: tuple[AddFile, ...]
    span: Span

    @property
    def path(self) -> str:
        return table_path(self.task, self.output)

    @property
    def schema(self) -> SchemaSpec:
        return self.snapshot.spec(self.output)

    @property
    def rows(self) -> int:
        return sum(file.rows or 0 for file in self.files)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    def data_files(self, store: Store) -> tuple[DataFile, ...]:
        """For Spark and for pyarrow, with what the table's log says of them."""
        below = self.path
        return tuple(
            DataFile(store.uri(path), file.bytes, file.rows, partial(store.readable, path))
            for file in self.files
            for path in (f"{below}/{file.path}",)
        )


def pinned(task: TaskKey, output: str, snapshot: Snapshot, span: Span) -> PinnedTable:
    """``snapshot`` as a reader who sees the runs ``span`` gets it."""
    files = tuple(file for file in snapshot.up_to(span.moment) if file.run != span.but)
    return PinnedTable(task, output, snapshot, files, span)
