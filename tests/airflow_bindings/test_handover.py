"""Connections on their way to a run: resolved in the running team, in a file that only its owner can read, and gone."""

import json
import subprocess
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from framework.exports import JobsExport
from framework.job import InputPort, JobContract, OutputPort
from framework.schema.spec import Column, SchemaSpec
from tests.airflow_bindings.platform import Platform

DATE = datetime(2013, 1, 1, tzinfo=UTC)
SECRET = "hunter2-hunter2-hunter2"
PARTNER = json.dumps({"conn_type": "aws", "login": "AKIAX", "password": SECRET, "extra": {"endpoint_url": "http://x"}})
WAREHOUSE = json.dumps(
    {"conn_type": "postgres", "host": "db", "port": 5433, "schema": "sales", "login": "me", "password": SECRET}
)
TO_PARTNER = {
    "output": {
        "default": {
            "destinations": [
                {"type": "s3", "data": {"bucket": "reports", "path": "delays/{{ ds }}", "aws_conn_id": "partner"}}
            ]
        }
    }
}


def one(platform: Platform, name: str, jobs: Any = None, **arguments: Any) -> Any:
    return platform.dag(
        f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB, retry_delay=0, **{arguments!r})
        """,
        jobs=jobs,
    )


def left_behind(platform: Platform) -> list[str]:
    """Every file of the platform that holds the secret: its database, logs, launches, configurations.

    Looked for by another process: who opens and closes the database's file beside SQLite lets go of all its process's locks on it,
    and the next process to close it then takes its journal away (SQLite, "How To Corrupt An SQLite Database File", 2.2).
    """
    asked = ["grep", "-rlaF", "-e", SECRET, str(platform.home), str(platform.workspace)]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert found.returncode in (0, 1), found.stderr  # 1: nowhere
    return found.stdout.splitlines()


@pytest.mark.parametrize("deferrable", [False, True], ids=["polling", "deferred"])
def test_a_destinations_connection_is_handed_over_and_leaves_no_trace(
    platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch, capfd: Any, deferrable: bool
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PARTNER", PARTNER)
    dag = one(platform, name, job_config=TO_PARTNER, deferrable=deferrable)
    run = platform.manual(dag, DATE)

    states = platform.run(dag, run)

    assert states == {"delays": "success"}
    (told,) = platform.launches(dag.dag_id)
    (entry,) = told["destinations"]["default"]
    assert entry == {"type": "s3", "data": {"bucket": "reports", "path": "delays/2013-01-01", "aws_conn_id": "partner"}}
    assert told["handed"]["mode"] == "0o600"
    # The witness: the secret did arrive.
    assert told["handed"]["digests"] == {"partner": sha256(SECRET.encode()).hexdigest()}
    assert left_behind(platform) == []
    assert SECRET not in json.dumps(platform.xcom(dag, run, "delays"))
    captured = capfd.readouterr()
    assert SECRET not in captured.out + captured.err
    assert [value for value in told["env"].values() if SECRET in value] == []


def test_what_a_failed_run_was_handed_is_gone_too(
    platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PARTNER", PARTNER)
    dag = one(platform, name, job_config=TO_PARTNER, parameters={"do": "failed"})

    assert platform.run(dag, platform.manual(dag, DATE)) == {"delays": "failed"}

    (launch,) = platform.launch_names(dag.dag_id)
    assert not (platform.workspace / ".teamspark/launches/runs" / launch / "connections.json").exists()
    assert left_behind(platform) == []


def test_without_clearing_it_would_stay(platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The witness."""
    from framework.launch.local import LocalLauncher

    monkeypatch.setenv("AIRFLOW_CONN_PARTNER", PARTNER)
    monkeypatch.setattr(LocalLauncher, "clear", lambda self, name: None)
    dag = one(platform, name, job_config=TO_PARTNER)
    platform.run(dag, platform.manual(dag, DATE))

    (path,) = left_behind(platform)
    assert path.endswith("/connections.json")
    Path(path).unlink()


def test_a_task_that_needs_none_is_handed_none(platform: Platform, name: str) -> None:
    dag = one(platform, name)

    platform.run(dag, platform.manual(dag, DATE))

    (told,) = platform.launches(dag.dag_id)
    assert told["handed"] is None


def test_missing_connections_are_told_before_anything_starts(platform: Platform, name: str, capfd: Any) -> None:
    dag = one(platform, name, job_config=TO_PARTNER, retries=3)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "failed"}
    assert platform.launches(dag.dag_id) == []
    told = capfd.readouterr().out
    assert "the team has no such connection" in told
    assert "partner" in told


def test_what_a_template_became_is_looked_at_again(platform: Platform, name: str, capfd: Any) -> None:
    config = {"output": {"default": {"destinations": [{"type": "path", "data": {"path": "{{ '' }}"}}]}}}
    dag = one(platform, name, job_config=config, retries=3)

    assert platform.run(dag, platform.manual(dag, DATE)) == {"delays": "failed"}
    assert platform.launches(dag.dag_id) == []
    assert "output.default.destinations.0.data.path" in capfd.readouterr().out


ROW = SchemaSpec("Row", (Column("n", "long", nullable=False),))


def exported(*sources: str) -> Any:
    ports = tuple(InputPort(f"p{number}", ROW, source=source) for number, source in enumerate(sources))
    contract = JobContract("jobs.flights.delays:Delays", "", ports, (OutputPort("default", ROW),), (), {}, False)
    return JobsExport.of([contract]).model_dump(mode="json")


@pytest.mark.parametrize(("sources", "handed"), [(("bookings", "files"), ["warehouse"]), (("files",), None)])
def test_a_jobs_sources_bring_their_connections(
    platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch, sources: tuple[str, ...], handed: list[str] | None
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", WAREHOUSE)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", PARTNER)
    folder = platform.workspace / "jobs/flights"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sources.yaml").write_text(
        "bookings: {kind: jdbc, connection: warehouse, table: public.bookings}\n"
        "others: {kind: jdbc, connection: other, table: public.others}\n"
        "files: {format: csv, uri: landing/a.csv}\n"
    )
    try:
        dag = one(platform, name, jobs=exported(*sources))
        platform.run(dag, platform.manual(dag, DATE))
    finally:
        (folder / "sources.yaml").unlink()

    (told,) = platform.launches(dag.dag_id)
    assert (told["handed"] and sorted(told["handed"]["digests"])) == handed
    if handed:
        assert told["handed"]["plain"]["warehouse"] == {
            "kind": "postgres", "host": "db", "port": 5433, "database": "sales", "user": "me"
        }  # fmt: skip
    assert left_behind(platform) == []
