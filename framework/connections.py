"""How to get in somewhere outside: what whoever starts a run hands over to it, in one file that only its owner can read.

The exported configuration names a connection; this file holds it. Nothing here is ever printed: no record shows a
secret in its ``repr``, no error quotes what a file holds.
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import yaml
from pydantic import Field, ValidationError

from framework.errors import ConfigError
from framework.masking import MASK
from framework.records import Record

LAPTOP: Final = ".teamspark/connections.yaml"
VARIABLE: Final = "TEAMSPARK_CONN_"
NAME: Final = r"^[A-Za-z0-9_.-]{1,200}$"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
# What options of ours are no secret; any other may be one.
_HARMLESS: Final = frozenset({"endpoint_url", "region_name", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl"})
_SHORTEST: Final = 4
"""A shorter secret is found in any text, and hiding it would only tell where it is."""


class Connection(Record):
    """One connection. ``kind``: what is at the other end, as Airflow calls it (``postgres``, ``aws``).

    ``database`` is what Airflow calls ``schema``, ``options`` its ``extra``. For ``aws``, ``user`` and ``password`` are
    the two keys.
    """

    kind: str
    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65_535)
    database: str | None = None
    user: str | None = None
    password: str | None = Field(default=None, repr=False)
    options: Mapping[str, str] = Field(default_factory=dict, repr=False)

    def secrets(self) -> tuple[str, ...]:
        """What must be in no text, the longest first."""
        found = [self.password or "", *(value for name, value in self.options.items() if name not in _HARMLESS)]
        return tuple(sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True))


class Connections(Record):
    """The connections of one run, by name."""

    version: Literal[1] = 1
    connections: Mapping[str, Connection] = Field(default_factory=dict, repr=False)

    def get(self, name: str, *, kind: str, where: object) -> Connection:
        """Raises: ConfigError when it was not handed over, or is of another kind."""
        found = self.connections.get(name)
        if found is None:
            raise ConfigError(
                "a connection was not handed over",
                where=where,
                got=name,
                expected=f"one of {', '.join(sorted(self.connections)) or '(none)'}",
                next_step=f"in Airflow: add connection '{name}' to the team; here: {LAPTOP}, or {variable_of(name)}",
            )
        if found.kind != kind:
            raise ConfigError(
                "a connection is to something else",
                where=where,
                got=f"'{name}' is of type {found.kind}",
                expected=f"type {kind}",
                next_step="name another connection, or mend its type",
            )
        return found

    def hide(self, text: str) -> str:
        """``text`` without any secret of these connections, whatever form it is in."""
        for connection in self.connections.values():
            for secret in connection.secrets():
                text = text.replace(secret, MASK)
        return text


NONE: Final = Connections()


def parse_connections(text: str | bytes, *, where: str) -> Connections:
    """The connections in JSON or YAML. Raises: ConfigError with every mistake, and none of the values."""
    try:
        data: Any = yaml.safe_load(text) or {}
        return Connections.model_validate(data, strict=False)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError("not YAML", where=where, got=f"line {mark.line + 1}" if mark else None) from None
    except ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc']))}: {one['type'].replace('_', ' ')}" for one in error.errors()]
        raise ConfigError(
            "mistakes in the connections",
            where=where,
            details=told,
            expected="connections: {<name>: {kind, host, port, database, user, password, options}}",
        ) from None


def others_of(told: os.stat_result, user: int) -> int:
    """The bits of a file's mode that let others than ``user`` read it. What root has put there for another user is read through its
    group alone: so a Secret is mounted in a pod, whose group nobody else has.
    """
    return stat.S_IRWXO if told.st_uid == 0 != user else _OTHERS


def read_connections(path: Path) -> Connections:
    """The connections in the file ``path``. Raises: ConfigError, also when others than its owner may read it."""
    try:
        with path.open("rb") as file:
            told = os.fstat(file.fileno())
            mode = told.st_mode
            if mode & others_of(told, os.geteuid()):
                raise ConfigError(
                    "others may read this file of secrets",
                    where=str(path),
                    got=oct(stat.S_IMODE(mode)),
                    expected="0o600",
                    next_step=f"chmod 600 {path}, and change what it holds if they did read it",
                )
            return parse_connections(file.read(), where=str(path))
    except OSError as error:
        raise ConfigError("the connections cannot be read", where=str(path), got=error.strerror) from None


def laptop_connections(workspace: Path, environ: Mapping[str, str]) -> Connections:
    """Those of the workspace's own file, and those in the environment, which go before. Raises: ConfigError."""
    path = workspace / LAPTOP
    found = dict(read_connections(path).connections) if path.exists() else {}
    known = {variable_of(name): name for name in found}
    for variable, text in environ.items():
        if variable.startswith(VARIABLE):
            name = known.get(variable, variable.removeprefix(VARIABLE).lower())
            found[name] = _of_uri(text, variable)
    return Connections(connections=found)


def variable_of(name: str) -> str:
    """The environment variable that holds the connection ``name``."""
    return VARIABLE + re.sub(r"[^A-Z0-9]", "_", name.upper())


def only(names: Iterable[str], given: Connections) -> Connections:
    """Those of ``given`` that are called ``names``."""
    return Connections(connections={name: given.connections[name] for name in names if name in given.connections})


def _of_uri(text: str, variable: str) -> Connection:
    """As Airflow writes connections: ``postgres://user:password@host:5432/database?option=value``."""
    try:
        parts = urlsplit(text)
        return _of_parts(parts)
    except (ValueError, ValidationError):
        raise ConfigError(
            "not a connection", where=variable, expected="postgres://<user>:<password>@<host>:<port>/<database>"
        ) from None


def _of_parts(parts: SplitResult) -> Connection:
    def plain(found: str | None) -> str | None:
        return unquote(found) if found else None

    if not parts.scheme:
        raise ValueError
    kind = "postgres" if parts.scheme == "postgresql" else parts.scheme
    return Connection(
        kind=kind,
        host=plain(parts.hostname),
        port=parts.port,
        database=plain(parts.path.removeprefix("/")),
        user=plain(parts.username),
        password=plain(parts.password),
        options=dict(parse_qsl(parts.query)),
    )
