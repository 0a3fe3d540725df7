"""A PostgreSQL of the session's own: on a free port of loopback, in a temporary folder, gone with its last test.

``initdb`` refuses root, so what is started here runs as another user of the machine. Passwords are asked for, as a real
server does: a test of wrong ones would otherwise pass by itself.
"""

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    import psycopg

READY_S: Final = 60.0
_STOP_S: Final = 30.0
_STARTS: Final = 3
_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
_INSTALLED: Final = "/usr/lib/postgresql"
_USERS: Final = ("postgres", "nobody")
# Nothing of it outlives the tests, so nothing need reach the disk; and nothing but TCP on loopback leads to it.
_OPTIONS: Final = (
    "fsync=off", "shared_buffers=32MB", "max_connections=40", "listen_addresses=127.0.0.1",
    "unix_socket_directories=", "logging_collector=off", "log_min_messages=warning",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Login:
    """How a client gets in: to one database, as one user."""

    port: int
    database: str
    user: str
    password: str = field(repr=False)
    host: str = "127.0.0.1"

    def connect(self) -> "psycopg.Connection[Any]":
        """A client's connection that commits by itself, and knows nothing of the code under test."""
        import psycopg

        return psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=self.user,
            password=self.password,
            autocommit=True,
        )

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What a query answers; nothing for another statement."""
        with self.connect() as connection:
            done = connection.execute(statement)
            return list(done.fetchall()) if done.description else []


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server, and its first user."""

    admin: Login
    pid: int

    def database(self) -> Login:
        """A new, empty database with a user of its own, who owns it and nothing else."""
        name, password = f"db_{secrets.token_hex(4)}", secrets.token_hex(16)
        self.admin.rows(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        self.admin.rows(f"CREATE DATABASE {name} OWNER {name}")
        return Login(self.admin.port, name, name, password)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the session."""
    with running() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Login:
    """A database that no other test has."""
    return postgres.database()


@contextmanager
def running() -> Iterator[Postgres]:
    """A server as long as the block lasts. Raises: RuntimeError saying what is missing, or with the end of its log."""
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        admin = _initialised(home)
        with _started(home) as (process, port):
            yield Postgres(Login(port, "postgres", "admin", admin), process.pid)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _initialised(home: Path) -> str:
    """The first user's password."""
    password = secrets.token_hex(16)
    (home / "password").write_text(password)
    user = _other_user()
    if user:
        for path in (home, home / "password"):
            shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
    command = [_program("initdb"), "--pgdata", f"{home}/data", "--username", "admin", "--pwfile", f"{home}/password"]
    command += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    done = subprocess.run(command, cwd=home, env=_environment(), capture_output=True, text=True, timeout=120, user=user)
    if done.returncode:
        raise RuntimeError(f"initdb as {user or 'this user'} failed:\n{done.stdout}\n{done.stderr}")
    return password


def _other_user() -> str | None:
    """Who runs the server: whoever runs the tests, unless that is root. Raises: RuntimeError."""
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError(f"PostgreSQL does not run as root, and there is none of the users {', '.join(_USERS)}")


def _program(name: str) -> str:
    """The newest installed; Debian keeps them out of PATH. Raises: RuntimeError saying what to install."""
    found = sorted(Path(_INSTALLED).glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3].partition(".")[0]))
    if found:
        return str(found[-1])
    on_path = shutil.which(name)
    if on_path is None:
        raise RuntimeError(f"no {name}: install PostgreSQL's server (Debian and Ubuntu: apt-get install postgresql)")
    return on_path


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


@contextmanager
def _started(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Another process may take the port between the look and the start: then another is tried."""
    for last in [False] * (_STARTS - 1) + [True]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = _start(home, port)
        try:
            if _ready(process, port):
                yield process, port
                return
            if last:
                raise RuntimeError(f"no PostgreSQL after {_STARTS} starts:\n{_log_end(home)}")
        finally:
            _stop(process)


def _start(home: Path, port: int) -> subprocess.Popen[bytes]:
    command = [_program("postgres"), "-D", f"{home}/data", "-p", str(port)]
    command += [part for option in _OPTIONS for part in ("-c", option)]
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=home,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=_other_user(),
            preexec_fn=_die_with_parent,  # noqa: PLW1509 only one call of the system between fork and exec
        )


def _die_with_parent() -> None:
    """A test run that is killed must not leave a server behind: its "fast" stop, which takes its children along."""
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGQUIT)


def _ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it answers before its time is up; False when it ended, as it does when the port was taken."""
    deadline = time.monotonic() + READY_S
    command = [_program("pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-t", "2"]
    while process.poll() is None and time.monotonic() < deadline:
        if subprocess.run(command, env=_environment(), capture_output=True, timeout=10).returncode == 0:
            return True
        time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGQUIT)  # at once: nothing is kept
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)


def _log_end(home: Path) -> str:
    return (home / "log").read_text(errors="replace")[-3000:]
