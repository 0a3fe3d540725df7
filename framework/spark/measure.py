"""How many rows break which check, counted by Spark: first whether any does, in one cheap pass; details only then."""

from collections.abc import Iterable, Sequence
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from framework.schema.conditions import condition, name
from framework.schema.samples import SAMPLED_CHECKS, SAMPLES, key_text
from framework.schema.shapes import Constraint
from framework.schema.spec import Check, SchemaSpec

BITS: Final = 62
"""How many verdicts fit into one bigint, its sign left alone."""

_MARK: Final = "_teamspark_mark"


def broken(check: Check, spec: SchemaSpec) -> str:
    """A SQL condition that is true for rows that break ``check`` and false for all others, never null."""
    if check.kind == "null":
        return f"{name(_column(check))} IS NULL"
    if check.kind == "sql":
        # The line break ends a comment that the author may have put behind the condition.
        return f"(({check.argument}\n) <=> false)"
    column = spec.column(_column(check))
    return f"({condition(Constraint(check.kind, check.argument), column.type, name(column.name))} <=> false)"


def _column(check: Check) -> str:
    assert check.column is not None, check
    return check.column


def bits(checks: Sequence[Check], spec: SchemaSpec) -> Column:
    """A number with one bit for each of at most 62 ``checks``: set where the row breaks it."""
    return F.expr(" | ".join(f"if({broken(check, spec)}, {1 << i}L, 0L)" for i, check in enumerate(checks)))


def without_broken(frame: DataFrame, checks: Sequence[Check], spec: SchemaSpec) -> DataFrame:
    """``frame`` without the rows that break any of ``checks``."""
    kept = frame
    for start in range(0, len(checks), BITS):
        kept = kept.withColumn(_MARK, bits(checks[start : start + BITS], spec)).where(f"{_MARK} = 0").drop(_MARK)
    return kept


def any_broken(checks: Iterable[Check], spec: SchemaSpec) -> str:
    """A SQL condition that is true for rows that break any of ``checks``."""
    return " OR ".join(broken(check, spec) for check in checks) or "false"


def count_broken(frame: DataFrame, checks: Sequence[Check], spec: SchemaSpec) -> dict[str, int]:
    """Rows of ``frame`` that break each of ``checks``, by the check's name; the key check is not one of them."""
    if not checks:
        return {}
    sums = [F.count_if(F.expr(broken(check, spec))).alias(f"c{i}") for i, check in enumerate(checks)]
    (row,) = frame.agg(*sums).collect()
    return {check.name: int(row[i]) for i, check in enumerate(checks)}


def measure(frame: DataFrame, checks: Sequence[Check], spec: SchemaSpec) -> tuple[int, dict[str, int]]:
    """The rows of ``frame``, and how many break each check; for the key, the rows beyond the first of each key.

    One pass tells whether any row breaks any; the counts are a second one that clean data never needs.
    """
    counts = dict.fromkeys((check.name for check in checks), 0)
    by_row = [check for check in checks if check.kind != "key"]
    (seen,) = frame.agg(F.count(F.lit(1)), F.count_if(F.expr(any_broken(by_row, spec)))).collect()
    if seen[1]:
        counts |= count_broken(frame, by_row, spec)
    if len(by_row) < len(checks):
        counts["key"] = _repeated(frame, spec.key)
    return int(seen[0]), counts


def _groups(frame: DataFrame, key: Sequence[str]) -> DataFrame:
    return frame.groupBy(*key).agg(F.count(F.lit(1)).alias("_rows")).where("_rows > 1")


def _repeated(frame: DataFrame, key: Sequence[str]) -> int:
    (row,) = _groups(frame, key).agg(F.sum(F.col("_rows") - 1)).collect()
    return int(row[0] or 0)


def sample_keys(frame: DataFrame, checks: Sequence[Check], spec: SchemaSpec) -> dict[str, tuple[str, ...]]:
    """Up to five keys of rows that break each of ``checks``, as text; nothing without a key, and never whole rows."""
    if not spec.key:
        return {}
    return {check.name: _keys(frame, check, spec) for check in checks[:SAMPLED_CHECKS]}


def _keys(frame: DataFrame, check: Check, spec: SchemaSpec) -> tuple[str, ...]:
    if check.kind == "key":
        rows = _groups(frame, spec.key)
    else:
        rows = frame.where(F.expr(broken(check, spec))).select(*spec.key)
    return tuple(key_text(row.asDict(), spec.key) for row in rows.limit(SAMPLES).collect())
