"""A table's columns: as Delta keeps them, as a schema, and what they may become. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from framework.errors import SchemaMismatch
from framework.schema.compare import type_text
from framework.schema.spec import Column, SchemaSpec, struct_field
from framework.tables.actions import RUN_COLUMN


def delta_schema(spec: SchemaSpec) -> dict[str, Any]:
    """``spec`` as the schema of a table: its columns, then the one that says whose run a row is."""
    run = {"name": RUN_COLUMN, "type": "string", "nullable": True, "metadata": {}}
    return {"type": "struct", "fields": [*(struct_field(column) for column in spec.columns), run]}


def spec_of(schema: Mapping[str, Any], *, name: str) -> SchemaSpec:
    """The columns that consumers see, without checks: Delta keeps names, types, nulls and comments."""
    columns = (
        Column(one["name"], one["type"], one["nullable"], description=one["metadata"].get("comment", ""))
        for one in schema["fields"]
        if one["name"] != RUN_COLUMN
    )
    return SchemaSpec(name, tuple(columns))


def evolved(current: SchemaSpec, declared: SchemaSpec, *, where: str) -> SchemaSpec:
    """The table's columns once rows of ``declared`` are in it: as they are, and new ones behind them.

    Raises: SchemaMismatch unless all that differs is columns that may be null.
    """
    wrong = tuple(_mistakes(current, declared))
    if wrong:
        raise SchemaMismatch(
            f"{declared.name} is not what the table holds",
            where=where,
            details=wrong,
            expected="the table's columns; all that may be new are columns declared `| None`",
            next_step="a table that changes in another way is a new output, beside the old one until nobody reads that",
        )
    new = tuple(column for column in declared.columns if column.name not in current.names)
    return SchemaSpec(current.name, (*current.columns, *new), description=current.description)


def _mistakes(current: SchemaSpec, declared: SchemaSpec) -> Iterator[str]:
    for column in declared.columns:
        if column.name not in current.names:
            if not column.nullable:
                yield f"{column.name}: new, and not `| None`; the rows that are there have no value"
            continue
        held = current.column(column.name)
        if _bare(held.type) != _bare(column.type):
            yield f"{column.name}: {type_text(column.type)}, the table holds {type_text(held.type)}"
        elif held.nullable != column.nullable:
            yield f"{column.name}: {_nulls(column)}, in the table {_nulls(held)}"
    for held in current.columns:
        if held.name not in declared.names and not held.nullable:
            yield f"{held.name}: missing, and in the table {_nulls(held)}"


def _nulls(column: Column) -> str:
    return "may be null" if column.nullable else "never null"


def _bare(kind: Any) -> Any:
    """``kind`` without comments."""
    if isinstance(kind, dict):
        return {name: _bare(part) for name, part in kind.items() if name != "metadata"}
    return [_bare(part) for part in kind] if isinstance(kind, list) else kind
