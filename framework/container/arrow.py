"""A schema's types as Arrow has them, and what Parquet files of any writer may hold in their place. Pure.

Sources: Spark, "Parquet Files" (types that it reads without a change of value); Apache Parquet, "LogicalTypes".
"""

from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa

from framework.schema.compare import type_text
from framework.schema.constraints import decimal_size
from framework.schema.spec import Column, SchemaSpec, SparkType

_PLAIN: Final = {
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}
NANOSECONDS: Final = (
    "has nanoseconds, which Spark does not read as a moment; write microseconds: "
    'pq.write_table(table, path, coerce_timestamps="us", allow_truncated_timestamps=True), or in pandas '
    'df[name] = df[name].astype("datetime64[us, UTC]")'
)


def arrow_schema(spec: SchemaSpec) -> pa.Schema:
    return pa.schema([pa.field(one.name, arrow_type(one.type), nullable=one.nullable) for one in spec.columns])


def arrow_type(kind: SparkType) -> pa.DataType:
    if not isinstance(kind, dict):
        return pa.decimal128(*decimal_size(kind)) if kind.startswith("decimal") else _PLAIN[kind]
    match kind["type"]:
        case "array":
            return pa.list_(pa.field("element", arrow_type(kind["elementType"]), nullable=kind["containsNull"]))
        case "map":
            value = pa.field("value", arrow_type(kind["valueType"]), nullable=kind["valueContainsNull"])
            return pa.map_(arrow_type(kind["keyType"]), value)
    return pa.struct(
        [pa.field(one["name"], arrow_type(one["type"]), nullable=one["nullable"]) for one in kind["fields"]]
    )


def as_text(schema: pa.Schema) -> pa.Schema:
    """With text in place of dates, which Arrow's reader of JSON knows as numbers only."""
    return pa.schema([pa.field(field.name, _dates_as_text(field.type)) for field in schema])


def _dates_as_text(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_date(kind):
        return pa.string()
    if types.is_list(kind):
        return pa.list_(_dates_as_text(kind.value_type))
    if types.is_map(kind):
        return pa.map_(_dates_as_text(kind.key_type), _dates_as_text(kind.item_type))
    if types.is_struct(kind):
        return pa.struct([pa.field(one.name, _dates_as_text(one.type)) for one in kind])
    return kind


def misfits(found: pa.Schema, spec: SchemaSpec) -> Iterator[str]:
    """What a file's schema has otherwise than ``spec``, a sentence each: names, in any order, and types."""
    known = {field.name: field.type for field in found}
    for column in spec.columns:
        if column.name not in known:
            yield f"{column.name}: missing, expected {type_text(column.type)}"
        elif line := _misfit(known[column.name], column):
            yield f"{column.name}: {line}"
    yield from (f"{name}: not declared" for name in known if name not in spec.names)


def _misfit(found: pa.DataType, column: Column) -> str | None:
    plain = plainly(found)
    if pa.types.is_timestamp(plain) and plain.unit == "ns":
        return NANOSECONDS
    if plain == plainly(arrow_type(column.type)):
        return None
    return f"is {found}, expected {type_text(column.type)} ({arrow_type(column.type)})"


def plainly(kind: pa.DataType) -> pa.DataType:
    """``kind`` without what Parquet does not store, or Spark does not tell apart: widths of offsets, names inside lists, zones,
    dictionaries, whether a nested value may be null, milli- for microseconds.
    """
    if pa.types.is_dictionary(kind):
        return plainly(kind.value_type)
    for is_such, plain in _PLAINLY:
        if is_such(kind):
            return plain(kind)
    return kind


def _moment(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us" if kind.unit == "ms" else kind.unit, "UTC" if kind.tz else None)


def _map(kind: pa.DataType) -> pa.DataType:
    return pa.map_(plainly(kind.key_type), pa.field("value", plainly(kind.item_type)))


_PLAINLY: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]], ...]] = (
    (lambda kind: pa.types.is_large_string(kind) or pa.types.is_string_view(kind), lambda _: pa.string()),
    (lambda kind: pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind), lambda _: pa.binary()),
    (pa.types.is_timestamp, _moment),
    (
        lambda kind: pa.types.is_list(kind) or pa.types.is_large_list(kind),
        lambda kind: pa.list_(pa.field("element", plainly(kind.value_type))),
    ),
    (pa.types.is_map, _map),
    (
        pa.types.is_struct,
        lambda kind: pa.struct([pa.field(one.name, plainly(one.type)) for one in kind]),
    ),
)
