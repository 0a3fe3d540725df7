"""Reading what was published: exactly the manifest's files, as the consumer declared them.

The producer's schema is given, so nothing is inferred and no folder is listed. A column the consumer has and an older
run lacks is filled with its default; a narrower type is widened where that changes no value.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from framework.datafile import DataFile
from framework.errors import SchemaMismatch
from framework.schema import conditions
from framework.schema.compare import missing_for
from framework.schema.spec import Column, SchemaSpec, SparkType
from framework.spark.columns import plain_type, spark_type, struct_type
from framework.spark.files import check_files


def read_published(
    spark: SparkSession,
    files: Sequence[DataFile],
    *,
    spec: SchemaSpec,
    written: SchemaSpec,
    where: str,
) -> DataFrame:
    """The rows of ``files`` with the columns of ``spec``, the consumer's; ``written`` is the producer's schema.

    Sizes and rows of local files are compared with what is recorded before Spark starts; page checksums are verified
    while it reads, so run what reads this frame inside ``files.reading``. No file is an empty frame.

    Raises: SchemaMismatch, InputCorrupt, InputChanged.
    """
    missing = missing_for(spec, written)
    if missing:
        raise SchemaMismatch(
            f"what was published is not what {spec.name} asks for",
            where=where,
            details=missing,
            next_step=f"declare in {spec.name}, this job's schema of its input, what was written, or give a column that "
            "may be missing a default; else ask the producer to write it",
        )
    check_files(files, where=where)
    frame = _exactly(spark, [file.uri for file in files], struct_type(written))
    return frame.select(*(consumed(column, written) for column in spec.columns))


def _exactly(spark: SparkSession, uris: Sequence[str], schema: StructType) -> DataFrame:
    if not uris:
        return spark.createDataFrame([], schema)
    # Without "basePath", which would be looked up: a folder that a reader of some tasks may not ask for. Each file's own
    # folder is its base, so no name of a folder is taken for a column.
    return spark.read.schema(schema).parquet(*uris)


def consumed(column: Column, written: SchemaSpec) -> SparkColumn:
    """``column`` as the consumer sees it: as it is, widened, or its default."""
    if column.name not in written.names:
        return literal(column.default, column).alias(column.name)
    given = written.column(column.name).type
    if plain_type(given) == plain_type(column.type):
        return F.col(column.name)
    return F.col(column.name).cast(spark_type(column.type)).alias(column.name)


def literal(value: Any, column: Column) -> SparkColumn:
    """``value`` as a constant of the column's type."""
    return _constant(value, column.type).cast(spark_type(column.type))


def _constant(value: Any, kind: SparkType) -> SparkColumn:
    if value is None:
        return F.lit(None)
    if isinstance(kind, dict):
        return _NESTED[kind["type"]](value, kind)
    # Not F.lit for numbers and times: it makes a moment in this machine's zone of a timestamp without one.
    return F.lit(value) if isinstance(value, str | bytes | bool) else F.expr(conditions.literal(value, kind))


_NESTED: Final[Mapping[str, Callable[[Any, dict[str, Any]], SparkColumn]]] = {
    "array": lambda value, kind: F.array(*(_constant(item, kind["elementType"]) for item in value)),
    "map": lambda value, kind: F.create_map(
        *(part for key, item in value.items() for part in (F.lit(key), _constant(item, kind["valueType"])))
    ),
    "struct": lambda value, kind: F.struct(
        *(_constant(value[field["name"]], field["type"]).alias(field["name"]) for field in kind["fields"])
    ),
}
