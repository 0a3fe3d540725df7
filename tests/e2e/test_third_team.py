"""A third team in the demo's workspace: one file and one command, and its job runs; taken away, nothing of it is left."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.airflow, pytest.mark.spark, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
TEAM = """
team: weather
owners: [weather@example.org]
store: {kind: directory, root: .teamspark/demo/store}
reads: ["landing/weather/*"]
airflow: {pool_slots: 3, connections: [warehouse]}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The demo's code and team files, where new ones can be added."""
    for room in ("framework", "k8s", "jobs", "airflow_bindings"):
        (tmp_path / room).mkdir()
        for one in (ROOT / room).iterdir():
            if one.name not in ("teams", "dags", "__pycache__"):
                (tmp_path / room / one.name).symlink_to(one)
    for folder in ("k8s/teams", "airflow_bindings/dags"):
        (tmp_path / folder).mkdir()
        for one in (ROOT / folder).iterdir():
            (tmp_path / folder / one.name).symlink_to(one)
    return tmp_path


def teamspark(workspace: Path, *words: str, **variables: str) -> str:
    code = "import sys; sys.argv[0] = 'teamspark'; from framework.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--workspace", str(workspace), *words],
        cwd=workspace, env={**os.environ, **variables}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-3000:])
    return done.stdout + done.stderr


def rows_of(database: Path, team: str) -> dict[str, int]:
    """How many rows name the team, by table."""
    with sqlite3.connect(database) as connection:
        count = {
            "team": "SELECT count(*) FROM team WHERE name = ?",
            "slot_pool": "SELECT count(*) FROM slot_pool WHERE team_name = ? OR pool = ?1",
            "connection": "SELECT count(*) FROM connection WHERE team_name = ? OR conn_id LIKE ?1 || '__%'",
            "dag_bundle_team": "SELECT count(*) FROM dag_bundle_team WHERE team_name = ?",
        }
        return {table: connection.execute(statement, (team,)).fetchone()[0] for table, statement in count.items()}


def test_a_third_team(workspace: Path) -> None:
    (workspace / "k8s/teams/weather.yaml").write_text(TEAM)
    teamspark(workspace, "new", "job", "weather", "storms")
    teamspark(workspace, "new", "dag", "weather", "storms")
    landed = workspace / "landing/weather/storms"
    landed.mkdir(parents=True)
    shutil.copy(workspace / "jobs/weather/fixtures/storms/two_days/in.rows.csv", landed / "days.csv")

    said = teamspark(workspace, "dags", "run", "weather.storms", "--date", "2026-01-01")

    assert "storms" in said
    (run,) = json.loads(teamspark(workspace, "outputs", "ls", "weather/weather.storms/storms", "--json"))
    assert run["path"].startswith("/weather/weather.storms/storms/20260101T000000Z")
    home = workspace / ".teamspark/demo/airflow"
    assert rows_of(home / "airflow.db", "weather") == {"team": 1, "slot_pool": 1, "connection": 0, "dag_bundle_team": 1}

    gone = teamspark(workspace, "team", "offboard", "weather", "--layer", "airflow", "--apply", AIRFLOW_HOME=str(home))

    assert "the outputs of 'weather' are where they were" in gone
    assert set(rows_of(home / "airflow.db", "weather").values()) == {0}
    assert rows_of(home / "airflow.db", "flights")["team"] == 1
    (workspace / "k8s/teams/weather.yaml").unlink()
    listed = teamspark(workspace, "team", "list", "--layer", "airflow", AIRFLOW_HOME=str(home))
    assert "weather" not in listed
