"""The tests' own PostgreSQL: it asks for passwords, keeps users apart, and leaves nothing behind."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.servers.postgres import Postgres, running

ROOT = Path(__file__).parents[2]


def test_each_test_has_a_database_and_a_user_of_its_own(postgres: Postgres) -> None:
    one, two = postgres.database(), postgres.database()

    one.rows("CREATE TABLE t (a int)")

    assert one.rows("SELECT count(*) FROM t") == [(0,)]
    assert two.rows("SELECT to_regclass('t')") == [(None,)]


def test_a_wrong_password_is_refused_and_the_right_one_is_not(postgres: Postgres) -> None:
    login = postgres.database()

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        replace(login, password="no").connect()
    assert login.rows("SELECT 1") == [(1,)]


def test_it_is_gone_afterwards_with_its_files() -> None:
    with running() as server:
        home = Path(f"/proc/{server.pid}/cwd").readlink()
        assert server.admin.rows("SELECT 1") == [(1,)]

    assert not Path(f"/proc/{server.pid}").exists()
    assert not home.exists()


def test_it_dies_with_a_test_run_that_is_killed() -> None:
    code = "import time; from tests.servers.postgres import running\nwith running() as s: print(s.pid, flush=True); time.sleep(99)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())

    process.kill()
    process.wait()
    process.stdout.close()

    deadline = time.monotonic() + 20
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
