"""Roles of the metadata database on a real PostgreSQL with Airflow's real schema: each may what its component does, and no more."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from airflow_bindings.onboarding.postgres import connections_needed, database_roles, removal, statements
from framework.servers.ports import free_port
from tests.servers.postgres import Login, Postgres

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(240)]

TEAMS = ("flights", "insights")
# By every role, whatever it is for.
NEVER = {
    "define a table": "CREATE TABLE mine (x int)",
    "change a table": "ALTER TABLE dag ADD COLUMN x int",
    "drop a table": "DROP TABLE dag",
    "empty a table": "TRUNCATE log",
    "another schema version": "UPDATE alembic_version SET version_num = 'x'",
    "undo what was done": "DELETE FROM log",
    "rewrite what was done": "UPDATE log SET owner = 'x'",
    "a role": "CREATE ROLE mine SUPERUSER",
    "more rights": "ALTER ROLE CURRENT_USER SUPERUSER",
    "a database": "CREATE DATABASE mine",
    "a schema": "CREATE SCHEMA mine",
    "an extension": "CREATE EXTENSION dblink",
    "a function of the system": "CREATE FUNCTION f() RETURNS int AS 'x' LANGUAGE c",
    "a program": "COPY log TO PROGRAM 'id'",
    "a file": "SELECT pg_read_file('/etc/passwd')",
    "the owner": "SET ROLE airflow_migrate",
    "passwords": "SELECT * FROM pg_authid",
    "the guard off": "ALTER TABLE connection DISABLE ROW LEVEL SECURITY",
    "a policy": "CREATE POLICY mine ON connection USING (true)",
    "rights to others": "GRANT ALL ON connection TO PUBLIC; SELECT 1/count(*) FROM information_schema.role_table_grants WHERE table_name = 'connection' AND grantee = 'PUBLIC'",
}  # fmt: skip
# By those beside which a team's code runs.
NOT_OF_A_TEAM = {
    "a secret": "INSERT INTO connection (conn_id, conn_type, is_encrypted, is_extra_encrypted) VALUES ('x', 'http', false, false)",
    "another host for a secret": "UPDATE connection SET host = 'evil'",
    "no secret": "DELETE FROM connection",
    "a variable": "UPDATE variable SET val = 'x'",
    "a team": "INSERT INTO team (name) VALUES ('mine')",
    "a larger pool": "UPDATE slot_pool SET slots = 1000",
}


@dataclass(frozen=True)
class Metadata:
    """A migrated database, and how each role gets in."""

    admin: Login
    passwords: dict[str, str]

    def as_role(self, name: str) -> Login:
        return replace(self.admin, user=name, password=self.passwords[name])


@pytest.fixture(scope="module")
def metadata(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metadata]:
    home, name = tmp_path_factory.mktemp("airflow"), f"airflow_{secrets.token_hex(4)}"
    postgres.admin.rows(f"CREATE DATABASE {name}")
    admin = replace(postgres.admin, database=name)
    url = f"postgresql+psycopg://{admin.user}:{admin.password}@{admin.host}:{admin.port}/{name}"
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for _ in range(2):  # the same again changes nothing
        for statement in statements(TEAMS, name):
            admin.rows(statement)
    passwords = {role.name: secrets.token_hex(8) for role in database_roles(TEAMS)}
    for role, password in passwords.items():
        admin.rows(f"ALTER ROLE {role} PASSWORD '{password}'")
    for team in TEAMS:
        admin.rows(f"INSERT INTO team (name) VALUES ('{team}')")
    for conn, whose in (("flights__w", "'flights'"), ("insights__w", "'insights'"), ("shared", "NULL")):
        admin.rows(
            "INSERT INTO connection (conn_id, conn_type, team_name, is_encrypted, is_extra_encrypted) "
            f"VALUES ('{conn}', 'http', {whose}, false, false)"
        )
    yield Metadata(admin, passwords)
    for team in TEAMS:
        for statement in removal(team):
            admin.rows(statement)
    assert admin.rows("SELECT rolname FROM pg_roles WHERE rolname ~ '_(flights|insights)$'") == []


@pytest.mark.parametrize("role", [one.name for one in database_roles(TEAMS)])
def test_what_no_component_may(metadata: Metadata, role: str) -> None:
    login, allowed = metadata.as_role(role), []
    for name, statement in NEVER.items():
        try:
            login.rows(statement)
        except psycopg.Error as error:
            assert not isinstance(error, psycopg.errors.SyntaxError), (name, error)
            continue
        allowed.append(name)

    assert allowed == []


@pytest.mark.parametrize("role", [one.name for one in database_roles(TEAMS) if one.team])
def test_what_a_teams_component_may_not(metadata: Metadata, role: str) -> None:
    login = metadata.as_role(role)
    for name, statement in NOT_OF_A_TEAM.items():
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.rows(statement)
        if "INSERT INTO team" not in statement:
            metadata.admin.rows(f"BEGIN; {statement}; ROLLBACK")  # the witness: it is the role that may not
        assert name


def test_a_teams_component_sees_the_secrets_of_its_team_and_everybodys(metadata: Metadata) -> None:
    seen = {
        role.name: {row[0] for row in metadata.as_role(role.name).rows("SELECT conn_id FROM connection")}
        for role in database_roles(TEAMS)
    }

    everything = {"flights__w", "insights__w", "shared"}
    assert seen["airflow_dag_processor_flights"] == seen["airflow_triggerer_flights"] == {"flights__w", "shared"}
    assert seen["airflow_dag_processor_insights"] == {"insights__w", "shared"}
    assert seen["airflow_api_server"] == seen["airflow_scheduler"] == everything


def test_no_more_connections_than_were_counted(metadata: Metadata) -> None:
    """What ``max_connections`` has to be is their sum."""
    login = metadata.as_role("airflow_triggerer_flights")
    limit = next(role.limit for role in database_roles(TEAMS) if role.name == login.user)
    held = []
    try:
        for _ in range(limit):
            held.append(login.connect())
        with pytest.raises(psycopg.OperationalError, match="too many connections"):
            login.connect()
    finally:
        for one in held:
            one.close()
    assert connections_needed(TEAMS) == sum(role.limit for role in database_roles(TEAMS)) + 3


DAGS = """
from datetime import datetime
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("flights.daily", schedule=None, start_date=datetime(2026, 1, 1)):
    EmptyOperator(task_id="one")
"""


def test_a_dag_processor_works_with_its_teams_role(metadata: Metadata, tmp_path: Path) -> None:
    """The real component: it reads the bundle and writes the DAG, with no more than it was given."""
    bundle = tmp_path / "dags"
    bundle.mkdir()
    (bundle / "daily.py").write_text(DAGS)
    login = metadata.as_role("airflow_dag_processor_flights")
    url = f"postgresql+psycopg://{login.user}:{login.password}@{login.host}:{login.port}/{login.database}"
    config = (
        '[{"name": "flights", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", '
        f'"kwargs": {{"path": "{bundle}"}}, "team_name": "flights"}}]'
    )
    environment = {
        **os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__CORE__MULTI_TEAM": "True", "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": config,
    }  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-m", "airflow", "dag-processor", "--bundle-name", "flights", "--num-runs", "1"],
        env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip

    assert metadata.admin.rows("SELECT dag_id, bundle_name FROM dag") == [("flights.daily", "flights")], (
        done.stdout[-1500:] + done.stderr[-3000:]
    )


COMPONENTS = {
    "airflow_scheduler": ("scheduler", "--num-runs", "2", "--skip-serve-logs"),
    "airflow_triggerer_flights": ("triggerer", "--team-name", "flights", "--skip-serve-logs"),
    "airflow_api_server": ("api-server", "--workers", "1", "--port", "{port}"),
}
DENIED = ("InsufficientPrivilege", "permission denied")
SEEN = {
    "airflow_scheduler": "SELECT count(*) FROM job WHERE job_type = 'SchedulerJob'",
    "airflow_triggerer_flights": "SELECT count(*) FROM job WHERE job_type = 'TriggererJob'",
    "airflow_api_server": "SELECT count(*) FROM pg_stat_activity WHERE usename = 'airflow_api_server'",
}


@pytest.mark.e2e
@pytest.mark.parametrize("role", COMPONENTS)
def test_the_other_components_work_with_theirs(metadata: Metadata, tmp_path: Path, role: str) -> None:
    """Each real component, until it has written that it runs; nothing that it does is denied."""
    login, log = metadata.as_role(role), tmp_path / "log"
    url = f"postgresql+psycopg://{login.user}:{login.password}@{login.host}:{login.port}/{login.database}"
    environment = {
        **os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__CORE__MULTI_TEAM": "True", "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }  # fmt: skip
    words = [word.format(port=free_port()) for word in COMPONENTS[role]]
    with log.open("w") as out, subprocess.Popen(
        [sys.executable, "-m", "airflow", *words], env=environment, stdout=out, stderr=out, cwd=tmp_path, start_new_session=True
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 90
            while metadata.admin.rows(SEEN[role])[0][0] == 0:
                assert process.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, log.read_text()[-2000:]
                time.sleep(0.3)
            time.sleep(3)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    assert not [word for word in DENIED if word in log.read_text()], log.read_text()[-3000:]
