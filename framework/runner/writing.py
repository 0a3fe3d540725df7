"""Frames become the files of an attempt, and the files, once they are checked, become the manifest's entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework.errors import SchemaMismatch, StoreUnavailable
from framework.job import JobContract, OutputPort
from framework.manifest import FileEntry, OutputEntry, counted
from framework.spark.columns import verify_columns
from framework.spark.statistics import file_stats
from framework.spark.verify import CheckReport, verify_output
from framework.spark.write import WriteFacts, write_output
from framework.storage.attempts import paths_below, stored_file
from framework.storage.base import Store
from framework.storage.publish import Attempt, list_attempt

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def checked(frames: Mapping[str, "DataFrame"], contract: JobContract) -> dict[str, "DataFrame"]:
    """The outputs with exactly their declared columns. Raises: SchemaMismatch, for all outputs that differ."""
    exact: dict[str, DataFrame] = {}
    wrong: dict[str, SchemaMismatch] = {}
    for port in contract.outputs:
        try:
            exact[port.name] = verify_columns(frames[port.name], port.schema, where=_where(contract, port))
        except SchemaMismatch as error:
            wrong[port.name] = error
    if len(wrong) > 1:
        raise _together(wrong, contract)
    for only in wrong.values():
        raise only
    return exact


def _together(wrong: Mapping[str, SchemaMismatch], contract: JobContract) -> SchemaMismatch:
    """The mistakes of several outputs as one error that says of each what belongs to it."""
    names = [f"{name} ({port.schema.name})" for port in contract.outputs if (name := port.name) in wrong]
    return SchemaMismatch(
        f"the columns of outputs {', '.join(names)} are not those declared",
        where=contract.job,
        expected="; ".join(f"{name}: {error.expected}" for name, error in wrong.items()),
        details=[f"output '{name}', {line}" for name, error in wrong.items() for line in error.details],
        next_step="; ".join(f"output '{name}': {error.next_step}" for name, error in wrong.items()),
    )


def _where(contract: JobContract, port: OutputPort) -> str:
    return f"{contract.job} output '{port.name}'"


@dataclass(frozen=True)
class Writer:
    """Writes and checks the outputs of one attempt, which nobody else can see yet."""

    contract: JobContract
    store: Store
    attempt: Attempt

    def write(self, frames: Mapping[str, "DataFrame"]) -> dict[str, WriteFacts]:
        """Every output into its own folder. Raises: StoreUnavailable, and whatever Spark raises for the author."""
        return {
            port.name: write_output(
                frames[port.name], port.schema, self.store.uri(self._folder(port)), output=port.name
            )
            for port in self.contract.outputs
        }

    def verify(
        self, spark: "SparkSession", written: Mapping[str, WriteFacts]
    ) -> tuple[tuple[OutputEntry, ...], tuple[str, ...]]:
        """The manifest's entries, and a line for every check that only warns. Raises: CheckFailed."""
        entries: list[OutputEntry] = []
        warnings: list[str] = []
        for port in self.contract.outputs:
            files = list_attempt(self.store, self.attempt, port.name, table=port.table)
            paths = paths_below(self._folder(port), port.name, files)
            _require_all(files, written[port.name], where=_where(self.contract, port))
            report = verify_output(
                spark,
                [stored_file(self.store, path, file) for path, file in zip(paths, files, strict=True)],
                port.schema,
                output=port.name,
                observed=written[port.name],
                where=_where(self.contract, port),
            )
            entries.append(_entry(port, files, report))
            warnings += [f"{name}: {count} row(s)" for name, count in report.violations.items() if count]
        return tuple(entries), tuple(warnings)

    def _folder(self, port: OutputPort) -> str:
        return self.attempt.output_dir(port.name, table=port.table)


def _require_all(files: tuple[FileEntry, ...], written: WriteFacts, *, where: str) -> None:
    """Raises: StoreUnavailable when the listing does not show what the committer of an object store has completed."""
    listed = {file.path.rpartition("/")[2] for file in files}
    missing = sorted(written.committed.names - listed) if written.committed is not None else []
    if missing:
        raise StoreUnavailable(
            "the store does not list all that was written",
            where=where,
            got=f"{len(files)} file(s)",
            expected=f"{len(missing)} more that the committer names",
            details=missing,
            next_step="run again; if it stays so, the store's listings cannot be relied on",
        )


def _entry(port: OutputPort, files: tuple[FileEntry, ...], report: CheckReport) -> OutputEntry:
    return OutputEntry(
        name=port.name,
        schema_=port.schema.to_json(),
        rows=sum(report.rows),
        bytes=sum(file.bytes for file in files),
        files=counted(files, report.rows),
        checks=dict(report.violations),
        dropped=dict(report.dropped),
        keep=port.keep,
        table=port.table,
        stats=tuple(file_stats(footer, port.schema) for footer in report.footers) if port.table else (),
    )
