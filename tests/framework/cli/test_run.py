"""``run`` and ``explain``: the real thing in a process of its own, and every mistake before any JVM is started."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from framework.cli.asking import Ask, prepare
from framework.cli.running import compare
from framework.cli.scope import Scope
from framework.config import RunResult
from framework.errors import CheckFailed
from framework.identity import RunKey
from framework.report import Account, result_of
from framework.storage.posix import DirectoryStore
from tests.framework.cli.conftest import Teamspark
from tests.framework.cli.datasets import Amount, Dataset, publish

ROOT = Path(__file__).resolve().parents[3]

JOB = """
from typing import Annotated

from annotated_types import Ge

from framework import Frame, Job, Run, Schema

class Amount(Schema, key=("name",)):
    name: str
    amount: Annotated[float, Ge(0)] | None

class Copy(Job):
    at_least: float = 0.0
    tags: list[str] = []

    def transform(self, rows: Frame[Amount], more: Frame[Amount] | None) -> Frame[Amount]:
        return rows.where(f"amount is null or amount >= {self.at_least}")

class Both(Job):
    def transform(self, rows: Frame[Amount], more: Frame[Amount]) -> Frame[Amount]:
        return rows

class Dated(Job):
    def transform(self, rows: Frame[Amount], run: Run) -> Frame[Amount]:
        return rows.where(f"'{run.date}' is not null")
"""


@pytest.fixture
def job(workspace: Path, team: str) -> str:
    """The name of a job that copies its rows."""
    (workspace / f"jobs/{team}/copy.py").write_text(JOB)
    return f"jobs.{team}.copy:Copy"


class Mistake(NamedTuple):
    """Options that are wrong, the exit code, and words of the message."""

    options: tuple[str, ...]
    code: int
    told: tuple[str, ...]


MISTAKES = {
    "unknown port": Mistake(("--input", "row={rows}"), 64, ("row", "rows")),
    "port without an edge": Mistake((), 64, ("nothing for rows", "--input rows=FILE")),
    "neither file nor task": Mistake(("--input", "rows=nowhere.csv"), 64, ("nowhere.csv", "neither a file nor a task")),
    "not an assignment": Mistake(("--input", "rows"), 64, ("rows: not NAME=VALUE",)),
    "nothing behind the =": Mistake(("--input", "rows="), 64, ("'rows' is fed by nothing", "rows=FILE")),
    "two files": Mistake(("--input", "rows={rows}", "--input", "rows={rows}"), 64, ("one file",)),
    "folder without rows": Mistake(("--input", "rows={folder}"), 64, ("in.rows.csv",)),
    "wrong parameter": Mistake(("--input", "rows={rows}", "--param", "at_least=much"), 64, ("at_least", "much")),
    "unknown parameter": Mistake(("--input", "rows={rows}", "--param", "at_lest=1"), 64, ("at_lest", "at_least")),
    "no date": Mistake(("--input", "rows={rows}", "--date", "yesterday"), 64, ("yesterday", "2013-01-01")),
    "the last day there is": Mistake(("--input", "rows={rows}", "--date", "9999-12-31"), 64, ("not a date", "9999")),
    "digits for a date": Mistake(("--input", "rows={rows}", "--date", "1" * 300), 64, ("not a date",)),
    "task without a date": Mistake(("--input", "rows={team}/{team}.daily/x"), 64, ("--date",)),
    "not published": Mistake(("--input", "rows={team}/{team}.daily/x", "--date", "2013-01-01"), 75, ("not published",)),
    "no such team": Mistake(("--input", "rows=nobody/nobody.daily/x", "--date", "2013-01-01"), 64, ("nobody",)),
    "no fixtures": Mistake(("--fixtures", "nowhere"), 64, ("nowhere",)),
    "a column too much": Mistake(("--input", "rows={columns}"), 64, ("amuont", "amount")),
    "a value of another type": Mistake(("--input", "rows={types}"), 64, ("amount", "lots")),
    "a Spark setting that loads code": Mistake(
        ("--input", "rows={rows}", "--conf", "spark.jars.packages=a:b:1"),
        64,
        ("--conf", "spark.jars.packages: it loads code"),
    ),
    "a misspelt Spark setting": Mistake(
        ("--input", "rows={rows}", "--conf", "spark.sql.shufle.partitions=1"), 64, ("spark.sql.shuffle.partitions",)
    ),
    "a Spark setting of the platform": Mistake(
        ("--input", "rows={rows}", "--conf", "spark.sql.ansi.enabled=hunter2"),
        64,
        ("spark.sql.ansi.enabled: the platform sets it, to true",),
    ),
    "no JSON": Mistake(("--input", "rows={json}"), 64, ("JSON",)),
}


@pytest.mark.parametrize("command", ["run", "explain"])
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_before_anything_is_started_or_written(
    teamspark: Teamspark, workspace: Path, job: str, rows: Path, team: str, name: str, command: str
) -> None:
    mistake = MISTAKES[name]
    places = {"columns": "name,amuont\na,1\n", "types": "name,amount\na,lots\n", "json": "[{"}
    paths = {what: rows.with_name(f"{what}.{'json' if what == 'json' else 'csv'}") for what in places}
    for what, path in paths.items():
        path.write_text(places[what])
    (rows.parent / "folder").mkdir()
    words = {"rows": rows, "folder": rows.parent / "folder", "team": team, **paths}

    done = teamspark(command, job, *(option.format(**words) for option in mistake.options))

    assert done.exit_code == mistake.code, done.stderr
    assert [word for word in mistake.told if word not in done.stderr] == []
    assert not (workspace / ".teamspark").exists()


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("copy:Copy", 64, "jobs.<team>.<module>:<Class>"),
        ("jobs.{team}.copi:Copy", 64, "copy"),
        ("jobs.{team}.copy:Copi", 64, "Copy"),
        ("jobs.{team}.copy:Amount", 65, "not a job"),
        ("jobs.{team}.../copy:Copy", 64, "not a job name"),
    ],
)
def test_a_job_that_is_none(teamspark: Teamspark, job: str, team: str, name: str, code: int, told: str) -> None:
    done = teamspark("run", name.format(team=team))

    assert done.exit_code == code
    assert told in done.stderr


def test_another_team_is_read_by_its_grant_only(teamspark: Teamspark, workspace: Path, job: str) -> None:
    bakers = "team: bakers\nowners: [a@b.c]\nstore: {kind: directory, root: store}\n"
    file = workspace / "k8s/teams/bakers.yaml"
    file.write_text(bakers)
    key = RunKey("bakers", "bakers.daily", "sales", "20130101T000000Z")
    publish(DirectoryStore(workspace / "store"), Dataset(key, [{"name": "a", "amount": 1.0}]))
    options = ("explain", job, "--date", "2013-01-01", "--input", f"rows={key.task}", "--json")

    refused = teamspark(*options)
    file.write_text(f"{bakers}grants: [{{to: {job.split('.')[1]}, read: [bakers.daily/sales]}}]\n")
    granted = teamspark(*options)

    assert (refused.exit_code, "may not read" in refused.stderr) == (65, True)
    assert granted.exit_code == 0
    (read,) = json.loads(granted.stdout)["inputs"]["rows"]
    assert (read["attempt"], read["rows"]) == (1, 1)


def explained(done: Any) -> Any:
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_plan_is_explained(teamspark: Teamspark, job: str, rows: Path, team: str) -> None:
    told = explained(
        teamspark("explain", job, "--date", "2013-01-01", "--input", f"rows={rows}", "--param", "at_least=2", "--json")
    )

    assert told["parameters"] == {"at_least": 2.0, "tags": []}
    assert told["key"] == f"{team}/_local/copy.copy/20130101T000000Z"
    assert (told["run"]["start"], told["run"]["end"]) == ("2013-01-01T00:00:00+00:00", "2013-01-02T00:00:00+00:00")
    assert told["inputs"] == {"rows": [{"from": "fixture", "path": str(rows), "rows": 2}], "more": []}
    assert told["outputs"]["default"]["checks"] == ["name.null", "amount.ge", "key"]
    assert [segment["encoded"] for segment in told["segments"]][:2] == [team, "_local"]


def test_columns_that_a_named_file_lacks_are_told(teamspark: Teamspark, job: str, rows: Path) -> None:
    """It may be somebody's data: what was made up has to be known."""
    whole = teamspark("explain", job, "--input", f"rows={rows}")
    rows.write_text("name\na\n")
    lacking = teamspark("explain", job, "--input", f"rows={rows}")
    rows.write_bytes("name\nÅrhus\n".encode("latin-1"))
    odd = teamspark("explain", job, "--input", f"rows={rows}")

    assert (whole.exit_code, "lacks" in whole.stderr) == (0, False)
    assert lacking.exit_code == 0
    assert "lacks amount: filled" in lacking.stderr.replace("\n", " ")
    assert (odd.exit_code, "a file is not UTF-8" in odd.stderr) == (64, True)


def test_every_setting_says_who_set_it(
    teamspark: Teamspark, job: str, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--conf spark.sql.ansi.enabled=false --driver-memory 2g pyspark-shell")
    told = explained(
        teamspark("explain", job, "--input", f"rows={rows}", "--conf", "spark.sql.shuffle.partitions=3", "--json")
    )

    settings = {one["key"]: (one["value"], one["set_by"], one["over"]) for one in told["settings"]}
    assert settings["spark.sql.shuffle.partitions"] == ("3", "author", [])
    assert settings["spark.driver.memory"] == ("2g", "spark-submit", [])
    assert settings["spark.sql.ansi.enabled"] == ("true", "platform", ["spark-submit"])


def test_a_plan_for_people_has_the_same_facts(teamspark: Teamspark, job: str, rows: Path) -> None:
    done = teamspark("explain", job, "--input", f"rows={rows}")

    assert done.exit_code == 0
    for part in (job, "the DAG id", "nothing: the port is optional", "amount.ge", "spark.sql.ansi.enabled", "2 rows"):
        assert part in done.stdout


def test_a_folder_feeds_the_port_that_its_file_names(teamspark: Teamspark, job: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "in.rows.json").write_text('[{"name": "a"}]')
    (folder / "in.more.json").write_text("[]")

    told = explained(teamspark("explain", job, "--input", f"rows={folder}", "--input", f"more={folder}", "--json"))

    assert {port: reads[0]["rows"] for port, reads in told["inputs"].items()} == {"rows": 1, "more": 0}


def test_what_is_published_feeds_a_port_as_a_union(teamspark: Teamspark, workspace: Path, job: str, team: str) -> None:
    keys = [RunKey(team, f"{team}.daily", name, "20130101T000000Z") for name in ("one", "other")]
    for key in keys:
        publish(DirectoryStore(workspace / "store"), Dataset(key, [{"name": key.task_id, "amount": 1.0}]))
    options = [part for key in keys for part in ("--input", f"rows={key.task}")]

    told = explained(teamspark("explain", job, "--date", "2013-01-01", *options, "--json"))

    assert [read["path"].split("/")[3] for read in told["inputs"]["rows"]] == ["one", "other"]


def test_a_run_here_writes_to_this_machine_and_reads_the_shared_store(workspace: Path, team: str) -> None:
    scope = Scope(workspace)

    private, shared = scope.world.writing_to(scope.local_store), scope.world

    assert private.output_store(team).root == str(workspace / ".teamspark/local")
    assert private.store(team).root == str(workspace / "store")
    # The witness: without writing_to, the same world writes to what all share.
    assert shared.output_store(team).root == str(workspace / "store")


def process(workspace: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own: a session lives as long as its process."""
    return subprocess.run(
        [sys.executable, "-m", "framework.cli", "--workspace", workspace, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def outside(workspace: Path) -> dict[str, bytes]:
    """Every file of the workspace that is not below .teamspark, nor compiled."""
    files = (path for path in workspace.rglob("*") if path.is_file())
    kept = (path for path in files if not {".teamspark", "__pycache__"} & set(path.relative_to(workspace).parts))
    return {str(path): path.read_bytes() for path in kept}


@pytest.mark.spark
def test_a_new_job_runs_on_its_fixtures_as_written(teamspark: Teamspark, workspace: Path, team: str) -> None:
    teamspark("new", "job", team, "totals")
    case = workspace / f"jobs/{team}/fixtures/totals/two_days"
    before = outside(workspace)

    done = process(workspace, "run", f"jobs.{team}.totals:Totals", "--fixtures", case, "--json")

    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (told["result"]["verdict"], told["result"]["outputs"]["default"]["rows"]) == ("published", 2)
    assert told["case"]["same"] is True
    assert outside(workspace) == before
    assert list((workspace / ".teamspark/logs").iterdir()) == []


@pytest.fixture
def case(workspace: Path, job: str, team: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case of the copying job that expects what it is given."""
    folder = workspace / f"jobs/{team}/fixtures/copy/one"
    folder.mkdir(parents=True)
    for name in ("in.rows.csv", "out.default.csv"):
        (folder / name).write_text("name,amount\na,1\nb,5\n")
    monkeypatch.syspath_prepend(workspace)
    return folder


def compared(workspace: Path, job: str, case: Path, *, run: Callable[[DirectoryStore, RunKey], RunResult]) -> Any:
    """What ``run --fixtures`` says of a run that has ended as ``run`` says."""
    store = DirectoryStore(workspace / ".teamspark/local")
    prepared = prepare(Ask(job, fixtures=case), workspace)
    _, found = compare(prepared, lambda: run(store, prepared.request.config.key), store)
    return found


def publishing(*rows: dict[str, Any]) -> Callable[[DirectoryStore, RunKey], RunResult]:
    def run(store: DirectoryStore, key: RunKey) -> RunResult:
        return result_of(publish(store, Dataset(key, rows)), Account("published", {}))

    return run


def failing(failed: dict[str, int]) -> Callable[[DirectoryStore, RunKey], RunResult]:
    def run(store: DirectoryStore, key: RunKey) -> RunResult:
        raise CheckFailed("rows break checks", failed=failed)

    return run


def test_published_rows_are_compared_with_the_case(workspace: Path, job: str, case: Path) -> None:
    same = compared(workspace, job, case, run=publishing({"name": "b", "amount": 5.0}, {"name": "a", "amount": 1.0}))
    other = compared(workspace, job, case, run=publishing({"name": "a", "amount": 2.0}, {"name": "b", "amount": 5.0}))

    assert same.differences == {}
    assert "amount: expected 1.0, got 2.0" in other.differences["default"]


def test_checks_must_fail_as_the_case_says(workspace: Path, job: str, case: Path) -> None:
    with pytest.raises(CheckFailed):
        compared(workspace, job, case, run=failing({"default.amount.ge": 1}))
    (case / "case.yaml").write_text("fails: {default.amount.ge: 1}\n")

    told = compared(workspace, job, case, run=failing({"default.amount.ge": 1}))
    more = compared(workspace, job, case, run=failing({"default.amount.ge": 2}))
    none = compared(workspace, job, case, run=publishing({"name": "a", "amount": 1.0}))

    assert (told.differences, told.failed_as_told) == ({}, {"default.amount.ge": 1})
    assert "'default.amount.ge': 2" in more.differences["checks"]
    assert "failed: none" in none.differences["checks"]


@pytest.mark.spark
def test_a_published_run_of_this_machine_feeds_the_next(workspace: Path, job: str, team: str) -> None:
    first = RunKey(team, "_local", "copy.Copy", "20130101T000000Z")
    rows = [{"name": "a", "amount": 1.0}, {"name": "b", "amount": 5.0}]
    publish(DirectoryStore(workspace / ".teamspark/local"), Dataset(first, rows))

    done = process(
        workspace, "run", f"jobs.{team}.copy:Dated", "--date", "2013-01-01", "--input", f"rows={first.task}", "--json"
    )

    told = json.loads(done.stdout)["result"]
    assert done.returncode == 0, done.stderr
    assert (told["rows_read"], told["path"]) == (2, f"/{team}/_local/copy.dated/20130101T000000Z")
    assert not (workspace / "store").exists()


@pytest.mark.spark
def test_rows_that_break_a_check_are_counted_and_nothing_is_published(
    teamspark: Teamspark, workspace: Path, job: str, team: str, tmp_path: Path
) -> None:
    key = RunKey(team, f"{team}.daily", "bad", "20130101T000000Z")
    publish(DirectoryStore(workspace / "store"), Dataset(key, [{"name": "a", "amount": -1.0}], schema=Amount))

    done = process(
        workspace, "run", job, "--date", "2013-01-01", "--param", "at_least=-9", "--input", f"rows={key.task}", "--json"
    )

    told = json.loads(done.stdout)
    assert done.returncode == 65
    assert (told["result"]["verdict"], told["result"]["error"]["error"]) == ("failed", "CheckFailed")
    assert "default.amount.ge" in done.stderr
    assert "Traceback" not in done.stderr
    assert "nothing published" in teamspark("outputs", "ls", f"{team}/_local").stdout


ENDINGS = """
import signal, sys

from framework import Frame, Job, Schema

class Amount(Schema):
    name: str

class Interrupted(Job):
    def transform(self, rows: Frame[Amount]) -> Frame[Amount]:
        rows.count()
        signal.raise_signal(signal.SIGINT)
        return rows

class Exits(Job):
    def transform(self, rows: Frame[Amount]) -> Frame[Amount]:
        sys.exit(0)
"""
ENDS = {
    "Interrupted": (130, "interrupted; nothing was published\n"),
    "Exits": (65, "transform raised SystemExit\n"),
}


@pytest.mark.spark
@pytest.mark.parametrize(("name", "code", "told"), [(name, *end) for name, end in ENDS.items()])
def test_how_a_run_ends_that_its_job_ends(
    workspace: Path, team: str, rows: Path, name: str, code: int, told: str
) -> None:
    (workspace / f"jobs/{team}/ends.py").write_text(ENDINGS)
    rows.write_text("name\na\n")

    done = process(workspace, "run", f"jobs.{team}.ends:{name}", "--input", f"rows={rows}")

    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert not any(word in done.stderr for word in ("Traceback", "py4j", "ERROR"))
    # A log stays for who wants to know why a run failed.
    assert len([*(workspace / ".teamspark/logs").iterdir()]) == (name != "Interrupted")


def test_a_job_file_that_exits_fails_every_command_that_reads_it(
    teamspark: Teamspark, workspace: Path, team: str
) -> None:
    (workspace / f"jobs/{team}/leaves.py").write_text("import sys\nsys.exit(0)\n")

    ends = {
        command: teamspark(*command.split()).exit_code
        for command in (
            f"run jobs.{team}.leaves:A",
            f"explain jobs.{team}.leaves:A",
            "check",
            "jobs list",
            "jobs export",
        )
    }

    assert 0 not in ends.values(), ends


def test_an_interrupt_of_a_command_is_one_line(teamspark: Teamspark, workspace: Path, team: str) -> None:
    (workspace / f"jobs/{team}/slow.py").write_text("raise KeyboardInterrupt\n")

    done = teamspark("explain", f"jobs.{team}.slow:A")

    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_spark_s_log_has_no_place(teamspark: Teamspark, workspace: Path, job: str, rows: Path) -> None:
    (workspace / ".teamspark").mkdir()
    (workspace / ".teamspark/logs").write_text("a file")

    done = teamspark("run", job, "--input", f"rows={rows}")

    assert done.exit_code == 65
    assert str(workspace / ".teamspark/logs") in done.stderr
    assert "next: " in done.stderr


def test_a_task_that_never_published_is_told_with_those_like_it(
    teamspark: Teamspark, workspace: Path, job: str, team: str
) -> None:
    there, unfinished = (RunKey(team, f"{team}.daily", name, "20130101T000000Z") for name in ("ingest", "ingress"))
    publish(DirectoryStore(workspace / "store"), Dataset(there, [{"name": "a", "amount": 1.0}]))
    (workspace / f"store/{team}/{team}.daily/{unfinished.task_id}").mkdir()

    done = teamspark("run", job, "--date", "2013-01-01", "--input", f"rows={team}/{team}.daily/ingst")

    assert done.exit_code == 75
    assert f"no task of this name has published; there are {there.task}\n" in done.stderr
    assert f"teamspark outputs ls {team}" in done.stderr


def test_two_inputs_that_are_missing_are_told_with_one_next_step(teamspark: Teamspark, job: str, team: str) -> None:
    options = [part for port, task in (("rows", "x"), ("more", "y")) for part in ("--input", f"{port}={team}/d/{task}")]

    done = teamspark("run", job.replace("Copy", "Both"), "--date", "2013-01-01", *options)

    assert done.exit_code == 75
    assert [done.stderr.count(word) for word in ("next:", "where:", "got:")] == [1, 1, 1]
    assert all(f"{team}/d/{task}" in done.stderr for task in "xy")


def test_a_misspelt_team_in_a_job_s_name_is_told_with_the_nearest(teamspark: Teamspark, job: str, team: str) -> None:
    done = teamspark("explain", job.replace(team, team[:-1]))

    assert done.exit_code == 64
    assert f"did you mean {team}?" in done.stderr
