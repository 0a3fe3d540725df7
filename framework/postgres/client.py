"""A connection to PostgreSQL, made from what was handed over: by parameters, never by one text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from framework.connections import Connection
from framework.errors import SetupError

if TYPE_CHECKING:
    import psycopg

KIND: Final = "postgres"
CONNECT_S: Final = 15
# Names are what they say, whoever made a function of the same name; and a try that stands still must neither hold a row
# for ever, nor wait for one that does.
_SETTINGS: Final = (
    "-c search_path=pg_catalog -c timezone=UTC -c lock_timeout=300s -c idle_in_transaction_session_timeout=300s"
)
# Of a connection's options, those that say how to reach the server. Others are another program's.
REACHING: Final = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")


@contextmanager
def connected(to: Connection, place: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection for the block, in which a transaction goes on until it is committed.

    Raises: SetupError, ConfigError or StoreUnavailable, with ``place``, for whatever PostgreSQL refuses in the block.
    """
    try:
        import psycopg

        from framework.postgres.errors import translated
    except ImportError as error:
        raise SetupError(
            "PostgreSQL needs psycopg",
            where=place,
            got=str(error),
            next_step="run this where jobs run, or install teamspark[jobs]",
        ) from error
    with translated(place), psycopg.connect(**_parameters(to)) as connection:
        yield connection


def _parameters(to: Connection) -> dict[str, Any]:
    """One by one: nothing in a password can then be taken for something else."""
    reaching = {name: value for name, value in to.options.items() if name in REACHING}
    told = {"host": to.host, "port": to.port, "dbname": to.database, "user": to.user}
    return {
        **reaching,
        **{name: value for name, value in told.items() if value is not None},
        "password": to.password or "",
        "passfile": "",  # nobody's but the connection's own
        "connect_timeout": CONNECT_S,
        "application_name": "teamspark",
        "client_encoding": "UTF8",
        "options": _SETTINGS,
        "keepalives_idle": 30,
    }


def text_of(statement: str) -> Any:
    """A statement that was made of quoted names. psycopg wants to see that it is a constant."""
    return cast("Any", statement)
