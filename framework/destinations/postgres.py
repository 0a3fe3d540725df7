"""Destinations of type ``postgres``: the rows of a run replace that run's rows in a table, in one transaction.

A row beside the table says which attempt's rows they are. It is locked first, so attempts of one run come one after the
other, and an older one stops there; readers see the one or the other, whole.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, Field

from framework.connections import NAME, Connection
from framework.destinations.base import Delivery, Destination, Outside, Verdict, record_mistakes
from framework.destinations.files import begun_anew
from framework.destinations.tables import (
    FENCE,
    Statements,
    TableColumn,
    create_statement,
    fence_of,
    fence_statement,
    mistakes,
)
from framework.errors import SchemaMismatch
from framework.postgres.client import KIND, connected, text_of
from framework.records import Record
from framework.schema.spec import SchemaSpec
from framework.sql import TableName, quoted, table_of
from framework.storage.paths import run_path

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
_BATCH: Final = 5000
_RIGHTS: Final = ("SELECT", "INSERT", "DELETE")
_COLUMNS: Final = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.atthasdef OR a.attidentity <> '',
       a.attgenerated <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


def _table(text: str) -> str:
    TableName.of(text)
    return text


def _column(name: str) -> str:
    quoted(name)
    return name


class PostgresData(Record):
    """``run_column`` of the table holds the path of the run that a row belongs to: ``/team/dag/task/run``."""

    table: Annotated[str, AfterValidator(_table)]
    postgres_conn_id: Annotated[str, Field(pattern=NAME)]
    run_column: Annotated[str, AfterValidator(_column)] = "teamspark_run"


class PostgresKind:
    """``{"type": "postgres", "data": {"table": "public.delays", "postgres_conn_id": ...}}``"""

    def mistakes(self, data: Mapping[str, Any]) -> Iterator[str]:
        yield from record_mistakes(PostgresData, data)

    def connections(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        name = data.get("postgres_conn_id")
        return (name,) if isinstance(name, str) else ()

    def open(self, data: Mapping[str, Any], outside: Outside) -> Destination:
        told = PostgresData.parse(data, where="destination of type postgres")
        place = f"table {told.table} of connection '{told.postgres_conn_id}'"
        connection = outside.connections.get(told.postgres_conn_id, kind=KIND, where=place)
        return PostgresTable(place, table_of(told.table, where=place), told.run_column, connection)


@dataclass(frozen=True)
class PostgresTable:
    """One table."""

    place: str
    table: TableName
    run_column: str
    connection: Connection = field(repr=False)

    def rehearse(self, schema: SchemaSpec) -> None:
        if not schema.columns:
            raise SchemaMismatch(
                "files have no rows that a table could hold", where=self.place, expected="an output with a schema",
                next_step="deliver it to a path or a bucket, or type it: a Contract with Frame[S]",
            )  # fmt: skip
        with connected(self.connection, self.place) as connection:
            self._require_fit(connection, schema)

    def deliver(self, delivery: Delivery) -> Verdict:
        with connected(self.connection, self.place) as connection:
            self._require_fit(connection, delivery.schema)
            self._make_fence(connection)
            return self._replace(connection, delivery)

    def _require_fit(self, connection: "psycopg.Connection[Any]", schema: SchemaSpec) -> None:
        """Raises: SchemaMismatch with every column and right that is missing, and what would do."""
        found = connection.execute(_COLUMNS, (self.table.schema, self.table.name)).fetchall()
        if found:
            columns = [TableColumn(*row) for row in found]
            told = [*mistakes(schema, columns, self.run_column), *self._missing_rights(connection)]
        else:
            told = ["no such table, or this user may not see its schema"]
        connection.commit()
        if told:
            raise SchemaMismatch(
                "the table does not take this output",
                where=self.place,
                details=told,
                next_step=f"a table that does: {create_statement(self.table, schema, self.run_column)}",
            )

    def _missing_rights(self, connection: "psycopg.Connection[Any]") -> Iterator[str]:
        ask = "SELECT " + ", ".join("has_table_privilege(%(table)s, %(" + right + ")s)" for right in _RIGHTS)
        names = {"table": self.table.sql, **{right: right for right in _RIGHTS}}
        (has,) = connection.execute(text_of(ask), names).fetchall()
        lacking = [right for right, given in zip(_RIGHTS, has, strict=True) if not given]
        if lacking:
            yield f"this user lacks {', '.join(lacking)} on the table"
        if self._fence_there(connection):
            return
        ((may_create,),) = connection.execute(
            "SELECT has_schema_privilege(%s, 'CREATE')", (self.table.schema,)
        ).fetchall()
        if not may_create:
            yield f"there is no table {FENCE} beside it, and this user may not make it: {fence_statement(self.table)}"

    def _fence_there(self, connection: "psycopg.Connection[Any]") -> bool:
        ((found,),) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (fence_of(self.table),)).fetchall()
        return bool(found)

    def _make_fence(self, connection: "psycopg.Connection[Any]") -> None:
        import psycopg

        if not self._fence_there(connection):
            try:
                connection.execute(text_of(fence_statement(self.table)))
            except (
                psycopg.errors.UniqueViolation,
                psycopg.errors.DuplicateTable,
                psycopg.errors.DuplicateObject,  # its row type, seen where the table itself was not yet
            ):
                connection.rollback()  # several made it at once, IF NOT EXISTS or not: one of them did
        connection.commit()

    def _replace(self, connection: "psycopg.Connection[Any]", delivery: Delivery) -> Verdict:
        manifest = delivery.published.manifest
        attempt = delivery.published.number
        mine = {"attempt": attempt, "token": manifest.token, "digest": delivery.published.digest}
        facts = {**mine, "target": str(self.table), "run": run_path(delivery.key), "rows": delivery.rows}
        said = Statements.of(self.table, delivery.schema.names, self.run_column)
        connection.execute(text_of(said.register), facts)
        ((number, *record),) = connection.execute(text_of(said.lock), facts).fetchall()
        if number >= attempt:
            connection.rollback()
            return self._standing(number, record == [mine["token"], mine["digest"]], attempt)
        connection.execute(text_of(said.delete), facts)
        with connection.cursor() as cursor, cursor.copy(text_of(said.copy)) as copy:
            for row in rows_of(delivery):
                copy.write_row((*row, facts["run"]))
        connection.execute(text_of(said.record), facts)
        connection.commit()
        return "delivered"

    def _standing(self, number: int, same: bool, mine: int) -> Verdict:
        if number > mine:
            return "overtaken"
        if not same:
            raise begun_anew(self.place, number)
        return "already there"


def rows_of(delivery: Delivery) -> Iterator[tuple[Any, ...]]:
    """The rows of a delivery as Python values; what is nested is JSON."""
    import pyarrow.parquet as pq

    from framework.datafile import readable

    names = list(delivery.schema.names)
    nested = [isinstance(column.type, dict) for column in delivery.schema.columns]
    convert: list[Callable[[Any], Any]] = [_json if one else _as_is for one in nested]
    for file in delivery.files:
        with pq.ParquetFile(readable(file)) as parquet:
            for batch in parquet.iter_batches(batch_size=_BATCH, columns=names):
                values = [
                    [change(value) for value in batch.column(name).to_pylist(maps_as_pydicts="strict")]
                    for name, change in zip(names, convert, strict=True)
                ]
                yield from zip(*values, strict=True)


def _as_is(value: T) -> T:
    return value


def _json(value: Any) -> Any:
    import json

    from psycopg.types.json import Jsonb

    return None if value is None else Jsonb(value, dumps=lambda held: json.dumps(held, default=str))
