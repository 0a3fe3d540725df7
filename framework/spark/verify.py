"""Whether written rows keep their checks, before anybody can read them.

Footers first, the dictionaries of text columns, and the key columns of small outputs, which cost Spark nothing; one
aggregate over the private files for what those cannot prove; counts per rule, and keys of a few rows, only when
something broke.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from framework.datafile import DataFile
from framework.errors import CheckFailed, InputChanged, InputCorrupt, StoreUnavailable, clip
from framework.schema.samples import broken_line
from framework.schema.spec import Check, SchemaSpec
from framework.spark.columns import struct_type
from framework.spark.files import reading
from framework.spark.footers import Footers, prove, read_footers
from framework.spark.keys import unique_by_reading
from framework.spark.measure import measure, sample_keys
from framework.spark.values import kept_by_values
from framework.spark.write import WriteFacts, recount_drops

_KEY: Final = "key"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """``rows`` per file in the order of the files. Counts are rows by full check name, zeros included.

    ``violations`` of a ``drop`` check are the rows that were left out. ``samples`` holds keys, never whole rows.
    ``proven`` are the checks that were settled without Spark: by footers, dictionaries, or key columns. ``footers`` are
    pyarrow's metadata of the files, in order, where files were looked at.
    """

    rows: tuple[int, ...]
    violations: Mapping[str, int]
    dropped: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    proven: tuple[str, ...] = ()
    footers: tuple[Any, ...] = field(default=(), repr=False, compare=False)


def verify_output(
    spark: SparkSession,
    files: Sequence[DataFile],
    spec: SchemaSpec,
    *,
    output: str,
    observed: WriteFacts,
    where: str = "",
) -> CheckReport:
    """Measure the written ``files`` of ``output`` against ``spec``.

    The rows that count are those in the files' footers: where the write pass counted others (Spark 4.2 counts a stage
    twice that it had to compute again), what was dropped is counted once more.

    Raises: CheckFailed naming each broken check of policy ``fail``, with counts and up to five keys of such rows;
    StoreUnavailable for a file that is not as it was written.
    """
    where = where or f"output {output}"
    with _just_written(where):
        footers = read_footers(files)
        asked = [check for check in spec.checks if check.policy != "drop"]
        proven = _proven(asked, spec, footers)
        proven |= kept_by_values([check for check in asked if check.name not in proven], spec, files, footers)
        if _KEY in {check.name for check in asked} - proven and unique_by_reading(spec, files, footers):
            proven.add(_KEY)
    dropped = dict(observed.dropped)
    if sum(footers.rows) != observed.rows and dropped:
        dropped = recount_drops(observed, spec, output=output)
    open_checks = [check for check in asked if check.name not in proven]
    frame = written_frame(spark, [file.uri for file in files], spec)
    with _just_written(where), reading(files, where=where):
        _, measured = measure(frame, open_checks, spec) if open_checks else (0, {})
        counts = dict.fromkeys(proven, 0) | measured
        report = CheckReport(
            footers.rows,
            {f"{output}.{check.name}": counts[check.name] for check in asked} | dropped,
            dropped=dropped,
            proven=tuple(f"{output}.{check.name}" for check in asked if check.name in proven),
            footers=footers.files,
        )
        return judge(report, frame, spec, prefix=output, where=where)


def written_frame(spark: SparkSession, uris: Sequence[str], spec: SchemaSpec) -> DataFrame:
    """Exactly the files ``uris``, with the types of ``spec`` and everything nullable."""
    if not uris:
        return spark.createDataFrame([], struct_type(spec))
    return spark.read.schema(struct_type(spec)).parquet(*uris)


def judge(report: CheckReport, frame: DataFrame, spec: SchemaSpec, *, prefix: str, where: str) -> CheckReport:
    """``report`` with keys of rows that break checks. Raises: CheckFailed when one of them is to fail."""
    broken = [c for c in spec.checks if c.policy != "drop" and report.violations.get(f"{prefix}.{c.name}")]
    if not broken:
        return report
    keys = {f"{prefix}.{check}": sample for check, sample in sample_keys(frame, broken, spec).items()}
    report = replace(report, samples=keys)
    failed = {f"{prefix}.{c.name}": report.violations[f"{prefix}.{c.name}"] for c in broken if c.policy == "fail"}
    if failed:
        raise failure(failed, report, where=where)
    return report


def failure(failed: Mapping[str, int], report: CheckReport, *, where: str) -> CheckFailed:
    return CheckFailed(
        f"{len(failed)} check(s) broken among {sum(report.rows)} rows; nothing was published",
        failed=dict(failed),
        where=where,
        details=[broken_line(check, count, report.samples.get(check, ())) for check, count in failed.items()],
        next_step="mend the rows in transform, or say what may happen to them: Drop(...), Warn(...), `| None`",
    )


def _proven(checks: Sequence[Check], spec: SchemaSpec, footers: Footers) -> set[str]:
    """The names of the checks that the footers settle."""
    return {
        check.name
        for check in checks
        if sum(footers.rows) == 0
        or (check.column is not None and prove(check, spec.column(check.column), footers) == "kept")
    }


@contextmanager
def _just_written(where: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, InputCorrupt, InputChanged) as error:
        raise StoreUnavailable(
            "a file that was just written cannot be read",
            where=where,
            details=getattr(error, "details", None) or [clip(str(error))],
            next_step="run again; if it stays so, the store loses what it is given",
        ) from error
