"""Column names and types of a frame against a schema, from metadata alone: before anything is read or written.

Nullability is never compared here: Spark calls nearly everything nullable. Nulls are counted in the written data.
"""

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType

from framework.errors import DefinitionError, SchemaMismatch, clip
from framework.schema.compare import type_text
from framework.schema.spec import Column, SchemaSpec, SparkType


def verify_columns(frame: DataFrame, spec: SchemaSpec, *, where: str) -> DataFrame:
    """``frame`` with exactly the columns of ``spec``, in declared order and with their comments.

    ``where`` says job and port. Raises: SchemaMismatch with every missing, extra, repeated and retyped column at once;
    DefinitionError for a rule that Spark cannot evaluate.
    """
    mistakes = tuple(column_mistakes(frame.schema, spec))
    if mistakes:
        raise SchemaMismatch(
            f"the columns are not those of {spec.name}",
            where=where,
            expected=", ".join(f"{column.name} {type_text(column.type)}" for column in spec.columns),
            details=mistakes,
            next_step=next_step(frame.schema, spec),
        )
    verify_rules(frame, spec, where=where)
    return frame.select(*(_column(column) for column in spec.columns))


def column_mistakes(schema: StructType, spec: SchemaSpec) -> Iterator[str]:
    """One line for each column of ``schema`` that is not as ``spec`` declares it, and for each that is missing."""
    found = {field.name: plain_type(field.jsonValue()["type"]) for field in schema.fields}
    for name, count in Counter(schema.names).items():
        if count > 1:
            yield f"{name}: there are {count} columns of this name; drop or rename all but one"
    for column in spec.columns:
        if column.name not in found:
            yield f"{column.name}: missing, expected {type_text(column.type)}{_like(column.name, found)}"
        elif found[column.name] != plain_type(column.type):
            yield _retyped(column, found[column.name])
    for name, kind in found.items():
        if name not in spec.names:
            yield f"{name}: extra, got {type_text(kind)}, expected no such column"


def next_step(schema: StructType, spec: SchemaSpec) -> str:
    """What the author does next, by kind of mistake: a selection mends neither a type nor a name."""
    found = {field.name: plain_type(field.jsonValue()["type"]) for field in schema.fields}
    wanted = {column.name: plain_type(column.type) for column in spec.columns}
    renamed = {
        near: name for name in wanted if name not in found and (near := _near(name, found)) and near not in wanted
    }
    missing = [name for name in wanted if name not in found and name not in renamed.values()]
    steps = {
        "leave one column of each name": len(found) < len(schema.names),
        f".withColumnsRenamed({json.dumps(renamed, ensure_ascii=False)})": renamed,
        f"add {', '.join(missing)}": missing,
        "cast what has another type": any(found.get(name, kind) != kind for name, kind in wanted.items()),
        f"end the transform with .select(*{spec.name}.c)": any(n not in wanted and n not in renamed for n in found),
    }
    return "; ".join(step for step, needed in steps.items() if needed)


def _retyped(column: Column, got: SparkType) -> str:
    line = f"{column.name}: got {type_text(got)}, expected {type_text(column.type)}"
    if isinstance(column.type, dict) or isinstance(got, dict):
        return line
    return f'{line}; .withColumn("{column.name}", F.col("{column.name}").cast("{type_text(column.type)}"))'


def _like(name: str, names: Iterable[str]) -> str:
    near = _near(name, names)
    return f"; did you mean {near}?" if near else ""


def _near(name: str, names: Iterable[str]) -> str | None:
    lowered = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.7)
    return lowered[close[0]] if close else None


def plain_type(kind: Any) -> SparkType:
    """``kind`` without nullability and comments, which do not make another type."""
    if not isinstance(kind, dict):
        return str(kind)
    match kind["type"]:
        case "array":
            return {"type": "array", "elementType": plain_type(kind["elementType"]), "containsNull": True}
        case "map":
            key, value = plain_type(kind["keyType"]), plain_type(kind["valueType"])
            return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}
        case "struct":
            return {"type": "struct", "fields": [_plain_field(field) for field in kind["fields"]]}
    return dict(kind)


def _plain_field(field: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": field["name"], "type": plain_type(field["type"]), "nullable": True, "metadata": {}}


def verify_rules(frame: DataFrame, spec: SchemaSpec, *, where: str) -> None:
    """Raises: DefinitionError for each rule over a row that is no condition on the columns of ``frame``."""
    mistakes = []
    for rule in spec.rules:
        try:
            # With the columns beside it, an aggregate is refused too, instead of judging all rows as one.
            kind = frame.select("*", F.expr(rule.argument).alias("_rule")).schema["_rule"].dataType.simpleString()
        except AnalysisException as error:
            mistakes.append(f"{rule.name}: {clip(error.getMessage() or str(error), 200)} in {rule.argument!r}")
            continue
        if kind not in ("boolean", "void"):
            mistakes.append(f"{rule.name}: {rule.argument!r} is {kind}, not true or false")
    if mistakes:
        raise DefinitionError(
            f"{len(mistakes)} rule(s) of {spec.name} cannot be checked",
            where=where,
            details=mistakes,
            next_step="a rule is a SQL condition over the columns of one row",
        )


def struct_type(spec: SchemaSpec) -> StructType:
    """``spec`` as Spark's type, nullable at every depth.

    Spark believes a type that says "no nulls": a check for nulls below it would be optimised away.
    """
    fields = [{**field, "type": plain_type(field["type"]), "nullable": True} for field in spec.spark_json()["fields"]]
    return StructType.fromJson({"type": "struct", "fields": fields})


def spark_type(kind: SparkType) -> DataType:
    """``kind`` as a pyspark type, nullable at every depth."""
    field = {"name": "it", "type": plain_type(kind), "nullable": True, "metadata": {}}
    return StructType.fromJson({"type": "struct", "fields": [field]})["it"].dataType


def _column(column: Column) -> Any:
    return F.col(column.name).alias(column.name, metadata={"comment": column.description} if column.description else {})
