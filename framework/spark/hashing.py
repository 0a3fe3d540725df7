"""Content hash v1 as Spark expressions; what is hashed and in which order is told in ``framework.hashing``."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from framework.hashing import ContentHash
from framework.schema.spec import SchemaSpec, SparkType

_LONGEST_SUM: Final = "decimal(38,0)"


def content_hash(frame: DataFrame, spec: SchemaSpec) -> ContentHash:
    """The content hash of ``frame``'s columns that ``spec`` declares: one Spark job over all rows."""
    parts = [part for column in spec.columns for part in _nullable(F.col(column.name), column.type)]
    # A sum of bigints would overflow, and under ANSI fail.
    code = F.xxhash64(*parts).cast("decimal(20,0)")
    (row,) = frame.agg(F.count(F.lit(1)), F.sum(code).cast(_LONGEST_SUM)).collect()
    return ContentHash(int(row[0]), int(row[1] or 0))


def _nullable(value: Column, kind: SparkType) -> tuple[Column, Column]:
    """What is hashed of a column: xxhash64 passes over a null, so that it is one has to be hashed itself."""
    return F.isnull(value), canonical(value, kind)


def canonical(value: Column, kind: SparkType) -> Column:
    """``value`` in a form whose xxhash64 tells different values apart: Spark's own leaves out lengths and nulls inside."""
    return _NESTED[kind["type"]](value, kind) if isinstance(kind, dict) else value


def _array(value: Column, kind: Mapping[str, Any]) -> Column:
    element: SparkType = kind["elementType"]
    items = F.transform(value, lambda item: F.struct(*_nullable(item, element)))
    return _unless_null(value, F.struct(F.size(value), items))


def _struct(value: Column, kind: Mapping[str, Any]) -> Column:
    fields = [part for f in kind["fields"] for part in _nullable(value.getField(f["name"]), f["type"])]
    return _unless_null(value, F.struct(*fields))


def _map(value: Column, kind: Mapping[str, Any]) -> Column:
    content: SparkType = kind["valueType"]
    keys = F.array_sort(F.map_keys(value))
    items = F.transform(keys, lambda key: F.struct(key, *_nullable(F.element_at(value, key), content)))
    return _unless_null(value, F.struct(F.size(keys), items))


def _unless_null(value: Column, form: Column) -> Column:
    return F.when(value.isNotNull(), form)


_NESTED: Final[Mapping[str, Callable[[Column, Mapping[str, Any]], Column]]] = {
    "array": _array,
    "map": _map,
    "struct": _struct,
}
