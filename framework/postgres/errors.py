"""What PostgreSQL's errors mean to who runs a job: codes as a table, and one border where they turn.

Only the server's first sentence is told: what follows it quotes rows, and libpq's own texts say who, where and how.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

import psycopg

from framework.errors import ConfigError, SetupError, StoreUnavailable, TeamsparkError


class Fact(NamedTuple):
    """What an error becomes."""

    kind: type[TeamsparkError]
    what: str
    next_step: str


_LOGIN: Final = Fact(SetupError, "the database does not let this user in", "mend the connection's user and password")
_NO_DATABASE: Final = Fact(SetupError, "there is no such database", "mend the connection's database (Airflow: schema)")
_RIGHTS: Final = Fact(SetupError, "this user may not do that in the database", "grant it, or use another connection")
_ROWS: Final = Fact(
    ConfigError, "the database refuses the rows", "mend them, or the table's types and constraints, then clear the task"
)
_WORDING: Final = Fact(ConfigError, "the statement means nothing to the database", "mend its names or its grammar")
_BUSY: Final = Fact(StoreUnavailable, "the database cannot do it now", "run again")
_AWAY: Final = Fact(
    StoreUnavailable, "the database is not reached", "run again; look at the connection's host and port"
)
_OTHER: Final = Fact(StoreUnavailable, "the database answers with an error", "look at the code; run again")

# From the particular to the general: whole codes before their first two characters, their class.
_CODES: Final[Mapping[str, Fact]] = {
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": _NO_DATABASE,
    "42501": _RIGHTS,
    "08": _AWAY,
    "22": _ROWS,
    "23": _ROWS,
    "40": _BUSY,
    "42": _WORDING,
    "53": _BUSY,
    "55": _BUSY,
    "57": _BUSY,
}
# A refused login has no code in libpq, only the server's words.
_WORDS: Final = (
    ("password authentication failed", _LOGIN),
    ("no password supplied", _LOGIN),
    ("pg_hba.conf", _LOGIN),
    ('role "', _LOGIN),
    ('database "', _NO_DATABASE),
    ("too many", _BUSY),
    ("starting up", _BUSY),
    ("shutting down", _BUSY),
)


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raises: SetupError, ConfigError or StoreUnavailable, with ``place``, for psycopg's own inside."""
    try:
        yield
    except psycopg.Error as error:
        fact, words = _told(error)
        # Without its cause: libpq quotes what it was given.
        raise fact.kind(fact.what, where=place, got=words, next_step=fact.next_step) from None


def _told(error: psycopg.Error) -> tuple[Fact, str]:
    code = error.sqlstate
    if code is not None:
        fact = _CODES.get(code) or _CODES.get(code[:2]) or _OTHER
        of = error.diag.constraint_name or error.diag.column_name
        return fact, f"{error.diag.message_primary or 'no message'} ({code}{f', {of}' if of else ''})"
    text = str(error).strip().rpartition("failed: ")[2].partition("\n")[0]
    if isinstance(error, psycopg.DataError):
        return _ROWS, text
    if not isinstance(error, psycopg.OperationalError):
        return _OTHER, type(error).__name__
    known = next((fact for words, fact in _WORDS if words in str(error)), None)
    return known or _AWAY, text if known or "refused" in text or "timeout" in text else "no connection"
