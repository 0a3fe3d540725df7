import json
import sys
from pathlib import Path

import pytest

from framework.cli.discovery import discover, job_files
from framework.errors import ConfigError
from framework.exports import JobsExport
from tests.framework.cli.conftest import Teamspark

JOB = '''
from typing import Annotated
from annotated_types import Ge
from framework import Frame, Job, Schema

class Row(Schema):
    name: str

class Copy(Job):
    """The same again."""
    times: Annotated[int, Ge(1)] = 1

    def transform(self, rows: Frame[Row]) -> Frame[Row]:
        return rows
'''


@pytest.fixture
def module(workspace: Path, team: str) -> Path:
    path = workspace / "jobs" / team / "copy.py"
    path.write_text(JOB)
    return path


def test_jobs_are_listed_with_ports_and_parameters(teamspark: Teamspark, module: Path, team: str) -> None:
    done = teamspark("jobs", "list", "--json")

    (told,) = json.loads(done.stdout)
    assert told["job"] == f"jobs.{team}.copy:Copy"
    assert (told["inputs"], told["outputs"], told["parameters"]) == ("rows: Row", "default: Row", "times")


def test_a_list_for_people_is_not_cut_in_a_pipe(teamspark: Teamspark, module: Path, team: str) -> None:
    done = teamspark("jobs", "list")

    assert f"jobs.{team}.copy:Copy" in done.stdout
    assert "…" not in done.stdout


def test_the_export_reads_back_as_contracts(teamspark: Teamspark, module: Path, team: str, tmp_path: Path) -> None:
    out = tmp_path / "jobs.json"

    done = teamspark("jobs", "export", "--out", out)

    assert done.exit_code == 0
    (contract,) = JobsExport.parse_json(out.read_bytes(), where="jobs.json").contracts().values()
    assert contract.job == f"jobs.{team}.copy:Copy"
    assert contract.inputs[0].schema.names == ("name",)


def test_standard_output_gets_the_same_export(teamspark: Teamspark, module: Path, tmp_path: Path) -> None:
    out = tmp_path / "jobs.json"
    teamspark("jobs", "export", "--out", out)

    done = teamspark("jobs", "export")

    assert json.loads(done.stdout) == json.loads(out.read_text())


BROKEN = {
    "syntax": ("def (:\n", "SyntaxError"),
    "name": ("undefined_name\n", "undefined_name"),
    "package": ("import no_such_package_anywhere\n", "no_such_package_anywhere"),
    "signature": (JOB.replace("rows: Frame[Row]", "rows: int"), "rows"),
    "exit": ("raise RuntimeError('at import')\n", "at import"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_module_is_told_and_the_others_are_listed(
    teamspark: Teamspark, module: Path, team: str, kind: str
) -> None:
    text, told = BROKEN[kind]
    module.with_name("broken.py").write_text(text)

    done = teamspark("jobs", "list")

    assert done.exit_code == 1
    assert f"jobs.{team}.copy:Copy" in done.stdout
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_exported_while_a_module_is_broken(teamspark: Teamspark, module: Path, tmp_path: Path) -> None:
    module.with_name("broken.py").write_text("undefined_name\n")

    done = teamspark("jobs", "export", "--out", tmp_path / "jobs.json")

    assert done.exit_code == 64
    assert not (tmp_path / "jobs.json").exists()


def test_a_place_that_cannot_be_written_is_an_error_of_ours(teamspark: Teamspark, module: Path, tmp_path: Path) -> None:
    done = teamspark("jobs", "export", "--out", tmp_path / "absent" / "jobs.json")

    assert done.exit_code == 64
    assert "absent" in done.stderr


def test_fixtures_and_foreign_files_are_no_jobs(workspace: Path, module: Path, team: str) -> None:
    for name in ("fixtures/copy/one/x.py", "__init__.py", "not-a-module.py", "sub/deeper.py"):
        path = module.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (workspace / "jobs/Not A Team").mkdir()
    (workspace / "jobs/Not A Team/x.py").write_text("")

    assert [file.module for file in job_files(workspace)] == [f"jobs.{team}.copy", f"jobs.{team}.sub.deeper"]


def test_a_team_without_jobs_is_named(workspace: Path) -> None:
    with pytest.raises(ConfigError) as stop:
        job_files(workspace, "nobody")

    assert "teamspark new job nobody" in str(stop.value)


def test_imported_jobs_are_listed_once(
    workspace: Path, module: Path, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module.with_name("again.py").write_text("from .copy import Copy\n")
    monkeypatch.syspath_prepend(workspace)

    found = discover(workspace)

    assert [contract.job for contract in found.contracts] == [f"jobs.{team}.copy:Copy"]
    assert found.broken == ()


def test_the_workspace_leaves_sys_path_as_it_was(teamspark: Teamspark, module: Path, workspace: Path) -> None:
    before = list(sys.path)

    teamspark("jobs", "list")

    assert sys.path == before
