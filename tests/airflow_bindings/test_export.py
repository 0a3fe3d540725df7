"""``teamspark dags``, as a process of its own: what it asks of DAG files needs no Airflow home and no database."""

import json
import subprocess
import sys
from pathlib import Path

from tests.airflow_bindings.platform import HEAD

FLIGHTS = """
with DAG("flights.daily", schedule=None):
    ingest = Spark(task_id="ingest", job=JOB, stored_as="raw")
    Spark(task_id="delays", job=JOB, inputs={"flights": [ingest.output, ingest.output["rejects"]]},
          job_config={"output": {"default": {"destinations": [{"type": "path", "data": {"path": "out/{{ ds }}"}}]}}})
"""
INSIGHTS = """
with DAG("insights.daily", schedule=None):
    Spark.partial(task_id="joined", job="jobs.insights.joined:Joined", inputs={
        "delays": Upstream("delays", dag_id="flights.daily", team="flights", run="latest", wait="PT1H", max_age="P2D"),
    }).expand(parameters=[{"n": 1}])
"""


def _workspace(place: Path, **files: str) -> Path:
    (place / "k8s" / "teams").mkdir(parents=True)
    for team, body in files.items():
        folder = place / "airflow_bindings" / "dags" / team
        folder.mkdir(parents=True)
        (folder / "daily.py").write_text(HEAD + body)
    return place


def _export(workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return _dags(workspace, "export", *words)


def _dags(workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", "from framework.cli import main; main()"]
    return subprocess.run(
        [*command, "--workspace", str(workspace), "dags", *words],
        cwd=Path.cwd(),
        env={"PATH": "/usr/bin:/bin", "HOME": str(workspace)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_edges_of_all_teams_are_written(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, flights=FLIGHTS, insights=INSIGHTS)

    run = _export(workspace, "--out", str(tmp_path / "edges.json"))

    assert run.returncode == 0, run.stderr
    assert "3 tasks in" in run.stdout
    tasks = {task["task"]["task_id"]: task for task in json.loads((tmp_path / "edges.json").read_text())["tasks"]}
    assert set(tasks) == {"raw", "delays", "joined"}
    assert [(edge["task_id"], edge["output"]) for edge in tasks["delays"]["inputs"]["flights"]] == [
        ("raw", "default"),
        ("raw", "rejects"),
    ]
    assert tasks["delays"]["destinations"] == {"default": [{"type": "path", "data": {"path": "out/{{ ds }}"}}]}
    assert tasks["raw"]["destinations"] == {}
    (edge,) = tasks["joined"]["inputs"]["delays"]
    assert (edge["team"], edge["run"], edge["wait_s"], edge["max_age_s"]) == ("flights", "latest", 3600, 172800)
    assert not (tmp_path / "airflow").exists(), "no Airflow home was made in the user's home"


def test_ports_are_those_of_the_jobs_as_they_are_now(tmp_path: Path) -> None:
    """An export that somebody left beside the DAG files says nothing about a job that is newer than it."""
    job = """
from framework import Frame, Job, Schema
class Row(Schema):
    n: int
class Delays(Job):
    def transform(self, rows: Frame[Row]) -> Frame[Row]:
        return rows
"""
    dag = 'with DAG("flights.new", schedule=None):\n    Spark(task_id="t", job=JOB)\n    Spark(task_id="u", job=JOB + "x")'
    workspace = _workspace(tmp_path, flights=dag)
    (workspace / "airflow_bindings/dags/flights/jobs.json").write_text('{"version": 1, "jobs": {}}')
    (workspace / "jobs/flights").mkdir(parents=True)
    (workspace / "jobs/flights/delays.py").write_text(job)

    run = _export(workspace)

    assert run.returncode == 64
    assert "port 'rows' of jobs.flights.delays:Delays has no edge" in run.stderr
    assert "no job jobs.flights.delays:Delaysx in jobs/flights of this workspace" in run.stderr
    assert "teamspark jobs list flights" in run.stderr


def test_import_errors_of_all_files_stop_the_export(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, flights='with DAG("x"): pass', insights=INSIGHTS + "\nboom")

    run = _export(workspace)

    assert run.returncode == 64
    assert "flights/daily.py" in run.stderr
    assert "insights/daily.py" in run.stderr
    assert "its id must start with 'flights.'" in run.stderr.replace("\n", " ")


def test_two_dags_that_share_a_stored_name_stop_the_export(tmp_path: Path) -> None:
    twin = (
        '\nwith DAG("flights.twin", schedule=None):\n    Spark(task_id="t", job=JOB, stored_as="flights.daily/raw")\n'
    )
    workspace = _workspace(tmp_path, flights=FLIGHTS + twin)

    run = _export(workspace)

    assert run.returncode == 64
    assert "flights/flights.daily/raw: two tasks are stored under this name" in run.stderr


def test_a_run_of_a_dag_that_is_not_there_starts_no_airflow(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, flights=FLIGHTS)

    no_team = _dags(workspace, "run", "bakers.daily", "--date", "2013-01-01")
    no_dag = _dags(workspace, "run", "flights.dialy", "--date", "2013-01-01")

    assert (no_team.returncode, no_dag.returncode) == (64, 64)
    assert "an id that starts with flights." in no_team.stderr
    assert "there is no such DAG" in no_dag.stderr
    assert "expected: flights.daily" in no_dag.stderr
    assert not (workspace / ".teamspark").exists()


def test_a_run_of_a_file_that_does_not_load_tells_why_at_once(tmp_path: Path) -> None:
    workspace = _workspace(
        tmp_path, flights='with DAG("flights.x", schedule=None):\n    Spark(task_id="t", job=JOB, image="x")'
    )

    run = _dags(workspace, "run", "flights.x", "--date", "2013-01-01")

    assert run.returncode == 64
    assert "t: image:" in run.stderr
    assert "registry.host/path/name@sha256:<digest>" in run.stderr


def test_a_run_of_a_team_without_a_team_file_is_refused_at_once(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, flights=FLIGHTS)

    run = _dags(workspace, "run", "flights.daily", "--date", "2013-01-01")

    assert run.returncode == 64
    assert "teamspark new team flights" in run.stderr
    assert not (workspace / ".teamspark").exists()


LATER = FLIGHTS.replace("schedule=None", "schedule=None, start_date=datetime(2026, 1, 1)")


def test_a_date_before_the_dag_begins_is_refused_at_once(tmp_path: Path) -> None:
    """Airflow would make a run without a task, and call it a success."""
    workspace = _workspace(tmp_path, flights=f"from datetime import datetime\n{LATER}")

    run = _dags(workspace, "run", "flights.daily", "--date", "2013-01-01")

    assert run.returncode == 64, run.stderr
    assert "this date is before the DAG's start_date" in run.stderr
    assert "expected: 2026-01-01T00:00:00+00:00 or later" in run.stderr


def test_what_is_wrong_is_told_once_and_without_tracebacks(tmp_path: Path) -> None:
    run = _export(_workspace(tmp_path, flights=FLIGHTS.replace("flights.daily", "insights.daily")))

    assert run.returncode == 64
    assert "Traceback" not in run.stderr
    assert run.stderr.count("its id must start with 'flights.'") == 1
