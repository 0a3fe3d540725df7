"""What the Parquet footers of written files prove about a schema's checks, without reading a row.

Spark's Parquet writer (parquet-java) keeps for each column chunk the number of nulls and the smallest and largest
value. So it is known from the footers alone that no row is null and that no integer, decimal, date or moment lies out
of its range. A float too, by that writer: it orders NaN above every number, so a chunk with a NaN has NaN for its
largest value. Other writers leave NaN out of the statistics, and their floats prove nothing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

import pyarrow.parquet as pq

from framework.datafile import File, mapped, readable
from framework.schema.constraints import BOUNDS, decimal_size, type_family
from framework.schema.spec import Check, Column, SparkType

Number: TypeAlias = int | float
Verdict: TypeAlias = Literal["kept", "broken", "unknown"]

WRITER: Final = "parquet-mr"
# What parquet-java writes for a chunk whose pages all refer to its dictionary; levels are RLE or bit-packed.
_DICTIONARY_ONLY: Final = frozenset({"PLAIN_DICTIONARY", "RLE", "BIT_PACKED"})
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 a timestamp_ntz has no zone; aware ones are brought to UTC first
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class Range:
    """What the chunks of one leaf column hold. ``nulls`` None: not told. ``low`` and ``high`` are physical values.

    ``bounded`` false: some chunk with values does not tell its bounds. ``nan``: some chunk says that it holds NaN.
    ``listed``: every chunk has a dictionary of its values and no page without it.
    """

    nulls: int | None = 0
    values: int = 0
    low: Number | None = None
    high: Number | None = None
    bounded: bool = True
    nan: bool = False
    listed: bool = True

    def add(self, chunk: Any) -> None:
        """Take in one column chunk of pyarrow's metadata."""
        self.listed = self.listed and chunk.has_dictionary_page and set(chunk.encodings) <= _DICTIONARY_ONLY
        told = chunk.statistics
        if told is None or not told.has_null_count:
            self.nulls, self.bounded = None, False
            return
        self.nulls = None if self.nulls is None else self.nulls + told.null_count
        values = chunk.num_values - told.null_count
        self.values += values
        if not values:
            return
        low, high = (_number(told.min_raw, chunk), _number(told.max_raw, chunk)) if told.has_min_max else (None, None)
        if low is None or high is None:
            self.bounded = False
        elif math.isnan(low) or math.isnan(high):
            self.nan = True
        else:
            self.low = low if self.low is None else min(low, self.low)
            self.high = high if self.high is None else max(high, self.high)


@dataclass(frozen=True, slots=True)
class Footers:
    """Rows of each file in order, and the leaf columns by dotted path. ``files``: pyarrow's metadata of each."""

    rows: tuple[int, ...]
    leaves: Mapping[str, Range]
    by_spark: bool = True
    files: tuple[Any, ...] = field(default=(), repr=False, compare=False)


def read_footers(files: Sequence[File]) -> Footers:
    """Raises: OSError, pyarrow.ArrowException for a file that is no whole Parquet file; StoreUnavailable, SetupError."""
    read = list(mapped(lambda file: pq.read_metadata(readable(file)), files))
    leaves: dict[str, Range] = {}
    by_spark = True
    for footer in read:
        by_spark = by_spark and str(footer.created_by).startswith(WRITER)
        for chunk in _chunks(footer):
            leaves.setdefault(chunk.path_in_schema, Range()).add(chunk)
    return Footers(tuple(footer.num_rows for footer in read), leaves, by_spark, tuple(read))


def _chunks(footer: Any) -> Iterator[Any]:
    for group in range(footer.num_row_groups):
        held = footer.row_group(group)
        for column in range(footer.num_columns):
            yield held.column(column)


def prove(check: Check, column: Column, footers: Footers) -> Verdict:
    """What the footers say about ``check`` of ``column``; "unknown" has to be measured."""
    if check.kind == "null":
        return _nulls(column, footers)
    if check.kind in BOUNDS:
        return _bound(check, column.type, footers)
    return "unknown"


def _nulls(column: Column, footers: Footers) -> Verdict:
    leaves = list(_leaves(column, footers))
    if sum(footers.rows) == 0 or any(leaf.nulls == 0 for leaf in leaves):
        # A null list, map or struct shows as a null in each of its leaves: one leaf without nulls is enough.
        return "kept"
    if isinstance(column.type, dict) or not leaves or leaves[0].nulls is None:
        return "unknown"
    return "broken"


def _leaves(column: Column, footers: Footers) -> Iterable[Range]:
    inside = f"{column.name}."
    return (leaf for path, leaf in footers.leaves.items() if path == column.name or path.startswith(inside))


def _bound(check: Check, kind: SparkType, footers: Footers) -> Verdict:
    leaf = footers.leaves.get(check.column or "")
    if sum(footers.rows) == 0 or (leaf is not None and leaf.nulls is not None and leaf.values == 0):
        return "kept"
    if leaf is None or not leaf.bounded:
        return "unknown"
    limit = physical(check.argument, kind)
    if limit is None or (isinstance(limit, float) and not footers.by_spark):
        return "unknown"
    if leaf.nan:
        return "broken"
    if leaf.low is None or leaf.high is None:
        return "unknown"
    return "kept" if _holds(check, leaf.low, leaf.high, limit) else "broken"


def _holds(check: Check, low: Number, high: Number, limit: Number) -> bool:
    match check.kind:
        case "ge":
            return low >= limit
        case "gt":
            return low > limit
        case "le":
            return high <= limit
    return high < limit


def physical(value: Any, kind: SparkType) -> Number | None:
    """``value`` as Parquet stores a value of Spark type ``kind``; None where it does not order as stored."""
    stored = _STORED.get(type_family(kind))
    return None if stored is None else stored(value, kind)


def _unscaled(value: Decimal, kind: SparkType) -> Number | None:
    _, places = decimal_size(str(kind))
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent + places < 0:
        return None
    number: int = int("".join(map(str, digits))) * 10 ** (exponent + places)
    return -number if sign else number


def _micros(value: datetime, kind: SparkType) -> Number:
    plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    return (plain - _EPOCH) // _MICROSECOND


_STORED: Final[Mapping[str, Callable[[Any, SparkType], Number | None]]] = {
    "integer": lambda value, _: int(value),
    "float": lambda value, _: float(value),
    "decimal": _unscaled,
    "date": lambda value, _: int((value - _EPOCH.date()).days),
    "timestamp": _micros,
    "timestamp_ntz": _micros,
}


def _number(raw: Any, chunk: Any) -> Number | None:
    """A physical minimum or maximum, a text's is none; a decimal of more than 18 digits is stored as big-endian bytes."""
    if isinstance(raw, bytes) and chunk.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return int.from_bytes(raw, "big", signed=True)
    return raw if isinstance(raw, int | float) else None
