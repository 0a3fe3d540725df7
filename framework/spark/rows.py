"""Small frames from Python rows and back: for tests, fixtures and samples, never for data of any size."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import ArrayType, DataType, MapType, StructType, TimestampType

from framework.schema.spec import SchemaSpec
from framework.spark.columns import struct_type


def frame_of_rows(spark: SparkSession, rows: Iterable[Mapping[str, Any]], spec: SchemaSpec) -> DataFrame:
    """``rows``, complete and typed as ``framework.testing.rows`` makes them, as one frame."""
    cells = [tuple(row[name] for name in spec.names) for row in rows]
    return spark.createDataFrame(cells, struct_type(spec))


def rows_of(frame: DataFrame) -> list[dict[str, Any]]:
    """The rows of a small frame as dictionaries; timestamps are aware, in UTC."""
    schema = frame.schema
    return [_plain(row.asDict(recursive=True), schema) for row in frame.collect()]


def _plain(value: Any, kind: DataType) -> Any:
    if value is None:
        return None
    if isinstance(kind, TimestampType) and isinstance(value, datetime):
        return value.astimezone(UTC)  # collect() gives naive moments of this process's own zone
    if isinstance(kind, StructType):
        return {part.name: _plain(value[part.name], part.dataType) for part in kind.fields}
    if isinstance(kind, ArrayType):
        return [_plain(item, kind.elementType) for item in value]
    if isinstance(kind, MapType):
        return {name: _plain(item, kind.valueType) for name, item in value.items()}
    return value
