"""CSV, JSON and Parquet from outside as frames with declared columns, plus one that holds what could not be parsed.

Each reader takes columns by name and says at once which of them are not there.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from framework.datafile import DataFile, mapped, readable
from framework.errors import SchemaMismatch, clip
from framework.schema.annotations import nearest
from framework.schema.compare import readable_as, type_text
from framework.schema.spec import Check, Column, SchemaSpec
from framework.spark.columns import plain_type, spark_type
from framework.spark.files import changed, corrupt
from framework.spark.read import literal
from framework.spark.texts import text_bytes

Format: TypeAlias = Literal["csv", "json", "parquet"]
CORRUPT: Final = "_teamspark_unparsable"


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """Files of one format. ``options`` are Spark's own for that format."""

    files: tuple[DataFile, ...]
    format: Format
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Parsed: TypeAlias = tuple[DataFrame, tuple[Check, ...]]
"""The declared columns and ``CORRUPT``; and checks that only the reader can know of."""


def _csv(spark: SparkSession, source: SourceFiles, spec: SchemaSpec, where: str) -> Parsed:
    """Files with one header at a time: given a schema, Spark takes columns by position, whatever the header says."""
    found = mapped(lambda file: csv_header(file, source.options, where=where), source.files)
    headers = {file.uri: header for file, header in zip(source.files, found, strict=True)}
    bare = [f"{uri}: no line in it, not even a header" for uri, header in headers.items() if not header]
    if bare:
        raise corrupt(bare, where=where)  # an export without rows still has its header: this one was cut short
    groups = _grouped(headers)
    require(groups, lambda header: _csv_mistakes(header, spec), spec, where)
    frames = []
    for header, uris in groups.items():
        reader = spark.read.schema(_csv_schema(header, spec)).options(**source.options)
        # Without pruning Spark sees that a line has too few or too many fields; pruned, it does not look.
        reader = reader.options(columnPruning="false", header="true", mode="PERMISSIVE")
        frame = reader.option("columnNameOfCorruptRecord", CORRUPT).csv(list(uris))
        frames.append(declared(frame, header, spec))
    return _union(spark, frames, spec), ()


def _csv_schema(header: Sequence[str], spec: SchemaSpec) -> StructType:
    declared = {column.source_name: column for column in spec.columns}
    schema = StructType()
    for place, text in enumerate(header):
        known = text in declared
        schema.add(text if known else f"_undeclared_{place}", spark_type(declared[text].type if known else "string"))
    return schema.add(CORRUPT, "string")


def _csv_mistakes(header: Sequence[str], spec: SchemaSpec) -> Iterator[str]:
    for column in spec.columns:
        if isinstance(column.type, dict) or column.type == "binary":
            yield f"{column.name}: CSV cannot hold {type_text(column.type)}; declare it as str, convert it in transform"
        elif header.count(column.source_name) > 1:
            yield f"{column.source_name}: {header.count(column.source_name)} columns of this name"
        else:
            yield from missing(column, header)


def _json(spark: SparkSession, source: SourceFiles, spec: SchemaSpec, where: str) -> Parsed:
    """A misspelt field is no error but null in every row, so columns of nothing but nulls are looked up by name."""
    schema = StructType()
    for column in spec.columns:
        schema.add(column.source_name, spark_type(column.type))
    schema.add(CORRUPT, "string")
    uris = [file.uri for file in source.files]
    if not uris:
        return _union(spark, [], spec), ()
    reader = spark.read.options(**source.options).options(mode="PERMISSIVE")
    frame = reader.schema(schema).option("columnNameOfCorruptRecord", CORRUPT).json(uris)
    inferring = spark.read.options(**source.options)
    absent = _absent(frame, lambda: inferring.json(uris).columns, spec)
    lost = [name for name in absent if not spec.column(name).has_default]
    there = [column.source_name for column in spec.columns if column.name not in absent or column.name in lost]
    return declared(frame, there, spec), tuple(Check(f"{name}.absent", None, "sql", "false") for name in lost)


def _absent(frame: DataFrame, names: Callable[[], Sequence[str]], spec: SchemaSpec) -> list[str]:
    """Columns whose field is in no row; ``names`` reads the files once more to tell all the fields there are."""
    counts = (F.count(F.col(column.source_name)).alias(column.name) for column in spec.columns)
    (seen,) = frame.agg(F.count(F.lit(1)).alias(CORRUPT), *counts).collect()
    empty = [column for column in spec.columns if seen[column.name] == 0]
    if not empty or not seen[CORRUPT]:
        return []
    known = set(names())
    return [column.name for column in empty if column.source_name not in known]


def _parquet(spark: SparkSession, source: SourceFiles, spec: SchemaSpec, where: str) -> Parsed:
    """Files with one schema at a time: each is read with its own types, then widened where no value changes."""
    found = mapped(lambda file: parquet_columns(file, where=where), source.files)
    groups = _grouped({file.uri: columns for file, columns in zip(source.files, found, strict=True)})
    require(groups, lambda columns: _parquet_mistakes(dict(columns), spec), spec, where)
    frames = []
    for columns, uris in groups.items():
        frame = spark.read.options(**source.options).parquet(*uris)
        types = {item.name: plain_type(item.jsonValue()["type"]) for item in frame.schema.fields}
        require({columns: uris}, partial(type_mistakes, types, spec), spec, where)
        whole = frame.withColumn(CORRUPT, F.lit(None).cast("string"))
        frames.append(declared(whole, [name for name, _ in columns], spec))
    return _union(spark, frames, spec), ()


def parquet_columns(file: DataFile, *, where: str) -> tuple[tuple[str, str], ...]:
    """Names and Arrow types of the columns of ``file``. Raises: InputCorrupt, InputChanged, StoreUnavailable, SetupError."""
    try:
        schema = pq.read_schema(readable(file))
    except FileNotFoundError as error:
        raise changed([file.uri], where=where) from error
    except (OSError, pa.ArrowException) as error:
        raise corrupt([f"{file.uri}: its footer cannot be read ({clip(str(error), 120)})"], where=where) from error
    return tuple((item.name, str(item.type)) for item in schema)


def _parquet_mistakes(columns: Mapping[str, str], spec: SchemaSpec) -> Iterator[str]:
    for column in spec.columns:
        yield from missing(column, columns)
        if columns.get(column.source_name, "").startswith("timestamp[ns"):
            yield (
                f"{column.source_name}: holds nanoseconds, which Spark does not read; "
                'write it with pyarrow\'s coerce_timestamps="us", pandas passes it on'
            )


def type_mistakes(types: Mapping[str, Any], spec: SchemaSpec, columns: object) -> Iterator[str]:
    for column in spec.columns:
        got = types.get(column.source_name)
        if got is not None and not readable_as(got, plain_type(column.type)):
            yield f"{column.source_name}: got {type_text(got)}, expected {type_text(column.type)} or a narrower type"


READERS: Final[Mapping[Format, Callable[[SparkSession, SourceFiles, SchemaSpec, str], Parsed]]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}


def _grouped(facts: Mapping[str, tuple[Any, ...]]) -> dict[tuple[Any, ...], list[str]]:
    """The URIs by what is the same about them."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for uri, fact in facts.items():
        groups.setdefault(fact, []).append(uri)
    return groups


def require(
    groups: Mapping[tuple[Any, ...], Sequence[str]],
    mistakes: Callable[[tuple[Any, ...]], Iterable[str]],
    spec: SchemaSpec,
    where: str,
) -> None:
    """Raises: SchemaMismatch with every column that is not there, and the first file that lacks it."""
    told = {line: uris[0] for fact, uris in groups.items() for line in mistakes(fact)}
    if told:
        raise SchemaMismatch(
            f"the source does not hold the columns of {spec.name}",
            where=where,
            details=[f"{line} (in {uri.rpartition('/')[2]})" for line, uri in told.items()],
            next_step="name the columns as the files do, with Field(alias=...), or give a column that may lack a default",
        )


def missing(column: Column, names: Iterable[str]) -> Iterator[str]:
    names = list(names)
    if column.source_name not in names and not column.has_default:
        yield f"{column.source_name}: missing, found {clip(', '.join(names), 150)}{nearest(column.source_name, names)}"


def declared(frame: DataFrame, there: Sequence[str], spec: SchemaSpec) -> DataFrame:
    """The columns of ``spec`` by their own names, widened or filled, and ``CORRUPT``; ``there`` are names in the files."""
    columns = []
    for column in spec.columns:
        found = F.col(f"`{column.source_name.replace('`', '``')}`").cast(spark_type(column.type))
        columns.append((found if column.source_name in there else literal(column.default, column)).alias(column.name))
    return frame.select(*columns, CORRUPT)


def _union(spark: SparkSession, frames: Sequence[DataFrame], spec: SchemaSpec) -> DataFrame:
    if frames:
        return reduce(DataFrame.unionAll, frames)
    schema = StructType()
    for column in spec.columns:
        schema.add(column.name, spark_type(column.type))
    return spark.createDataFrame([], schema.add(CORRUPT, "string"))


def csv_header(file: DataFile, options: Mapping[str, str], *, where: str) -> tuple[str, ...]:
    """The names in the first line of ``file``; none for an empty file. Compressed files are known by their suffix.

    Raises: InputCorrupt, InputChanged, StoreUnavailable, SetupError.
    """
    told = {option.lower(): value for option, value in options.items()}
    separator = told.get("sep", told.get("delimiter", ",")).replace("\\t", "\t")
    first = _first_line(file, told, where)
    if len(separator) > 1:
        return tuple(name.strip(' "') for name in first.split(separator)) if first else ()
    quote = told.get("quote", '"')
    escape = told.get("escape", "\\")
    names = csv.reader(
        [first],
        delimiter=separator,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=escape if escape not in ("", quote) else None,
    )
    return tuple(name.strip() for name in next(names, []))


def _first_line(file: DataFile, options: Mapping[str, str], where: str) -> str:
    """The first line that is neither empty nor a comment, as Spark takes it for the header."""
    encoding = options.get("encoding", options.get("charset", "utf-8"))
    # A byte order mark is no part of the first name.
    encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    comment = options.get("comment", "")
    try:
        with text_bytes(file) as raw:
            lines = (line.rstrip("\r\n") for line in io.TextIOWrapper(raw, encoding=encoding))
            return next((line for line in lines if line.strip() and not (comment and line.startswith(comment))), "")
    except FileNotFoundError as error:
        raise changed([file.uri], where=where) from error
    except (OSError, pa.ArrowException, ValueError, LookupError) as error:
        raise corrupt([f"{file.uri}: its first line cannot be read ({clip(str(error), 120)})"], where=where) from error
