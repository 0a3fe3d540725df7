"""``check``: definitions, edges, and source text; with the two exported files it needs no pyspark."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.cli.checking import check_edges, check_grants, check_source
from framework.config import DestinationEntry, EdgeRef
from framework.exports import EdgesExport, JobsExport, TaskEdges
from framework.identity import TaskKey
from framework.job import Frame, Job, JobContract, contract_of
from framework.schema.model import Schema
from framework.tenancy.load import load_teams
from tests.framework.cli.conftest import Teamspark

ROOT = Path(__file__).resolve().parents[3]


class Written(Schema):
    name: str
    amount: int
    note: str | None


class Wanted(Schema):
    name: str
    amount: float


class WantedNote(Schema):
    note: str


class Produce(Job):
    def transform(self, rows: Frame[Written]) -> Frame[Written]:
        return rows


class Fits(Job):
    def transform(self, rows: Frame[Written], extra: Frame[Written] | None) -> Frame[Written]:
        return rows


class Breaks(Job):
    def transform(self, rows: Frame[Wanted]) -> Frame[Wanted]:
        return rows


class BreaksOnNulls(Job):
    def transform(self, rows: Frame[WantedNote]) -> Frame[WantedNote]:
        return rows


CONTRACTS = {
    name: contract_of(job)
    for name, job in vars().copy().items()
    if isinstance(job, type) and issubclass(job, Job) and job is not Job
}


def named() -> dict[str, JobContract]:
    """Contracts under the short names that these tests use in edges."""
    return CONTRACTS


def task(task_id: str, team: str = "flights") -> TaskKey:
    return TaskKey(team, f"{team}.daily", task_id)


def ref(task_id: str, **more: Any) -> EdgeRef:
    return EdgeRef(team="flights", dag_id="flights.daily", task_id=task_id, same_dag=True, **more)


def edges(*consumers: TaskEdges) -> EdgesExport:
    produced = TaskEdges(task=task("produce"), job="Produce", inputs={"rows": (ref("produce"),)})
    return EdgesExport(tasks=(produced, *consumers))


def told(*consumers: TaskEdges) -> list[tuple[str, str]]:
    return [(one.severity, one.what) for one in check_edges(named(), edges(*consumers))]


def test_an_edge_that_fits_is_no_finding() -> None:
    assert told(TaskEdges(task=task("fits"), job="Fits", inputs={"rows": (ref("produce"),)})) == []


@pytest.mark.parametrize(
    ("job", "column", "why"),
    [("Breaks", "amount", "bigint"), ("BreaksOnNulls", "note", "null")],
)
def test_who_breaks_is_told_by_task_port_column_and_producer(job: str, column: str, why: str) -> None:
    consumer = TaskEdges(task=task("consumer"), job=job, inputs={"rows": (ref("produce"),)})

    (found,) = check_edges(named(), edges(consumer))

    assert found.severity == "error"
    assert all(part in found.where for part in ("flights/flights.daily/consumer", "'rows'"))
    assert all(part in found.what for part in (column, why, "flights/flights.daily/produce"))


CASES: dict[str, tuple[TaskEdges, str, str]] = {
    "no such output": (
        TaskEdges(task=task("c"), job="Fits", inputs={"rows": (ref("produce", output="rejects"),)}),
        "error",
        "rejects",
    ),
    "port without an edge": (TaskEdges(task=task("c"), job="Fits"), "error", "port 'rows'"),
    "no such port": (
        TaskEdges(task=task("c"), job="Fits", inputs={"rows": (ref("produce"),), "row": (ref("produce"),)}),
        "error",
        "'row'",
    ),
    "unknown job": (TaskEdges(task=task("c"), job="Absent"), "error", "Absent"),
    "another version": (
        TaskEdges(task=task("c"), job="Fits", contract="f" * 64, inputs={"rows": (ref("produce"),)}),
        "error",
        "another version",
    ),
    "producer not exported": (
        TaskEdges(task=task("c"), job="Fits", inputs={"rows": (ref("elsewhere"),)}),
        "warning",
        "elsewhere",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_everything_else_that_can_be_wrong_with_an_edge(name: str) -> None:
    consumer, severity, part = CASES[name]

    found = told(consumer)

    assert [(one, part in what) for one, what in found] == [(severity, True)]


def test_a_producer_without_a_job_cannot_be_compared() -> None:
    container = TaskEdges(task=task("container"))
    consumer = TaskEdges(task=task("c"), job="Fits", inputs={"rows": (ref("container"),)})

    assert [severity for severity, _ in told(container, consumer)] == ["warning"]


def test_reading_another_team_needs_its_grant(workspace: Path, team: str) -> None:
    (workspace / "k8s/teams/flights.yaml").write_text(
        "team: flights\nowners: [a@b.c]\nstore: {kind: directory, root: store}\n"
    )
    consumer = TaskEdges(task=task("c", team), job="Fits", inputs={"rows": (ref("produce"),)})

    refused = check_edges(named(), edges(consumer), load_teams(workspace))
    (workspace / "k8s/teams/flights.yaml").write_text(
        "team: flights\nowners: [a@b.c]\nstore: {kind: directory, root: store}\n"
        f"grants: [{{to: {team}, read: [flights.daily/produce]}}]\n"
    )
    granted = check_edges(named(), edges(consumer), load_teams(workspace))

    assert ["may not read" in one.what for one in refused] == [True]
    assert granted == ()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("spark.sparkContext.parallelize([])", "sparkContext"),
        ("frame.rdd.map(f)", "rdd"),
        ("spark._jvm.java.lang.System.exit(0)", "_jvm"),
        ("frame._jdf", "_jdf"),
    ],
)
def test_what_connect_lacks_is_found_in_the_text(line: str, name: str) -> None:
    (found,) = check_source(f"x = 1\n{line}\n", where="jobs/a/b.py")

    assert found.where == "jobs/a/b.py:2"
    assert f".{name} " in found.what


@pytest.mark.parametrize("text", ["# frame.rdd is gone", "'frame.rdd'", "rdd = 1", "def (:"])
def test_words_that_are_no_use_of_it_are_not(text: str) -> None:
    assert check_source(text, where="x") == ()


JOB = """
from framework import Frame, Job, Schema

class Row(Schema):
    name: str

class Copy(Job):
    def transform(self, rows: Frame[Row]) -> Frame[Row]:
        return rows
"""


def test_a_clean_workspace_passes(teamspark: Teamspark, workspace: Path, team: str) -> None:
    (workspace / f"jobs/{team}/copy.py").write_text(JOB)

    done = teamspark("check", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"jobs": 1, "edges": None, "findings": []}


def test_findings_are_told_and_end_with_exit_code_1(teamspark: Teamspark, workspace: Path, team: str) -> None:
    (workspace / f"jobs/{team}/copy.py").write_text(JOB.replace("return rows", "return rows.rdd.toDF()"))

    done = teamspark("check")

    assert done.exit_code == 1
    assert f"jobs/{team}/copy.py:9" in done.stdout
    assert "1 error(s)" in done.stdout


SOURCED = JOB.replace("from framework import", "from typing import Annotated\n\nfrom framework import Source,").replace(
    "rows: Frame[Row])", 'rows: Annotated[Frame[Row], Source("landed")])'
)


S3_ENTRY = DestinationEntry(type="s3", data={"bucket": "partner", "path": "delays/daily"})


def to(kind: str, **data: str) -> DestinationEntry:
    return DestinationEntry(type=kind, data=dict(data))


@pytest.mark.parametrize(
    ("entry", "writes", "severity"),
    [
        (S3_ENTRY, "s3://partner/delays/*", None),
        (S3_ENTRY, "s3://partner/other/*", "error"),
        (to("path", path="out/../out/delays"), "out/*", None),
        (to("path", path="out/../../delays"), "out/*", "error"),
        (to("path", path="out/{{ ds }}"), "out/*", "warning"),
        # Whoever gave the connection says what it may do.
        (to("s3", bucket="partner", path="x", aws_conn_id="partner"), "out/*", None),
        (to("postgres", table="sums", postgres_conn_id="warehouse"), "out/*", None),
        (to("ftp", host="x"), "out/*", "error"),
    ],
)
def test_a_place_that_no_connection_opens_has_to_be_permitted(
    workspace: Path, team: str, entry: DestinationEntry, writes: str, severity: str | None
) -> None:
    file = workspace / f"k8s/teams/{team}.yaml"
    file.write_text(file.read_text() + f'writes: ["{writes}"]\n')
    delivering = TaskEdges(task=task("p", team), job="Produce", destinations={"default": (entry,)})

    found = check_edges(named(), edges(delivering), load_teams(workspace))

    mine = [one for one in found if "output 'default'" in one.where]
    assert [one.severity for one in mine] == ([] if severity is None else [severity])
    if severity == "error" and entry.type != "ftp":
        assert "may not deliver to this place" in mine[0].what
        assert "writes" in mine[0].what


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (None, ["declares no source 'landed'; it has none"]),
        ("other: {format: csv, uri: a}", ["declares no source 'landed'; it has other"]),
        (
            "landed: {format: xml, uri: 's3://B/x'}",
            ["landed.format: expected 'csv', 'json' or 'parquet'", "landed.uri"],
        ),
        ("landed: {kind: jdbc, connection: w, table: a, query: b}", ["either table or query"]),
        ("landed: [", ["not YAML"]),
        ("landed: {kind: jdbc, connection: w, table: a}", []),
    ],
)
def test_sources_that_are_wrong_or_missing_are_told(
    teamspark: Teamspark, workspace: Path, team: str, declared: str | None, told: list[str]
) -> None:
    (workspace / f"jobs/{team}/copy.py").write_text(SOURCED)
    if declared is not None:
        (workspace / f"jobs/{team}/sources.yaml").write_text(declared)

    done = teamspark("check")

    assert done.exit_code == (1 if told else 0), done.stdout
    for words in told:
        assert words in " ".join(done.stdout.split())


@pytest.mark.parametrize("text", ["", "{", '{"version": 2}', '{"version": 1, "tasks": [{"job": 3}]}', "[]"])
def test_a_file_that_is_no_export_is_a_wrong_configuration(teamspark: Teamspark, tmp_path: Path, text: str) -> None:
    path = tmp_path / "edges.json"
    path.write_text(text)

    done = teamspark("check", "--edges", path)

    assert done.exit_code == 64
    assert "edges.json" in done.stderr


def test_a_file_that_is_not_there_is_a_wrong_configuration(teamspark: Teamspark, tmp_path: Path) -> None:
    done = teamspark("check", "--jobs", tmp_path / "absent.json")

    assert done.exit_code == 64


@pytest.fixture
def exported(tmp_path: Path, workspace: Path, team: str) -> Callable[[], tuple[Path, Path]]:
    """jobs.json and edges.json of a consumer that breaks."""

    def write() -> tuple[Path, Path]:
        jobs, known = tmp_path / "jobs.json", tmp_path / "edges.json"
        consumer = TaskEdges(task=task("c", team), job="Breaks", inputs={"rows": (produced_ref,)})
        jobs.write_text(json.dumps({"version": 1, "jobs": {name: one.to_json() for name, one in CONTRACTS.items()}}))
        known.write_bytes(EdgesExport(tasks=(produced, consumer)).json_bytes())
        return jobs, known

    produced = TaskEdges(task=task("produce", team), job="Produce", inputs={"rows": ()})
    produced_ref = EdgeRef(team=team, dag_id=f"{team}.daily", task_id="produce", same_dag=True)
    return write


def test_two_files_are_compared_without_pyspark_and_without_airflow(
    exported: Callable[[], tuple[Path, Path]], workspace: Path
) -> None:
    jobs, known = exported()
    # An environment in which neither can be imported.
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('pyspark', 'airflow', 'pyarrow')))\n"
        "from framework.cli import main; main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, "--workspace", workspace, "check", "--jobs", jobs, "--edges", known],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 1, done.stderr
    assert "amount" in done.stdout
    assert "1 error(s)" in done.stdout


def test_the_exports_keep_what_they_hold() -> None:
    jobs = JobsExport.of(CONTRACTS.values())
    known = edges(
        TaskEdges(
            task=task("fits"),
            job="Fits",
            inputs={"rows": (ref("produce", wait_s=60),)},
            destinations={"a": (S3_ENTRY,)},
        )
    )

    assert JobsExport.parse_json(jobs.json_bytes(), where="jobs.json").contracts() == jobs.contracts()
    assert EdgesExport.parse_json(known.json_bytes(), where="edges.json") == known


@pytest.mark.parametrize(
    ("task", "severity"),
    [("flights.daily/delayz", "error"), ("flights.weekly/delays", "warning"), ("flights.daily/delays", None)],
)
def test_a_grant_of_what_is_not_there(tmp_path: Path, task: str, severity: str | None) -> None:
    (tmp_path / "k8s/teams").mkdir(parents=True)
    for name, more in (("flights", f"grants: [{{to: insights, read: [{task}]}}]\n"), ("insights", "")):
        text = f"team: {name}\nowners: [a@b.c]\nstore: {{kind: directory, root: x}}\n{more}"
        (tmp_path / f"k8s/teams/{name}.yaml").write_text(text)
    known = EdgesExport(tasks=(TaskEdges(task=TaskKey("flights", "flights.daily", "delays")),))

    found = check_grants(known, load_teams(tmp_path))

    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(f"grants {task} to 'insights': no such task" in one.what for one in found)
