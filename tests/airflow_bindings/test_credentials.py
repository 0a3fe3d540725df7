"""Store credentials: each team's runs have their own, and no process of Airflow's has any."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_bindings.command import credentials_of
from airflow_bindings.settings import read_settings
from framework.errors import SetupError
from tests.airflow_bindings.platform import Platform

DATE = datetime(2013, 1, 1, tzinfo=UTC)
TEAMS = ("flights", "insights")


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of keys for each team."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    for team in TEAMS:
        file = folder / f"{team}.json"
        file.write_text(json.dumps({"AWS_ACCESS_KEY_ID": team, "AWS_SECRET_ACCESS_KEY": f"hush-{team}"}))
        file.chmod(0o600)
    monkeypatch.setenv("AIRFLOW__TEAMSPARK__CREDENTIALS", str(folder))
    return folder


@pytest.mark.parametrize("team", TEAMS)
def test_a_run_has_its_own_teams_keys_and_nobody_else_has_any(
    platform: Platform, name: str, credentials: Path, team: str
) -> None:
    dag = platform.dag(
        f"""
        with DAG("{team}.{name}", schedule=None):
            Spark(task_id="it", job="jobs.{team}.delays:Delays", retry_delay=0)
        """,
        team=team,
    )
    run = platform.manual(dag, DATE)

    states = platform.run(dag, run)

    assert states == {"it": "success"}
    (told,) = platform.launches(dag.dag_id)
    env = told.pop("env")
    assert {name: value for name, value in env.items() if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID": team,
        "AWS_SECRET_ACCESS_KEY": f"hush-{team}",
    }
    # This process is the task's: it has handed over a name of a file.
    assert not [name for name, value in os.environ.items() if "hush" in value]
    assert "hush" not in json.dumps(told)
    assert "hush" not in json.dumps(platform.xcom(dag, run, "it"))
    (launch,) = platform.launch_names(dag.dag_id)
    home = platform.workspace / ".teamspark/launches/runs" / launch
    assert [file for file in home.iterdir() if file.is_file() and b"hush" in file.read_bytes()] == []


def test_a_team_without_credentials_is_told_before_anything_is_started(
    platform: Platform, name: str, credentials: Path
) -> None:
    (credentials / "flights.json").unlink()
    with pytest.raises(SetupError, match="no credentials for its store") as stop:
        credentials_of(read_settings(), "flights")

    assert str(credentials / "flights.json") in str(stop.value)


def test_where_no_credentials_are_handed_out_none_are_asked_for(platform: Platform) -> None:
    assert credentials_of(read_settings(), "flights") is None


def test_the_team_files_folder_travels_with_the_run(
    platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW__TEAMSPARK__TEAM_FILES", str(tmp_path))
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="it", job=JOB, retry_delay=0)
    """)

    platform.run(dag, platform.manual(dag, DATE))

    (told,) = platform.launches(dag.dag_id)
    assert told["team_files"] == str(tmp_path)
