"""Rows for a table of PostgreSQL: which columns take which types, and the statements of a delivery. Pure.

A name is never pasted into a statement: ``quoted`` makes an identifier of any text, and values travel as parameters.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from framework.schema.annotations import nearest
from framework.schema.compare import type_text
from framework.schema.spec import Column, SchemaSpec
from framework.sql import TableName, quoted

FENCE: Final = "teamspark_delivery"
"""Beside the table, a row for each run that was delivered to it."""

# By our type, what PostgreSQL calls the types that hold each of its values as it is.
_HOLDS: Final[Mapping[str, tuple[str, ...]]] = {
    "boolean": ("boolean",),
    "byte": ("smallint", "integer", "bigint", "numeric"),
    "short": ("smallint", "integer", "bigint", "numeric"),
    "integer": ("integer", "bigint", "numeric"),
    "long": ("bigint", "numeric"),
    "float": ("real", "double precision"),
    "double": ("double precision",),
    "string": ("text", "character varying"),
    "binary": ("bytea",),
    "date": ("date",),
    "timestamp": ("timestamp with time zone",),
    "timestamp_ntz": ("timestamp without time zone",),
}
_DECIMAL: Final = re.compile(r"decimal\((\d+),(\d+)\)")
_NUMERIC: Final = re.compile(r"numeric\((\d+),(-?\d+)\)")
_VARYING: Final = re.compile(r"character varying\(\d+\)")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column as the server tells of it; ``type`` in PostgreSQL's full words. ``given``: it fills itself if nobody does."""

    name: str
    type: str
    nullable: bool
    given: bool
    generated: bool = False


def mistakes(spec: SchemaSpec, columns: Sequence[TableColumn], run_column: str) -> Iterator[str]:
    """Everything that keeps rows of ``spec`` out of a table with ``columns``."""
    there = {column.name: column for column in columns}
    for column in spec.columns:
        yield from _misfits(column, there)
    known = {*spec.names, run_column}
    for other in columns:
        if other.name not in known and not (other.nullable or other.given or other.generated):
            yield f"{other.name}: the table demands a value, and the output has no such column"
    yield from _run_column(spec, there, run_column)


def _misfits(column: Column, there: Mapping[str, TableColumn]) -> Iterator[str]:
    found = there.get(column.name)
    if found is None:
        yield f"{column.name}: no such column in the table{nearest(column.name, there)}"
    elif found.generated:
        yield f"{column.name}: the table computes it by itself"
    elif not holds(found.type, column.type):
        wanted = " or ".join(_homes(column.type)) or "no type of this version"
        yield f"{column.name}: {type_text(column.type)} does not fit into {found.type}; expected {wanted}"
    elif column.nullable and not found.nullable:
        yield f"{column.name}: may be null, and the table's column may not"


def _run_column(spec: SchemaSpec, there: Mapping[str, TableColumn], name: str) -> Iterator[str]:
    if name in spec.names:
        yield f"{name}: the output has a column of this name, which is to hold the run; name another as run_column"
    elif name not in there:
        yield f"{name}: no such column in the table: it tells whose run a row is (ALTER TABLE ... ADD {quoted(name)} text)"
    elif not holds(there[name].type, "string"):
        yield f"{name}: holds the run's path, as text; got {there[name].type}"


def holds(theirs: str, ours: object) -> bool:
    """Whether a column of PostgreSQL's type ``theirs`` keeps each value of our type as it is."""
    if not isinstance(ours, str):
        return theirs in ("jsonb", "json")
    mine = _DECIMAL.fullmatch(ours)
    if mine is None:
        return theirs in _HOLDS.get(ours, ()) or (ours == "string" and bool(_VARYING.fullmatch(theirs)))
    room = _NUMERIC.fullmatch(theirs)
    if room is None:
        return theirs == "numeric"
    precision, scale = int(mine[1]), int(mine[2])
    # A narrower scale would round in silence.
    return int(room[2]) >= scale and int(room[1]) - int(room[2]) >= precision - scale


def _homes(ours: object) -> tuple[str, ...]:
    if not isinstance(ours, str):
        return ("jsonb",)
    mine = _DECIMAL.fullmatch(ours)
    return (f"numeric({mine[1]},{mine[2]})", "numeric") if mine else _HOLDS.get(ours, ())


def create_statement(table: TableName, spec: SchemaSpec, run_column: str) -> str:
    """A table that takes rows of ``spec``: for people, who may want other types, an index, or partitions."""
    lines = [
        f"{quoted(column.name)} {next(iter(_homes(column.type)), 'text')}{'' if column.nullable else ' NOT NULL'}"
        for column in spec.columns
    ]
    return f"CREATE TABLE {table.sql} ({', '.join([*lines, f'{quoted(run_column)} text NOT NULL'])})"


def fence_of(table: TableName) -> str:
    """The name of the table of what was delivered, quoted."""
    return f"{quoted(table.schema)}.{quoted(FENCE)}"


def fence_statement(table: TableName) -> str:
    """The table of what was delivered, beside ``table``."""
    return (
        f"CREATE TABLE IF NOT EXISTS {fence_of(table)} (target text, run text, attempt bigint NOT NULL, token text, "
        "digest text, rows bigint, delivered_at timestamptz DEFAULT now(), PRIMARY KEY (target, run))"
    )


# Between braces stand quoted names, and nothing else; values are parameters.
_REGISTER: Final = (
    "INSERT INTO {fence} (target, run, attempt) VALUES (%(target)s, %(run)s, 0) ON CONFLICT (target, run) DO NOTHING"
)
_LOCK: Final = "SELECT attempt, token, digest FROM {fence} WHERE target = %(target)s AND run = %(run)s FOR UPDATE"
_DELETE: Final = "DELETE FROM {table} WHERE {run_column} = %(run)s"
_COPY: Final = "COPY {table} ({columns}) FROM STDIN"
_RECORD: Final = (
    "UPDATE {fence} SET attempt = %(attempt)s, token = %(token)s, digest = %(digest)s, rows = %(rows)s, "
    "delivered_at = now() WHERE target = %(target)s AND run = %(run)s"
)


@dataclass(frozen=True, slots=True)
class Statements:
    """What one delivery says to the server, in order, in one transaction. Values are parameters: ``%(run)s``."""

    register: str
    lock: str
    delete: str
    copy: str
    record: str

    @classmethod
    def of(cls, table: TableName, columns: Sequence[str], run_column: str) -> "Statements":
        names = {"fence": fence_of(table), "table": table.sql, "run_column": quoted(run_column)}
        # Where there are parameters, a per cent sign of a name is written twice.
        escaped = {what: name.replace("%", "%%") for what, name in names.items()}
        listed = ", ".join(quoted(name) for name in (*columns, run_column))
        return cls(
            register=_REGISTER.format(**escaped),
            lock=_LOCK.format(**escaped),
            delete=_DELETE.format(**escaped),
            copy=_COPY.format(**names, columns=listed),
            record=_RECORD.format(**escaped),
        )
