"""Scaffolds are right as written: they import, mean a contract, pass the linters, and their fixtures run."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from framework.cli import templates
from framework.cli.scaffold import check_name, class_of, new_job
from framework.errors import ConfigError
from framework.identity import snake_case
from framework.job import contract_of, load_job
from framework.sources import SourceSpec, load_sources
from framework.tenancy.load import load_teams
from framework.tenancy.places import DirectoryStore
from framework.testing.cases import find_cases
from tests.framework.cli.conftest import Teamspark

ROOT = Path(__file__).resolve().parents[3]


def test_a_team_of_ones_own(teamspark: Teamspark, workspace: Path) -> None:
    done = teamspark("new", "team", "bakers", "--owner", "ann@example.org")

    team = load_teams(workspace).team("bakers")
    assert done.exit_code == 0
    assert team.owners == ("ann@example.org",)
    assert team.store == DirectoryStore(kind="directory", root=".teamspark/store")


def test_an_empty_directory_becomes_a_workspace(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from framework.cli.app import app

    done = CliRunner().invoke(app, ["--workspace", str(tmp_path), "new", "team", "bakers", "--owner", "a@b.c"])

    assert done.exit_code == 0
    assert list(load_teams(tmp_path).by_name) == ["bakers"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x", []),
        ("Bakers", []),
        ("shared", []),
        ("../bakers", []),
        ("bakers", ["--owner", "ann"]),
        ("bakers", ["--owner", "a@b.c]\nreads: ['/*']"]),
        ("bakers", ["--root", "x}\ngrants: [{to: thieves, read: [a/b]}]\nz: {z: 1"]),
    ],
)
def test_a_team_file_holds_what_was_asked_or_is_not_written(
    teamspark: Teamspark, workspace: Path, name: str, options: list[str]
) -> None:
    before = sorted(workspace.rglob("*"))

    done = teamspark("new", "team", name, *(["--owner", "a@b.c"] if "--owner" not in options else []), *options)

    assert done.exit_code == 64
    assert sorted(workspace.rglob("*")) == before


def test_witness_that_an_unchecked_word_would_rewrite_the_team_file() -> None:
    naive = templates.TEAM.substitute(
        team="bakers", owner="a@b.c", root="x}\ngrants: [{to: thieves, read: [a/b]}]\nz: {z: 1"
    )

    assert yaml.safe_load(naive)["grants"] == [{"to": "thieves", "read": ["a/b"]}]


@pytest.fixture
def importable(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(workspace)
    return workspace


def test_a_job_means_its_contract(teamspark: Teamspark, importable: Path, team: str) -> None:
    done = teamspark("new", "job", team, "daily_totals")

    contract = contract_of(load_job(f"jobs.{team}.daily_totals:DailyTotals"))
    assert done.exit_code == 0
    assert [(port.name, port.source) for port in contract.inputs] == [("rows", "daily_totals")]
    assert contract.output("default").schema.key == ("day", "name")
    source = load_sources(team)["daily_totals"]
    assert isinstance(source, SourceSpec)
    assert source.uri == f"landing/{team}/daily_totals/*.csv"
    assert yaml.safe_load((importable / f"k8s/teams/{team}.yaml").read_text())["reads"] == ["landing/*"]


def test_a_job_fed_by_a_task_has_no_source(teamspark: Teamspark, importable: Path, team: str) -> None:
    teamspark("new", "job", team, "totals", "--no-source")

    contract = contract_of(load_job(f"jobs.{team}.totals:Totals"))
    assert [(port.name, port.source) for port in contract.inputs] == [("rows", None)]
    assert not (importable / f"jobs/{team}/sources.yaml").exists()


def test_its_fixtures_are_where_they_are_looked_for(teamspark: Teamspark, importable: Path, team: str) -> None:
    teamspark("new", "job", team, "daily_totals")

    (case,) = find_cases(load_job(f"jobs.{team}.daily_totals:DailyTotals"), importable / "jobs")

    assert (sorted(case.inputs), sorted(case.outputs)) == (["rows"], ["default"])


@pytest.mark.parametrize("name", ["totals", "daily_totals", "ab_cd_ef", "top10_by_day", "a1_b2"])
def test_class_and_folder_names_agree(name: str) -> None:
    assert snake_case(class_of(check_name(name, what="job"))) == name


def test_what_the_team_has_stays_as_it_is(teamspark: Teamspark, importable: Path, team: str) -> None:
    folder = importable / "jobs" / team
    (folder / "schemas.py").write_text("MINE = 1\n")
    (folder / "sources.yaml").write_text("# mine\nother: {kind: files, format: csv, uri: x.csv}")

    done = teamspark("new", "job", team, "totals")

    assert done.exit_code == 0
    assert (folder / "schemas.py").read_text() == "MINE = 1\n"
    assert (folder / "sources.yaml").read_text().startswith("# mine\nother: {kind: files, format: csv, uri: x.csv}\n")
    assert sorted(load_sources(team)) == ["other", "totals"]
    assert contract_of(load_job(f"jobs.{team}.totals:Totals")).inputs[0].schema.name == "Amount"


def test_nothing_is_overwritten(teamspark: Teamspark, workspace: Path, team: str) -> None:
    teamspark("new", "job", team, "totals")
    (workspace / f"jobs/{team}/totals.py").write_text("# changed by its author\n")

    again = teamspark("new", "job", team, "totals")

    assert again.exit_code == 64
    assert f"jobs/{team}/totals.py" in again.stderr
    assert (workspace / f"jobs/{team}/totals.py").read_text() == "# changed by its author\n"


def test_a_broken_link_is_something_too(workspace: Path, teamspark: Teamspark, team: str) -> None:
    (workspace / f"jobs/{team}/totals.py").symlink_to(workspace / "nowhere.py")

    done = teamspark("new", "job", team, "totals")

    assert done.exit_code == 64
    assert not (workspace / "nowhere.py").exists()


@pytest.mark.parametrize(
    "name", ["Totals", "1st", "class", "a-b", "../x", "schemas", "fixtures", "a__b", "a_b_c", "x" * 61]
)
def test_names_that_no_module_may_have(workspace: Path, team: str, name: str) -> None:
    with pytest.raises(ConfigError):
        new_job(workspace, team, name, source=True)


def test_a_job_needs_its_team(teamspark: Teamspark) -> None:
    done = teamspark("new", "job", "nobody", "totals")

    assert done.exit_code == 64
    assert "teamspark new team nobody" in done.stderr


def test_a_place_that_the_team_may_not_read_is_pointed_out(teamspark: Teamspark, workspace: Path, team: str) -> None:
    (workspace / f"k8s/teams/{team}.yaml").write_text(
        f"team: {team}\nowners: [a@b.c]\nstore: {{kind: directory, root: store}}\n"
    )

    done = teamspark("new", "job", team, "totals")

    assert f'"landing/{team}/*"' in done.stderr


def dag_of(workspace: Path, team: str, name: str = "totals") -> str:
    return (workspace / f"airflow_bindings/dags/{team}/{name}.py").read_text()


def test_a_dag_runs_the_job_of_its_name(teamspark: Teamspark, workspace: Path, team: str) -> None:
    teamspark("new", "job", team, "totals")

    done = teamspark("new", "dag", team, "totals")

    text = dag_of(workspace, team)
    assert done.exit_code == 0
    assert f'"{team}.totals"' in text
    assert f'job="jobs.{team}.totals:Totals"' in text
    assert "CronDataIntervalTimetable" in text
    compile(text, "dag.py", "exec")


def test_a_dag_feeds_ports_from_other_tasks(teamspark: Teamspark, workspace: Path, team: str) -> None:
    teamspark("new", "job", team, "totals", "--no-source")

    unfed = teamspark("new", "dag", team, "totals")
    fed = teamspark("new", "dag", team, "totals", "--input", "rows=bakers/bakers.daily/sales:rejects")

    assert unfed.exit_code == 64
    assert "--input rows=" in unfed.stderr
    assert fed.exit_code == 0
    words = "".join(dag_of(workspace, team).split())
    assert 'Upstream("sales",dag_id="bakers.daily",team="bakers",output="rejects",wait="PT2H",)' in words


def names(source: str) -> set[str]:
    """Every name that ``source`` would look up."""
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def test_an_id_stays_text_in_the_dag_file(teamspark: Teamspark, workspace: Path, team: str) -> None:
    teamspark("new", "job", team, "totals", "--no-source")
    hostile = 'x"), **__import__("os").environ, **dict("'

    teamspark("new", "dag", team, "totals", "--input", f"rows={team}/{team}.daily/{hostile}")

    text = dag_of(workspace, team)
    assert json.dumps(hostile) in text
    # The witness: the id between plain quotes would be a statement of its own.
    naive = text.replace(json.dumps(hostile), f'"{hostile}"')
    assert "__import__" in names(naive)
    assert "__import__" not in names(text)


@pytest.mark.parametrize("options", [(), ("--no-source",)], ids=["source", "port"])
def test_the_linters_accept_every_file(
    teamspark: Teamspark, workspace: Path, team: str, options: tuple[str, ...]
) -> None:
    (workspace / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for room in ("framework", "airflow_bindings"):
        (workspace / room).mkdir()
        (workspace / room / "__init__.py").touch()
    fed = (
        ("--input", f"rows={team}/{team}.daily/a_task_with_a_name_that_makes_the_line_long:rejects") if options else ()
    )
    assert teamspark("new", "job", team, "daily_totals", *options).exit_code == 0
    assert teamspark("new", "dag", team, "daily_totals", *fed).exit_code == 0
    ruff = Path(sys.executable).with_name("ruff")

    checked = subprocess.run([ruff, "check", "--no-cache", "."], cwd=workspace, capture_output=True, text=True)
    formatted = subprocess.run(
        [ruff, "format", "--no-cache", "--diff", "."], cwd=workspace, capture_output=True, text=True
    )

    assert checked.returncode == 0, checked.stdout
    assert formatted.returncode == 0, formatted.stdout


@pytest.mark.airflow
def test_airflow_loads_the_dags_and_their_edges_fit(teamspark: Teamspark, workspace: Path, team: str) -> None:
    teamspark("new", "job", team, "totals")
    teamspark("new", "dag", team, "totals")
    teamspark("new", "job", team, "again", "--no-source")
    teamspark("new", "dag", team, "again", "--input", f"rows={team}/{team}.totals/totals")
    jobs, edges = workspace / "jobs.json", workspace / "edges.json"

    exported = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "framework.cli",
            "--workspace",
            workspace,
            "dags",
            "export",
            "--out",
            edges,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    teamspark("jobs", "export", "--out", jobs)
    checked = teamspark("check", "--jobs", jobs, "--edges", edges, "--json")

    assert exported.returncode == 0, exported.stderr
    told = json.loads(checked.stdout)
    # The example adds up amounts; its own totals have no amount, and that is what check is there to find.
    assert (told["jobs"], told["edges"]) == (2, 1)
    assert ["amount: missing" in one["what"] for one in told["findings"]] == [True]


def test_a_team_without_an_owner_is_told_the_whole_command(teamspark: Teamspark) -> None:
    done = teamspark("new", "team", "acme")

    assert done.exit_code == 64
    assert "next: teamspark new team acme --owner you@example.org" in done.stderr


def test_the_command_that_a_missing_team_is_told_to_use_works(teamspark: Teamspark, workspace: Path) -> None:
    done = teamspark("new", "job", "acme", "totals")

    command = done.stderr.rpartition("or: teamspark ")[2].split()
    assert teamspark(*command).exit_code == 0
    assert teamspark("new", "job", "acme", "totals").exit_code == 0
