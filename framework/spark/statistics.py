"""What a table's log tells of a file, so that readers can leave it out: Delta's statistics, from the file's Parquet footer.

A reader that filters skips a file whose bounds exclude the filter. So bounds may be wide and never narrow. They are told of
all columns that have values or of none: deltalake takes a bound that is missing beside others for one that no value meets.
Floats have bounds only where the writer is known to tell NaN, which Spark orders above every number.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final, TypeAlias

from framework.schema.constraints import decimal_size, type_family
from framework.schema.spec import SchemaSpec, SparkType
from framework.spark.footers import WRITER

Bound: TypeAlias = int | float | bytes

COLUMNS: Final = 32
"""As many columns as Delta's own writers tell of (``delta.dataSkippingNumIndexedCols``)."""

TEXT_CHARS: Final = 32
_LAST: Final = "\U0010ffff"
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 aware moments are written with a Z, the others have no zone
_MILLISECOND_MICROS: Final = 1000


@dataclass(slots=True)
class _Told:
    """One column of one file. ``bounded`` false: some chunk with values does not tell its bounds, or holds NaN."""

    nulls: int | None = 0
    low: Bound | None = None
    high: Bound | None = None
    bounded: bool = True

    @property
    def empty(self) -> bool:
        """Nothing but nulls, for sure."""
        return self.bounded and self.low is None

    def add(self, chunk: Any) -> None:
        told = chunk.statistics
        if told is None or not told.has_null_count:
            self.nulls, self.bounded = None, False
            return
        self.nulls = None if self.nulls is None else self.nulls + told.null_count
        if chunk.num_values == told.null_count:
            return
        low, high = (_ordered(told.min_raw, chunk), _ordered(told.max_raw, chunk)) if told.has_min_max else (None, None)
        if low is None or high is None or low != low or high != high:  # noqa: PLR0124 NaN
            self.bounded = False
            return
        self.low = low if self.low is None else min(low, self.low)
        self.high = high if self.high is None else max(high, self.high)


def file_stats(footer: Any, spec: SchemaSpec) -> str:
    """The statistics of the file with this ``footer`` (pyarrow's metadata) and the columns ``spec``, as Delta's JSON."""
    leaves = dict(islice(_leaves(spec), COLUMNS))
    found = {path: _Told() for path in leaves}
    for group in range(footer.num_row_groups):
        held = footer.row_group(group)
        for chunk in (held.column(number) for number in range(footer.num_columns)):
            if chunk.path_in_schema in found:
                found[chunk.path_in_schema].add(chunk)
    bounds = _all_bounds(leaves, found, footer)
    whole: dict[str, Any] = {
        "minValues": _nested({path: low for path, (low, _) in bounds.items()}),
        "maxValues": _nested({path: high for path, (_, high) in bounds.items()}),
        "nullCount": _nested({path: str(told.nulls) for path, told in found.items() if told.nulls is not None}),
    }
    return _json({"numRecords": str(footer.num_rows), **{name: tree for name, tree in whole.items() if tree}})


def _all_bounds(leaves: Mapping[str, SparkType], found: Mapping[str, _Told], footer: Any) -> dict[str, tuple[str, str]]:
    """Of each column that has values, or of none: see above."""
    bounds = {}
    for path, told in found.items():
        if type_family(leaves[path]) in _SAID and not told.empty:
            pair = _bounds(leaves[path], told, footer)
            if pair is None:
                return {}
            bounds[path] = pair
    return bounds


def _leaves(spec: SchemaSpec) -> Iterator[tuple[str, SparkType]]:
    """The columns that have one value a row, fields of structs by dotted path; of lists and maps nothing is told."""
    for column in spec.columns:
        yield from _below(column.name, column.type)


def _below(path: str, kind: SparkType) -> Iterator[tuple[str, SparkType]]:
    if not isinstance(kind, dict):
        yield path, kind
    elif kind["type"] == "struct":
        for part in kind["fields"]:
            yield from _below(f"{path}.{part['name']}", part["type"])


def _ordered(raw: Any, chunk: Any) -> Bound | None:
    """A physical bound as it orders: a decimal of more than 18 digits is stored as big-endian bytes, a text as UTF-8."""
    if isinstance(raw, bytes) and chunk.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return int.from_bytes(raw, "big", signed=True)
    return raw if isinstance(raw, int | float | bytes) else None


def _bounds(kind: SparkType, told: _Told, footer: Any) -> tuple[str, str] | None:
    """Smallest and largest value as JSON; None where they are not safe to say."""
    if not told.bounded or (isinstance(told.low, float) and not str(footer.created_by).startswith(WRITER)):
        return None
    say = _SAID[type_family(kind)]
    try:
        return say(told.low, kind, False), say(told.high, kind, True)
    except (OverflowError, UnicodeDecodeError, ValueError):
        return None  # before the year 1 or after 9999, not UTF-8, infinite


def _truth(value: Any, kind: SparkType, high: bool) -> str:
    return json.dumps(bool(value))


def _integer(value: Any, kind: SparkType, high: bool) -> str:
    return str(int(value))


def _float(value: Any, kind: SparkType, high: bool) -> str:
    """Zero has two signs and one value: the bound is the outer one."""
    if math.isinf(value):
        raise OverflowError
    return repr(value or (0.0 if high else -0.0))


def _decimal(value: Any, kind: SparkType, high: bool) -> str:
    _, places = decimal_size(str(kind))
    digits = Decimal(value).as_tuple().digits
    return f"{Decimal((int(value < 0), digits, -places)):f}"


def _date(value: Any, kind: SparkType, high: bool) -> str:
    return json.dumps((date(1970, 1, 1) + timedelta(days=value)).isoformat())


def _moment(value: Any, kind: SparkType, high: bool) -> str:
    """In milliseconds, which is as fine as Delta tells moments: outwards, so that no reader has to know."""
    millis = -(-value // _MILLISECOND_MICROS) if high else value // _MILLISECOND_MICROS
    text = (_EPOCH + timedelta(milliseconds=millis)).isoformat(timespec="milliseconds")
    return json.dumps(text + ("Z" if kind == "timestamp" else ""))


def _text(value: Any, kind: SparkType, high: bool) -> str:
    """The first characters; an upper bound that is cut ends in the last character there is."""
    text = value.decode()
    if len(text) <= TEXT_CHARS:
        return _quoted(text)
    kept = TEXT_CHARS
    if high:
        while kept < len(text) and text[kept] == _LAST:
            kept += 1
    return _quoted(text[:kept] + (_LAST if high and kept < len(text) else ""))


def _quoted(text: str) -> str:
    """As UTF-8: deltalake reads an escaped pair of surrogates as another character."""
    return json.dumps(text, ensure_ascii=False)


# Binaries have none in Delta, and no reader misses them.
_SAID: Final[Mapping[str, Callable[[Any, SparkType, bool], str]]] = {
    "boolean": _truth,
    "integer": _integer,
    "float": _float,
    "decimal": _decimal,
    "date": _date,
    "timestamp": _moment,
    "timestamp_ntz": _moment,
    "string": _text,
}


def _nested(texts: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, text in texts.items():
        *above, name = path.split(".")
        inner = tree
        for part in above:
            inner = inner.setdefault(part, {})
        inner[name] = text
    return tree


def _json(tree: Mapping[str, Any]) -> str:
    """An object whose leaves are JSON already: a decimal keeps every digit."""
    parts = (f"{json.dumps(k)}:{_json(v) if isinstance(v, dict) else v}" for k, v in tree.items())
    return "{" + ",".join(parts) + "}"
