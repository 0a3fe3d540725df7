"""``team_scoped``: any provider's hook, operator or sensor finds the running team's connections, on real servers."""

import json
from typing import Any

import pytest

from airflow_bindings import team_scoped
from framework.errors import DefinitionError, PolicyError
from framework.servers.documents import serving
from tests.airflow_bindings.platform import Platform
from tests.servers.postgres import Login
from tests.servers.seaweed import REGION, Seaweed

pytestmark = [
    pytest.mark.timeout(180),
    # Providers warn about themselves, and about each other.
    pytest.mark.filterwarnings("ignore"),
]

HEAD = """
        from airflow_bindings import team_scoped
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
        from airflow.providers.amazon.aws.operators.s3 import S3CreateObjectOperator
        from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
        from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
        from airflow.providers.http.hooks.http import HttpHook
        from airflow.providers.http.operators.http import HttpOperator
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        with DAG("{team}.{name}", schedule=None):
"""


def ran(platform: Platform, name: str, body: str, team: str = "flights") -> tuple[Any, str, dict[str, str]]:
    """A DAG of the team, run in this process."""
    dag = platform.dag(HEAD.format(team=team, name=name) + body, team=team)
    run = platform.manual(dag)
    return dag, run, platform.run(dag, run)


@pytest.fixture
def lake(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket, and a connection of flights to it."""
    extra = {"endpoint_url": seaweed.endpoint, "region_name": REGION}
    told = {"conn_type": "aws", "login": seaweed.admin.access, "password": seaweed.admin.secret, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTS__LAKE", json.dumps(told))
    return seaweed.bucket()


def test_a_hook_an_operator_and_a_sensor_of_s3(platform: Platform, name: str, lake: str) -> None:
    body = f"""
            @task
            def read():
                return team_scoped(S3Hook)(aws_conn_id="lake").read_key("x", "{lake}")

            put = team_scoped(S3CreateObjectOperator)(
                task_id="put", s3_bucket="{lake}", s3_key="x", data="told", aws_conn_id="lake"
            )
            seen = team_scoped(S3KeySensor)(task_id="seen", bucket_name="{lake}", bucket_key="x", aws_conn_id="lake")
            put >> seen >> read()
    """

    dag, run, states = ran(platform, name, body)

    assert states == {"put": "success", "seen": "success", "read": "success"}
    assert platform.xcom(dag, run, "read") == "told"


def test_a_hook_and_an_operator_of_postgres(
    platform: Platform, name: str, database: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "conn_type": "postgres", "host": database.host, "port": database.port, "login": database.user,
        "password": database.password, "schema": database.database,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTS__WAREHOUSE", json.dumps(told))
    body = """
            @task
            def read():
                return team_scoped(PostgresHook)("warehouse").get_first("SELECT x FROM told")[0]

            made = team_scoped(SQLExecuteQueryOperator)(
                task_id="made", conn_id="warehouse", sql="CREATE TABLE told AS SELECT 7 AS x"
            )
            made >> read()
    """

    dag, run, states = ran(platform, name, body)

    assert states == {"made": "success", "read": "success"}
    assert platform.xcom(dag, run, "read") == 7


def test_a_hook_and_an_operator_of_http(platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = """
            @task
            def read():
                return team_scoped(HttpHook)("GET", http_conn_id="partner").run("told").json()["x"]

            team_scoped(HttpOperator)(task_id="asked", http_conn_id="partner", endpoint="told", method="GET") >> read()
    """
    with serving({"/told": {"x": 7}}) as (url, _):
        monkeypatch.setenv("AIRFLOW_CONN_FLIGHTS__PARTNER", json.dumps({"conn_type": "http", "host": url}))
        dag, run, states = ran(platform, name, body)

    assert states == {"asked": "success", "read": "success"}
    assert platform.xcom(dag, run, "read") == 7


FOREIGN = """
            team_scoped(HttpOperator)(task_id="asked", http_conn_id="{conn_id}", endpoint="told", method="GET")
"""


@pytest.mark.parametrize("conn_id", ["partner", "flights__partner"])
def test_another_teams_connection_is_not_found(
    platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch, conn_id: str
) -> None:
    """In this process nothing hides connections of others: the witness, which is not scoped, finds it."""
    with serving({"/told": {"x": 7}}) as (url, _):
        monkeypatch.setenv("AIRFLOW_CONN_FLIGHTS__PARTNER", json.dumps({"conn_type": "http", "host": url}))
        monkeypatch.setenv("AIRFLOW_CONN_PARTNER", json.dumps({"conn_type": "http", "host": url}))
        _, _, states = ran(platform, name, FOREIGN.format(conn_id=conn_id), team="insights")
        unscoped = FOREIGN.format(conn_id=conn_id).replace("team_scoped(HttpOperator)", "HttpOperator")
        _, _, witness = ran(platform, f"{name}w", unscoped, team="insights")

    assert states == {"asked": "failed"}
    assert witness == {"asked": "success"}


def test_outside_of_a_task_no_team_runs(platform: Platform) -> None:
    from airflow.providers.http.hooks.http import HttpHook

    with pytest.raises(PolicyError, match="no task runs here"):
        team_scoped(HttpHook)(http_conn_id="partner").get_conn()


def test_it_is_still_the_providers_class(platform: Platform) -> None:
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.providers.http.operators.http import HttpOperator

    for cls in (HttpHook, HttpOperator):
        made = team_scoped(cls)
        assert issubclass(made, cls)
        assert (made.__name__, made.__module__) == (cls.__name__, cls.__module__)
        assert team_scoped(made) is made


def test_what_is_neither_is_told(platform: Platform) -> None:
    with pytest.raises(DefinitionError, match="not a hook, an operator or a sensor"):
        team_scoped(dict)
