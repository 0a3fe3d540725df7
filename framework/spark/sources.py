"""Reading a declared source: files from outside that nobody has checked before.

Columns are found by name, never by position. What cannot be read as declared is counted as the check ``parse``; every
other check of the schema is measured here too, because no manifest vouches for these rows.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from pyspark.sql import DataFrame, SparkSession

from framework.errors import CheckFailed, ConfigError
from framework.schema.conditions import name
from framework.schema.spec import Check, SchemaSpec
from framework.spark.columns import verify_rules
from framework.spark.files import check_files, reading
from framework.spark.formats import CORRUPT, READERS, SourceFiles
from framework.spark.landed import PLACES, landing, unparsed
from framework.spark.measure import broken, measure, without_broken
from framework.spark.verify import CheckReport, judge

BadRows: TypeAlias = Literal["fail", "drop", "warn"]

PARSE: Final = "parse"
# What the framework decides: with another value columns would be guessed, or bad rows vanish without a count.
_OURS: Final = frozenset(
    {
        "header", "inferschema", "enforceschema", "mode", "columnnameofcorruptrecord", "columnpruning", "schema",
        "path", "basepath", "pathglobfilter", "recursivefilelookup", "mergeschema", "ignorecorruptfiles",
        "ignoremissingfiles", "primitivesasstring", "singlevariantcolumn",
    }
)  # fmt: skip

_KEPT_BYTES: Final = 2**30
"""Beyond so many bytes of text files the rows are parsed at each use: they might not fit beside the job's own."""


@dataclass(frozen=True, slots=True)
class SourceRead(SourceFiles):
    """What is read and how; ``on_bad`` is for rows that cannot be parsed."""

    on_bad: BadRows = "fail"


@dataclass(frozen=True, slots=True)
class SourceRows:
    """The rows to work with, what was measured about all that were there, and when: seconds since the epoch."""

    frame: DataFrame
    report: CheckReport
    read_at: float = field(default_factory=time.time)


def read_source(spark: SparkSession, source: SourceRead, spec: SchemaSpec, *, port: str, where: str) -> SourceRows:
    """The rows of ``source`` as ``spec``, measured.

    Rows of text files are kept once they are parsed, unless there are very many: each use reads those again, as it
    does Parquet. Whoever runs the job drops what was kept.

    Check names start with ``port``. Raises: ConfigError for an option that is not the author's; SchemaMismatch for a
    declared column that is not there; CheckFailed; InputChanged and InputCorrupt naming the file.
    """
    _require_own_options(source, where)
    with landing(source.files, source.options, where=where), reading(source.files, where=where):
        check_files(source.files, where=where)
        frame, more = READERS[source.format](spark, source, spec, where)
        verify_rules(frame, spec, where=where)
        if source.format != "parquet" and sum(file.bytes or 0 for file in source.files) <= _KEPT_BYTES:
            # Text is slow to parse, and what was measured is then also what is used, however often it is used.
            frame = frame.persist()
        ruled = _ruled(spec, source.on_bad, more)
        try:
            return _measured(frame, ruled, port=port, where=where)
        except CheckFailed as error:
            raise unparsed(error, f"{port}.{PARSE}", _bad(frame, ruled), source.files, source.options) from error


def read_parsed(frame: DataFrame, spec: SchemaSpec, *, port: str, where: str) -> SourceRows:
    """Rows that have their types already, in a frame of the declared columns and ``CORRUPT``: kept and measured.

    Raises: CheckFailed, ConfigError for a rule that cannot be asked of them.
    """
    verify_rules(frame, spec, where=where)
    return _measured(frame.persist(), _ruled(spec, "fail", ()), port=port, where=where)


def _ruled(spec: SchemaSpec, on_bad: BadRows, more: Iterable[Check]) -> SchemaSpec:
    parse = Check(PARSE, None, "sql", _parsed(spec), on_bad)
    return replace(spec, rules=(parse, *more, *spec.rules))


def _bad(frame: DataFrame, spec: SchemaSpec) -> Iterator[str | None]:
    """A few of the rows that could not be parsed, as they stand in the files."""
    (parse,) = (check for check in spec.rules if check.name == PARSE)
    for row in frame.where(broken(parse, spec)).select(CORRUPT).limit(PLACES).collect():
        yield row[0]


def _parsed(spec: SchemaSpec) -> str:
    """The condition that a row could be parsed: all of it.

    Spark converts only the columns that a query needs, and calls a row parsed when those were. The sum, which is never
    negative, needs them all; the optimizer does not see that it decides nothing.
    """
    nulls = " + ".join(f"if({name(column)} IS NULL, 1, 0)" for column in spec.names)
    return f"{CORRUPT} IS NULL AND {nulls} >= 0"


def _require_own_options(source: SourceRead, where: str) -> None:
    taken = sorted(option for option in source.options if option.lower() in _OURS)
    if taken:
        raise ConfigError(
            f"option(s) of a {source.format} source that the framework sets itself: {', '.join(taken)}",
            where=where,
            expected="names from the header, the job's types, bad rows by on_bad",
            next_step="take them out of sources.yaml",
        )


def _measured(frame: DataFrame, spec: SchemaSpec, *, port: str, where: str) -> SourceRows:
    """Clean files take one pass. Else rows that go, or cannot be parsed, come first: what they break besides is no news."""
    rows, counts = measure(frame, spec.checks, spec)
    first = [check for check in spec.checks if check.policy == "drop" or (check.name, check.policy) == (PARSE, "fail")]
    kept = without_broken(frame, [check for check in first if counts[check.name]], spec)
    if kept is not frame:
        _, others = measure(kept, [check for check in spec.checks if check not in first], spec)
        counts |= others
    report = CheckReport(
        (rows,),
        {f"{port}.{check}": count for check, count in counts.items()},
        dropped={f"{port}.{check.name}": counts[check.name] for check in first if check.policy == "drop"},
    )
    report = judge(report, kept, spec, prefix=port, where=where)
    return SourceRows(kept.select(*spec.names), report)
