"""A real Airflow with two teams: it runs their DAGs, keeps their secrets apart, and leaves nothing behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

import pytest

from airflow_bindings.local.errors import AirflowRefused
from airflow_bindings.local.settings import AirflowStack, TeamBundle
from airflow_bindings.local.supervisor import Running, running
from framework.errors import ServerFailed, SetupError
from framework.launch import sessions
from framework.servers import processes
from framework.servers.ports import free_port

pytestmark = [pytest.mark.airflow, pytest.mark.e2e, pytest.mark.timeout(300)]

DAY = datetime(2013, 1, 1, tzinfo=UTC)
DAG = """
import os, time
from datetime import datetime
from airflow.sdk import DAG, task
from airflow.sdk import BaseHook

def host(name):
    try:
        return BaseHook.get_connection(name).host
    except Exception as error:  # whatever it is, its name is the answer
        return type(error).__name__

with DAG("{team}.daily", schedule="@daily", start_date=datetime(2013, 1, 1), catchup=False):
    @task
    def look(**context):
        return {{
            "team": context["dag_run"].team_name,
            "date": str(context["logical_date"]),
            "own": host("{team}__spark"),
            "other": host("{other}__spark"),
            "visible": [name for name in os.environ if name.startswith("AIRFLOW_CONN")],
        }}
    look()

with DAG("{team}.slow", schedule=None):
    @task
    def sleep():
        time.sleep(600)
    sleep()
"""
TEAMS = ("flights", "insights")


def bundles(tmp_path: Path) -> tuple[TeamBundle, ...]:
    for team, other in zip(TEAMS, reversed(TEAMS), strict=True):
        (tmp_path / team).mkdir(exist_ok=True)
        (tmp_path / team / "dags.py").write_text(DAG.format(team=team, other=other))
    return tuple(TeamBundle(team, tmp_path / team) for team in TEAMS)


def holders(home: Path) -> set[int]:
    """Living processes that were started for this stack: they work in its home."""
    found = set()
    for place in Path("/proc").iterdir():
        with suppress(OSError):
            if place.name.isdigit() and (place / "cwd").readlink().is_relative_to(home):
                found.add(int(place.name))
    return found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("stack with spaces")
    stack = AirflowStack(place / "airflow", bundles(place), free_port())
    with running(stack) as one:
        for team in TEAMS:
            while one.client(team).dag(f"{team}.daily") is None:
                one.check()
                time.sleep(0.3)
            one.client(team).unpause(f"{team}.daily")
        yield one
    assert holders(stack.home) == set()
    assert [part.name for part in one.parts if sessions.members(part.session)] == []


@pytest.mark.parametrize("team", TEAMS)
def test_each_teams_dag_runs_with_its_own_connection_only(live: Running, team: str) -> None:
    client = live.client(team)

    run = client.trigger(f"{team}.daily", DAY)
    state = client.wait(run, timeout_s=120)

    assert state == "success", client.log(run, client.task_instances(run)[0])
    found = client.xcom(run, "look")
    assert found["other"] != "local[2]"
    assert {**found, "other": None} == {
        "team": team,
        "date": "2013-01-01 00:00:00+00:00",
        "own": "local[2]",
        "other": None,
        "visible": [],
    }


def test_a_cleared_run_runs_again(live: Running) -> None:
    client, date = live.client("flights"), datetime(2013, 2, 1, tzinfo=UTC)
    run = client.trigger("flights.daily", date)
    client.wait(run, timeout_s=120)

    client.clear(run)
    state = client.wait(run, timeout_s=120)

    assert (state, client.run_of("flights.daily", date)) == ("success", run)
    assert [one["try_number"] for one in client.task_instances(run)] == [2]


def test_a_date_has_one_run(live: Running) -> None:
    client, date = live.client("insights"), datetime(2013, 3, 1, tzinfo=UTC)
    assert client.run_of("insights.daily", date) is None
    run = client.trigger("insights.daily", date)

    with pytest.raises(AirflowRefused, match="409"):
        client.trigger("insights.daily", date)

    client.delete(run)
    assert client.run_of("insights.daily", date) is None


def test_a_user_sees_only_its_team(live: Running) -> None:
    with pytest.raises(AirflowRefused, match="403"):
        live.client("insights").dag("flights.daily")

    assert live.client("admin").dag("flights.daily") is not None


def test_a_home_has_one_stack(live: Running) -> None:
    with pytest.raises(SetupError, match="already running"), running(live.stack):
        pass


@pytest.mark.long
def test_a_port_that_is_taken_is_said(live: Running, tmp_path: Path) -> None:
    second = AirflowStack(tmp_path / "airflow", bundles(tmp_path), live.stack.port)

    with pytest.raises(ServerFailed, match="api-server ended"), running(second):
        pass

    assert holders(second.home) == set()


PROGRAM = """
import sys, time
from pathlib import Path
from airflow_bindings.local.settings import AirflowStack, TeamBundle
from framework.servers.signals import interruptible
from airflow_bindings.local.supervisor import running
from framework.servers.ports import free_port

home, dags = map(Path, sys.argv[1:])
with interruptible(), running(AirflowStack(home, (TeamBundle("flights", dags),), free_port()), say=print) as live:
    client = live.client("flights")
    while client.dag("flights.slow") is None:
        time.sleep(0.3)
    client.unpause("flights.slow")
    run = client.trigger("flights.slow", None)
    while client.task_instances(run)[0]["state"] != "running":
        time.sleep(0.3)
    print("BUSY", flush=True)
    while True:
        time.sleep(1)
"""


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A stack in a process of its own, with a task in the middle of its work."""
    bundles(tmp_path)
    command: list[str | Path] = [sys.executable, "-u", "-c", PROGRAM, tmp_path / "airflow", tmp_path / "flights"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        said = list(takewhile(lambda line: line != "BUSY\n", program.stdout))
        assert program.poll() is None, "".join(said)
        yield program
        program.kill()
    processes.end_leftovers(tmp_path / "airflow" / "processes.json")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_signal_ends_everything_even_a_running_task(
    tmp_path: Path, busy: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert len(holders(tmp_path / "airflow")) > 3

    busy.send_signal(number)
    busy.communicate(timeout=60)

    assert busy.returncode == 128 + number
    assert holders(tmp_path / "airflow") == set()


@pytest.mark.long
def test_what_a_kill_leaves_the_next_start_ends(tmp_path: Path, busy: subprocess.Popen[str]) -> None:
    busy.kill()
    busy.communicate(timeout=60)
    assert len(holders(tmp_path / "airflow")) > 3

    processes.end_leftovers(tmp_path / "airflow" / "processes.json")

    assert holders(tmp_path / "airflow") == set()
