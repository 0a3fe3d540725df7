"""Whether the rows of typed files keep their schema's checks: from the footers where those prove it, else by reading the columns
that are asked about, a row group at a time. No JVM.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic_core import SchemaValidator, ValidationError, core_schema

from framework.datafile import File, readable
from framework.errors import CheckFailed
from framework.schema.constraints import type_family
from framework.schema.samples import SAMPLED_CHECKS, SAMPLES, broken_line, key_text
from framework.schema.spec import Check, SchemaSpec
from framework.spark.footers import Footers, prove, read_footers

_COUNT: Final = "count_all"
_UNKNOWN: Final = frozenset({"sql"})
_NEXT: Final = "mend the rows in the program, or say in the schema what may happen to them: Warn(...), `| None`"


@dataclass(frozen=True, slots=True)
class Kept:
    """``rows`` of each file, in order. ``broken``: by check, rows that break it, zeros included; ``unasked``: checks that only
    Spark can measure. ``samples``: by check, keys of rows that break it.
    """

    rows: tuple[int, ...]
    broken: Mapping[str, int]
    unasked: tuple[str, ...] = ()
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def warnings(self) -> tuple[str, ...]:
        return (
            *(broken_line(name, count, self.samples.get(name, ())) for name, count in self.broken.items() if count),
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
    keys = sample_keys(files, [check for check in asked if broken[check.name]], spec)
    names = {check.name: f"{output}.{check.name}" for check in spec.checks}
    unasked = tuple(names[check.name] for check in spec.checks if check.kind in _UNKNOWN)
    samples = {names[name]: found for name, found in keys.items()}
    kept = Kept(
        footers.rows, {names[c.name]: broken[c.name] for c in spec.checks if c.name in broken}, unasked, samples
    )
    failed = {names[c.name]: broken[c.name] for c in spec.checks if c.policy != "warn" and broken.get(c.name)}
    if failed:
        raise CheckFailed(
            f"{len(failed)} check(s) broken among {sum(kept.rows)} rows; nothing was published",
            failed=failed, where=where, next_step=_NEXT,
            details=[broken_line(name, count, samples.get(name, ())) for name, count in failed.items()],
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
                    broken[check.name] += _true(_breaking(batch.column(check.column), check, type_family(kind)))
    for check in checks:
        if check.kind == "key":
            broken[check.name] = _repeated(files, check.argument)
    return broken


def sample_keys(files: Sequence[File], checks: Sequence[Check], spec: SchemaSpec) -> dict[str, tuple[str, ...]]:
    """As Spark's: up to five keys of rows that break each of ``checks``; nothing without a key."""
    if not spec.key:
        return {}
    return {check.name: _keys(files, check, spec) for check in checks[:SAMPLED_CHECKS]}


def _keys(files: Sequence[File], check: Check, spec: SchemaSpec) -> tuple[str, ...]:
    if check.kind == "key":
        found = _groups(files, spec.key)
        rows = found.filter(pc.greater(found.column(_COUNT), 1)).slice(0, SAMPLES).to_pylist()
    else:
        rows = list(islice(_broken_rows(files, check, spec), SAMPLES))
    return tuple(key_text(row, spec.key) for row in rows)


def _broken_rows(files: Sequence[File], check: Check, spec: SchemaSpec) -> Iterator[dict[str, Any]]:
    column = str(check.column)
    family = type_family(spec.column(column).type)
    for file in files:
        with pq.ParquetFile(readable(file), page_checksum_verification=True) as parquet:
            for batch in parquet.iter_batches(columns=sorted({*spec.key, column})):
                yield from batch.filter(_breaking(batch.column(column), check, family)).slice(0, SAMPLES).to_pylist()


def _groups(files: Sequence[File], key: Sequence[str]) -> pa.Table:
    table = pa.concat_tables(
        [
            pq.read_table(readable(file), columns=list(key), partitioning=None, page_checksum_verification=True)
            for file in files
        ]
    )
    return table.group_by(list(key)).aggregate([([], _COUNT)])


def _repeated(files: Sequence[File], key: Sequence[str]) -> int:
    """Rows whose key an earlier row has, as Spark counts them."""
    return int(pc.sum(pc.subtract(_groups(files, key).column(_COUNT), 1)).as_py() or 0)


def _breaking(values: pa.Array, check: Check, family: str) -> pa.Array:
    """For each value whether it breaks ``check``. A null breaks ``null`` only, NaN every bound."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if check.kind == "null":
        return values.is_null()
    if check.kind in _ORDERED:
        limit = pa.scalar(check.argument).cast(values.type) if family != "decimal" else pa.scalar(check.argument)
        return pc.fill_null(pc.invert(_ORDERED[check.kind](values, limit)), fill_value=False)
    keeps = _keeper(check, family)
    if family in ("array", "map"):
        return pa.array([value is not None and not keeps(value) for value in values.to_pylist()], pa.bool_())
    distinct = values.drop_null().unique()
    broken = [value for value in distinct.to_pylist() if not keeps(value)]
    return pc.is_in(values, value_set=pa.array(broken, values.type))


_ORDERED: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "ge": pc.greater_equal,
    "gt": pc.greater,
    "le": pc.less_equal,
    "lt": pc.less,
}


def _true(found: Any) -> int:
    return int(pc.sum(found).as_py() or 0)


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
