"""Whether the rows of typed files keep their schema's checks: from the footers where those prove it, else by reading the columns
that are asked about, a row group at a time. No JVM.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic_core import SchemaValidator, ValidationError, core_schema

from framework.datafile import File, readable
from framework.errors import CheckFailed
from framework.schema.constraints import type_family
from framework.schema.spec import Check, SchemaSpec
from framework.spark.footers import Footers, prove, read_footers

_UNKNOWN: Final = frozenset({"sql"})
_NEXT: Final = "mend the rows in the program, or say in the schema what may happen to them: Warn(...), `| None`"


@dataclass(frozen=True, slots=True)
class Kept:
    """``rows`` of each file, in order. ``broken``: by check, rows that break it, zeros included; ``unasked``: checks that only
    Spark can measure.
    """

    rows: tuple[int, ...]
    broken: Mapping[str, int]
    unasked: tuple[str, ...] = ()

    def warnings(self) -> tuple[str, ...]:
        return (
            *(f"{name}: {count} row(s)" for name, count in self.broken.items() if count),
            *(f"{name}: not measured, a rule in SQL needs Spark" for name in self.unasked),
        )


def kept_by(files: Sequence[File], spec: SchemaSpec, *, output: str, where: str) -> Kept:
    """Measure ``files``, whose columns are those of ``spec``. Raises: CheckFailed with counts; OSError, pyarrow.ArrowException."""
    footers = read_footers(files)
    broken, asked = {}, []
    for check in spec.checks:
        if check.kind in _UNKNOWN:
            continue
        if _is_proven(check, spec, footers):
            broken[check.name] = 0
        else:
            asked.append(check)
    broken |= _measured(files, asked, spec)
    names = {check.name: f"{output}.{check.name}" for check in spec.checks}
    unasked = tuple(names[check.name] for check in spec.checks if check.kind in _UNKNOWN)
    kept = Kept(footers.rows, {names[c.name]: broken[c.name] for c in spec.checks if c.name in broken}, unasked)
    failed = {
        names[c.name]: broken[c.name] for c in spec.checks if c.policy != "warn" and broken.get(c.name)
    }  # fmt: skip
    if failed:
        raise CheckFailed(
            f"{len(failed)} check(s) broken among {sum(kept.rows)} rows; nothing was published",
            failed=failed, where=where, next_step=_NEXT,
            details=[f"{name}: {count} row(s)" for name, count in failed.items()],
        )  # fmt: skip
    return kept


def _is_proven(check: Check, spec: SchemaSpec, footers: Footers) -> bool:
    if sum(footers.rows) == 0:
        return True
    return check.column is not None and prove(check, spec.column(check.column), footers) == "kept"


def _measured(files: Sequence[File], checks: Sequence[Check], spec: SchemaSpec) -> dict[str, int]:
    """Rows that break each check."""
    single = [check for check in checks if check.column is not None]
    broken = dict.fromkeys((check.name for check in checks), 0)
    columns = sorted({str(check.column) for check in single})
    for file in files if single else ():
        with pq.ParquetFile(readable(file), page_checksum_verification=True) as parquet:
            for batch in parquet.iter_batches(columns=columns):
                for check in single:
                    kind = spec.column(str(check.column)).type
                    broken[check.name] += _breaking(batch.column(check.column), check, type_family(kind))
    for check in checks:
        if check.kind == "key":
            broken[check.name] = _repeated(files, check.argument)
    return broken


def _repeated(files: Sequence[File], key: Sequence[str]) -> int:
    """Rows whose key another row has, or that have none."""
    table = pa.concat_tables([pq.read_table(readable(file), columns=list(key), partitioning=None) for file in files])
    counts = table.group_by(list(key)).aggregate([([], "count_all")]).column("count_all")
    return int(pc.sum(pc.filter(counts, pc.greater(counts, 1))).as_py() or 0)


def _breaking(values: pa.Array, check: Check, family: str) -> int:
    """Values that break ``check``. A null breaks ``null`` only, NaN every bound."""
    if check.kind == "null":
        return int(values.null_count)
    if check.kind in _ORDERED:
        limit = pa.scalar(check.argument).cast(values.type) if family != "decimal" else pa.scalar(check.argument)
        return _false(_ORDERED[check.kind](values, limit))
    keeps = _keeper(check, family)
    if family in ("array", "map"):
        return sum(value is not None and not keeps(value) for value in values.to_pylist())
    distinct = pc.value_counts(values.drop_null())
    return sum(one["counts"].as_py() for one in distinct if not keeps(one["values"].as_py()))


_ORDERED: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "ge": pc.greater_equal,
    "gt": pc.greater,
    "le": pc.less_equal,
    "lt": pc.less,
}


def _false(found: Any) -> int:
    return int(pc.sum(pc.invert(found)).as_py() or 0)


def _keeper(check: Check, family: str) -> Callable[[Any], bool]:
    """A test of one value: by pydantic's engine where it is text."""
    argument = check.argument
    match check.kind:
        case "enum":
            return frozenset(argument).__contains__
        case "multiple_of":
            return lambda value: value % argument == 0
        case "min_length" if family != "string":
            return lambda value: len(value) >= argument
        case "max_length" if family != "string":
            return lambda value: len(value) <= argument
    validator = SchemaValidator(core_schema.str_schema(**{check.kind: argument}))

    def keeps(text: str) -> bool:
        try:
            validator.validate_python(text)
        except ValidationError:
            return False
        return True

    return keeps
