"""A source in a database, for one run: a statement with the run's dates in it, and its freshness."""

import hashlib
import string
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from framework.connections import Connection, Connections
from framework.errors import ConfigError, NotYet
from framework.job import Run
from framework.postgres.client import KIND, connected, text_of
from framework.sources.specs import QuerySpec
from framework.sql import literal, table_of


@dataclass(frozen=True, slots=True)
class Query:
    """What is read, with everything bound. ``relation`` stands where a table's name stands: after ``FROM``."""

    source: str
    spec: QuerySpec
    relation: str
    connection: Connection = field(repr=False)

    @property
    def digest(self) -> str:
        """sha256 of the statement: two runs with one digest asked the same, and may have been answered otherwise."""
        return hashlib.sha256(self.relation.encode()).hexdigest()


class _Bound(string.Formatter):
    """Fills in values, never text: what has no format is a date or a moment of SQL, what has one is quoted text."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec:
            return literal(format(value, format_spec))
        if isinstance(value, datetime):
            return f"TIMESTAMPTZ {literal(value.astimezone(UTC).isoformat())}"
        return f"DATE {literal(value.isoformat())}"


def bound(text: str, run: Run) -> str:
    """``text`` with the run's own dates as values of SQL. Raises: DefinitionError for a run without a date."""
    return _Bound().vformat(text, (), {"run": run})


def frozen_query(name: str, spec: QuerySpec, run: Run, connections: Connections) -> Query:
    """The source ``name`` for ``run``, asked how fresh it is if it says how.

    Raises: NotYet (too old), ConfigError, SetupError, StoreUnavailable.
    """
    where = f"source '{name}'"
    connection = connections.get(spec.connection, kind=KIND, where=where)
    if spec.table is not None:
        relation = table_of(spec.table, where=where).sql
    else:
        # Below a SELECT nothing but a query can stand: a statement that changes something is refused by the server.
        relation = f"(\n{bound(spec.query or '', run)}\n) AS teamspark_source"
    query = Query(name, spec, relation, connection)
    _require_fresh(query, run)
    return query


def _require_fresh(query: Query, run: Run) -> None:
    spec = query.spec
    if spec.fresh is None or spec.fresh_query is None:
        return
    newest = _moment(_asked(query, bound(spec.fresh_query, run)))
    if newest is None or newest < run.end - spec.fresh:
        raise NotYet(
            f"source '{query.source}' is stale",
            where=f"connection '{spec.connection}'",
            got="nothing" if newest is None else f"newest of {newest.isoformat()}",
            expected=f"at most {spec.fresh} before the end of the run, {run.end.isoformat()}",
        )


def _asked(query: Query, statement: str) -> object:
    """The first value that ``statement`` answers, in a transaction that changes nothing."""
    place = f"fresh_query of source '{query.source}', connection '{query.spec.connection}'"
    with connected(query.connection, place) as connection:
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute("SET LOCAL search_path = public, pg_catalog")
        rows = connection.execute(text_of(statement)).fetchmany(1)
        connection.rollback()
    return rows[0][0] if rows else None


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time.min, UTC)
    if value is None:
        return None
    raise ConfigError(
        "fresh_query answers no moment",
        got=type(value).__name__,
        expected="one timestamp or date, or null where there is nothing yet",
        next_step="mend fresh_query in sources.yaml: SELECT max(<column>) FROM <table>",
    )
