"""Content hash v1 of a dataset, from its Parquet files: equal rows in any order and any files give an equal hash.

The hash is the number of rows and the decimal sum, over the rows, of xxhash64 (seed 42) chained through the columns in
declared order: of each column whether it is null, then its value. The same is written in ``framework.spark.hashing``
as Spark expressions; one test holds the two equal. Here no JVM is needed, so that any tool can compare what was
published. It costs about a microsecond per value: it is computed on demand, never while a run writes.

How a value is hashed (``-0.0`` counts as ``0.0``, every NaN as one NaN; nothing is hashed for a null):

    boolean, integers to 32 bits, date (days)      4 bytes, little-endian, signed
    bigint, timestamps (microseconds, UTC)         8 bytes, little-endian, signed
    float, double                                  their IEEE bits, 4 or 8 bytes
    decimal: unscaled, to 18 digits / above        8 bytes / the fewest big-endian two's complement bytes
    string, binary                                 the bytes, UTF-8
    list                                           its length, then each element as a column
    struct                                         each field as a column
    map                                            its entries by ascending key, as a list of (key, value)
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self, TypeAlias

import xxhash

from framework.datafile import File, readable
from framework.errors import ConfigError
from framework.schema.constraints import decimal_size, type_family
from framework.schema.spec import SchemaSpec, SparkType

VERSION: Final = "v1"
SEED: Final = 42

Hasher: TypeAlias = "Callable[[Any, int], int]"
"""A value, never None, and the hash so far (unsigned) to the next hash."""

_digest: Callable[[bytes, int], int] = xxhash.xxh64_intdigest
_TRUE: Final = (1).to_bytes(4, "little")
_FALSE: Final = (0).to_bytes(4, "little")
_NAN32: Final = bytes.fromhex("0000c07f")
_NAN64: Final = bytes.fromhex("000000000000f87f")
_LONG_DIGITS: Final = 18
_EPOCH_DAY: Final = date(1970, 1, 1)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 a timestamp_ntz has no zone; aware ones are brought to UTC first
_MICROSECOND: Final = timedelta(microseconds=1)
_BATCH_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True)
class ContentHash:
    """Rows, and the sum of their hashes. Hashes of parts add up to that of the whole."""

    rows: int
    total: int

    def __add__(self, other: Self) -> "ContentHash":
        return ContentHash(self.rows + other.rows, self.total + other.total)

    def __str__(self) -> str:
        return f"{VERSION}:{self.rows}:{self.total}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises: ConfigError for a hash of another version."""
        version, _, numbers = text.partition(":")
        rows, _, total = numbers.partition(":")
        if version != VERSION:
            raise ConfigError("a content hash of another version", got=text, expected=f"{VERSION}:ROWS:SUM")
        return cls(int(rows), int(total))


def hash_files(files: Iterable[File], spec: SchemaSpec) -> ContentHash:
    """The content hash of the rows in Parquet ``files``, which hold at least the columns of ``spec``.

    Raises: OSError, pyarrow.ArrowException for files that cannot be read; StoreUnavailable, SetupError.
    """
    import pyarrow.parquet as pq

    total = ContentHash(0, 0)
    for file in files:
        with pq.ParquetFile(readable(file)) as parquet:
            for batch in parquet.iter_batches(_BATCH_ROWS, columns=list(spec.names)):
                total += hash_rows(_rows(batch, spec), spec)
    return total


def hash_rows(rows: Iterable[Sequence[Any]], spec: SchemaSpec) -> ContentHash:
    """The content hash of rows given as Python values in declared order.

    A date or moment may be its number of days or microseconds, a decimal its unscaled number.
    """
    columns = [_nullable(hasher(column.type)) for column in spec.columns]
    count, total = 0, 0
    for row in rows:
        code = SEED
        for column, value in zip(columns, row, strict=True):
            code = column(value, code)
        count += 1
        total += code - 2**64 if code >= 2**63 else code
    return ContentHash(count, total)


def _rows(batch: Any, spec: SchemaSpec) -> Iterator[tuple[Any, ...]]:
    """The rows of a pyarrow record batch; times as numbers, which no calendar of Python's can hold."""
    columns = [_plain(batch.column(column.name), column.type).to_pylist() for column in spec.columns]
    return zip(*columns, strict=True)


def _plain(array: Any, kind: SparkType) -> Any:
    import pyarrow as pa

    if kind == "date":
        return array.cast(pa.int32())
    if kind in ("timestamp", "timestamp_ntz"):
        return array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64())
    return array


def hasher(kind: SparkType) -> Hasher:
    """How a value of Spark type ``kind`` is hashed."""
    if isinstance(kind, dict):
        return _NESTED[kind["type"]](kind)
    if type_family(kind) == "decimal":
        digits, places = decimal_size(kind)
        return _decimal(wide=digits > _LONG_DIGITS, places=places)
    return _SCALARS[kind]


def _nullable(inner: Hasher) -> Hasher:
    def hashed(value: Any, code: int) -> int:
        return _digest(_TRUE, code) if value is None else inner(value, _digest(_FALSE, code))

    return hashed


def _bytes(value: Any, code: int) -> int:
    return _digest(value.encode() if isinstance(value, str) else bytes(value), code)


def _packed(layout: str, number: Callable[[Any], int] = int) -> Hasher:
    pack = struct.Struct(layout).pack

    def hashed(value: Any, code: int) -> int:
        return _digest(pack(number(value)), code)

    return hashed


def _float(layout: str, nan: bytes) -> Hasher:
    pack = struct.Struct(layout).pack

    def hashed(value: Any, code: int) -> int:
        # Adding 0.0 takes the sign off a zero.
        return _digest(nan if value != value else pack(value + 0.0), code)  # noqa: PLR0124 only NaN differs from itself

    return hashed


def _decimal(*, wide: bool, places: int) -> Hasher:
    narrow = _packed("<q")

    def hashed(value: Any, code: int) -> int:
        number = _unscaled(value, places)
        if not wide:
            return narrow(number, code)
        # As Java's BigInteger writes itself: one bit for the sign, in as few bytes as that takes.
        size = (number if number >= 0 else ~number).bit_length() // 8 + 1
        return _digest(number.to_bytes(size, "big", signed=True), code)

    return hashed


def _unscaled(value: Decimal | int, places: int) -> int:
    if isinstance(value, int):
        return value
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), value
    number: int = int("".join(map(str, digits)) or "0")
    # Arrow hands decimals over at the column's scale; others may have fewer digits behind the point.
    number = number * 10 ** (exponent + places) if exponent + places >= 0 else number // 10 ** -(exponent + places)
    return -number if sign else number


def _days(value: date | int) -> int:
    return value if isinstance(value, int) else (value - _EPOCH_DAY).days


def _micros(value: datetime | int) -> int:
    if isinstance(value, int):
        return value
    plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    return (plain - _EPOCH) // _MICROSECOND


def _array(kind: Mapping[str, Any]) -> Hasher:
    size, item = _packed("<i"), _nullable(hasher(kind["elementType"]))

    def hashed(value: Any, code: int) -> int:
        code = size(len(value), code)
        for element in value:
            code = item(element, code)
        return code

    return hashed


def _struct(kind: Mapping[str, Any]) -> Hasher:
    fields = [(field["name"], _nullable(hasher(field["type"]))) for field in kind["fields"]]

    def hashed(value: Any, code: int) -> int:
        for name, field in fields:
            code = field(value[name], code)
        return code

    return hashed


def _map(kind: Mapping[str, Any]) -> Hasher:
    size, item = _packed("<i"), _nullable(hasher(kind["valueType"]))

    def hashed(value: Any, code: int) -> int:
        entries = sorted(dict(value).items(), key=lambda entry: entry[0].encode())
        code = size(len(entries), code)
        for key, element in entries:
            code = item(element, _bytes(key, code))
        return code

    return hashed


_NESTED: Final[Mapping[str, Callable[[Mapping[str, Any]], Hasher]]] = {
    "array": _array,
    "map": _map,
    "struct": _struct,
}
_SCALARS: Final[Mapping[str, Hasher]] = {
    "boolean": _packed("<i"),
    "byte": _packed("<i"),
    "short": _packed("<i"),
    "integer": _packed("<i"),
    "date": _packed("<i", _days),
    "long": _packed("<q"),
    "timestamp": _packed("<q", _micros),
    "timestamp_ntz": _packed("<q", _micros),
    "float": _float("<f", _NAN32),
    "double": _float("<d", _NAN64),
    "string": _bytes,
    "binary": _bytes,
}
