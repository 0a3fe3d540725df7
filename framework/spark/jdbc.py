"""Reading a declared source in PostgreSQL, by Spark's JDBC reader: columns by name, every check measured.

The password is an option of the reader, never a setting of the session: Spark shows settings in its UI and writes them to
the event log, of a reader it shows the relation only.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from framework.connections import Connection
from framework.errors import ConfigError, SchemaMismatch, SetupError, StoreUnavailable, clip
from framework.postgres.client import REACHING
from framework.schema.spec import SchemaSpec
from framework.spark.columns import plain_type
from framework.spark.faults import Fault, store_fault
from framework.spark.files import full_text
from framework.spark.formats import CORRUPT, declared, missing, type_mistakes
from framework.spark.sources import SourceRows, read_parsed

_DRIVER: Final = "org.postgresql.Driver"
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]")
_AT_ONCE: Final = "10000"
_FOREIGN: Final = "PSQLException"
_SAID: Final = re.compile(r"PSQLException: ([^\n]*)")

# In the order in which they are believed.
_FAULTS: Final = (
    Fault(
        r"password authentication failed|no pg_hba\.conf entry|role \"[^\"]*\" does not exist|no password was provided",
        "the database does not let this user in",
        SetupError,
        "mend the connection's user and password",
    ),
    Fault(
        r"database \"[^\"]*\" does not exist",
        "there is no such database",
        SetupError,
        "mend the connection's database (Airflow: schema)",
    ),
    Fault(
        r"permission denied",
        "this user may not read that",
        SetupError,
        "grant it: SELECT on the table, USAGE on its schema",
    ),
    Fault(
        r"division by zero|invalid input syntax|out of range|numeric field overflow",
        "the statement fails on the rows that there are",
        ConfigError,
        "mend the query in sources.yaml",
    ),
    Fault(
        r"(?:relation|column|schema|function|operator|type)\b[^\n]{0,120} does not exist|syntax error[^\n]{0,80}"
        r"|[^\n]{0,80} is ambiguous|missing FROM-clause[^\n]{0,80}",
        "the statement means nothing to the database",
        ConfigError,
        "mend table or query in sources.yaml",
    ),
)
# Whatever else its driver says: a broken connection has many words, and each of them may be gone next time.
_AWAY: Final = (
    Fault(
        _FOREIGN,
        "the database is not reached, or broke off",
        StoreUnavailable,
        "run again; look at the connection's host and port",
    ),
)


@dataclass(frozen=True, slots=True)
class QueryRead:
    """What is read. ``relation``: what stands after ``FROM``; ``partition``: options of Spark's reader."""

    relation: str
    connection: Connection = field(repr=False)
    partition: Mapping[str, str] = field(default_factory=dict)


def read_query(spark: SparkSession, query: QueryRead, spec: SchemaSpec, *, port: str, where: str) -> SourceRows:
    """The rows of ``query`` as ``spec``, measured, and kept: asked again, the database might answer otherwise.

    Check names start with ``port``. Raises: SchemaMismatch, CheckFailed, ConfigError, SetupError, StoreUnavailable.
    """
    with querying(where=where):
        frame = spark.read.format("jdbc").options(**_options(query, where)).load()
        types = {one.name: plain_type(one.jsonValue()["type"]) for one in frame.schema.fields}
        _require_columns(types, spec, where)
        whole = frame.withColumn(CORRUPT, F.lit(None).cast("string"))
        return read_parsed(declared(whole, list(types), spec), spec, port=port, where=where)


def _require_columns(types: Mapping[str, Any], spec: SchemaSpec, where: str) -> None:
    """Raises: SchemaMismatch with every column that is not there, or not of the declared type."""
    told = [*(line for column in spec.columns for line in missing(column, types)), *type_mistakes(types, spec, None)]
    if told:
        raise SchemaMismatch(
            f"the source does not hold the columns of {spec.name}",
            where=where,
            details=told,
            next_step="name the columns as the table does, with Field(alias=...), or select and cast them in a query",
        )


def _options(query: QueryRead, where: str) -> dict[str, str]:
    to = query.connection
    if to.host is None or not _HOST.fullmatch(to.host):
        raise ConfigError(
            "not a host", where=where, got=clip(to.host or "nothing", 80), next_step="mend the connection"
        )
    reaching = {name: value for name, value in to.options.items() if name in REACHING}
    return {
        **reaching,
        **query.partition,
        # A name may hold what a URL has a meaning for; everything else is a property of its own.
        "url": f"jdbc:postgresql://{to.host}:{to.port or 5432}/{quote(to.database or 'postgres', safe='')}",
        "driver": _DRIVER,
        "dbtable": query.relation,
        "user": to.user or "",
        "password": to.password or "",
        "fetchsize": _AT_ONCE,
        "preferTimestampNTZ": "true",
        "connectTimeout": "15",
        "loginTimeout": "15",
        "ApplicationName": "teamspark",
    }


@contextmanager
def querying(*, where: str) -> Iterator[None]:
    """A block in which Spark asks a database: what its driver raises becomes our error, without host, user or rows.

    Any other failure passes through. Raises: ConfigError, SetupError, StoreUnavailable.
    """
    try:
        yield
    except (PySparkException, Py4JError) as error:
        text = full_text(error)
        if _FOREIGN not in text:
            raise
        # The server's own words: Spark calls whatever it refused a syntax error.
        told = store_fault("\n".join(_SAID.findall(text)), _FAULTS, where=where)
        if told is None:
            told = store_fault(text, _AWAY, where=where)
            assert told is not None, "its sign is what was looked for"
            told.got = None  # who was not reached is in the connection, not in a log
        raise told from None
