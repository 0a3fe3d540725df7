"""The walls of a real Airflow between two teams: over REST as their users, and from inside their tasks; and where there is none."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_bindings.local.settings import ADMIN, AirflowStack, TeamBundle
from airflow_bindings.local.supervisor import Running, running
from airflow_bindings.testing.kit import AirflowKit, User
from framework.servers.ports import free_port
from framework.testing.isolation import Attack, Matrix, Wish, everything_of, outcome_of
from framework.testing.isolation_plugin import lines_of

pytestmark = [pytest.mark.airflow, pytest.mark.e2e, pytest.mark.timeout(400)]

TEAMS = ("flights", "insights")
DAG = """
import os
from datetime import datetime
from airflow.sdk import DAG, BaseHook, Variable, task
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

def tried(deed):
    try:
        return str(deed())
    except Exception as error:  # whatever it is, its name is the answer
        return f"{{type(error).__name__}}"

def written(key, value):
    Variable.set(key, value)
    return "written"

with DAG("{team}.daily", schedule=None, start_date=datetime(2013, 1, 1)):
    @task
    def attack(ti=None):
        return {{
            "own connection": tried(lambda: BaseHook.get_connection("{team}__spark").host),
            "connection of the environment": tried(lambda: BaseHook.get_connection("{other}__spark").host),
            "connection of the database": tried(lambda: BaseHook.get_connection("{other}__warehouse").password),
            "everybody's connection": tried(lambda: BaseHook.get_connection("shared").host),
            "own variable": tried(lambda: Variable.get("{team}__x")),
            "variable": tried(lambda: Variable.get("{other}__x")),
            "xcom": tried(lambda: ti.xcom_pull(dag_id="{other}.daily", task_ids="attack", run_id=ti.run_id) or 1 / 0),
            "database": tried(lambda: __import__("sqlalchemy").create_engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]).connect()),
        }}

    @task
    def holes():
        return {{
            "overwritten variable": tried(lambda: written("{other}__y", "forged")),
            "the key that opens secrets": tried(lambda: "AIRFLOW__CORE__FERNET_KEY" in os.environ),
        }}

    attack()
    holes()

with DAG("{team}.reach", schedule=None, start_date=datetime(2013, 1, 1)):
    TriggerDagRunOperator(task_id="start", trigger_dag_id="{other}.daily", conf={{"team": "{team}"}}, trigger_run_id="forged-by-{team}")
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("walls")
    stack = AirflowStack(place / "airflow", tuple(_bundle(place, *pair) for pair in (TEAMS, TEAMS[::-1])), free_port())
    with running(stack) as one:
        admin = one.client(ADMIN)
        for team in TEAMS:
            facts = {"conn_type": "http", "host": "x", "password": f"secret of {team}", "team_name": team}
            _made(admin.call("POST", "/api/v2/connections", {"connection_id": f"{team}__warehouse", **facts}))
            for key in ("x", "y"):
                _made(
                    admin.call("POST", "/api/v2/variables", {"key": f"{team}__{key}", "value": team, "team_name": team})
                )
            _made(admin.call("POST", "/api/v2/pools", {"name": team, "slots": 4, "team_name": team}))
        _made(
            admin.call(
                "POST", "/api/v2/connections", {"connection_id": "shared", "conn_type": "http", "host": "everybody"}
            )
        )
        for team in TEAMS:
            for dag in ("daily", "reach"):
                while one.client(team).dag(f"{team}.{dag}") is None:
                    one.check()
                    time.sleep(0.3)
                one.client(team).unpause(f"{team}.{dag}")
        yield one


def _bundle(place: Path, team: str, other: str) -> TeamBundle:
    (place / team).mkdir()
    (place / team / "dags.py").write_text(DAG.format(team=team, other=other))
    return TeamBundle(team, place / team)


def _made(reply: Any) -> None:
    assert reply.status in (200, 201), reply


def told(live: Running, team: str, task: str) -> dict[str, str]:
    """What a task of the team's own DAG found out."""
    from datetime import UTC, datetime

    client = live.client(team)
    run = client.trigger(f"{team}.daily", datetime.now(UTC))
    assert client.wait(run, timeout_s=180) == "success", client.log(run, client.task_instances(run)[0])
    found: dict[str, str] = client.xcom(run, task)
    return found


def test_over_rest_no_wall_has_a_hole(live: Running) -> None:
    users = tuple(User(team, live.client(team), f"{team}.daily") for team in TEAMS)
    kit = AirflowKit(users, User(ADMIN, live.client(ADMIN), ""))

    results = [outcome_of(one) for one in everything_of(kit)]

    wrong = [f"{one.of}: {one.outcome} {one.told}" for one in results if not one.good]
    assert wrong == [], "\n".join(["", *wrong, *lines_of(Matrix(results, kit.gaps()))])
    assert Matrix(results).unwitnessed() == []
    assert sum(isinstance(one.of, Attack) for one in results) >= 50
    assert sum(isinstance(one.of, Wish) for one in results) >= 16


@pytest.mark.parametrize("team", TEAMS)
def test_from_inside_a_task(live: Running, team: str) -> None:
    """Beside each refusal what the team itself gets: the witness that the question is asked well."""
    found = told(live, team, "attack")

    assert found["own connection"] == "local[2]"
    assert found["everybody's connection"] == "everybody"
    assert found["own variable"] == team
    assert found["connection of the environment"] == found["connection of the database"] == "AirflowNotFoundException"
    assert found["variable"] == "AirflowRuntimeError"
    assert found["xcom"] == "AirflowRuntimeError"
    assert "Error" in found["database"]


def test_where_airflow_has_no_wall(live: Running) -> None:
    """Known, and told in the matrix: what is ours reads no Variable, and a run that somebody else started is the other team's."""
    found = told(live, "flights", "holes")
    assert found == {"overwritten variable": "written", "the key that opens secrets": "True"}
    assert live.client(ADMIN).call("GET", "/api/v2/variables/insights__y").body["value"] == "forged"

    from datetime import UTC, datetime

    client, other = live.client("flights"), live.client("insights")
    run = client.trigger("flights.reach", datetime.now(UTC))
    assert client.wait(run, timeout_s=120) == "success"
    forged = other.call("GET", "/api/v2/dags/insights.daily/dagRuns/forged-by-flights").body
    assert forged["conf"] == {"team": "flights"}
    while (state := other.call("GET", "/api/v2/dags/insights.daily/dagRuns/forged-by-flights").body["state"]) in (
        "queued",
        "running",
    ):
        time.sleep(0.5)
    assert state == "success"
    told_team = other.call(
        "GET", "/api/v2/dags/insights.daily/dagRuns/forged-by-flights/taskInstances/attack/xcomEntries/return_value"
    ).body["value"]
    assert "insights" in str(told_team)  # its own variable: the run is of insights, whatever conf says
