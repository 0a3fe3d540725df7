"""The jobs' ports on a developer's machine: as the jobs are now, whatever was exported before."""

import json
import os
from pathlib import Path

import pytest

from airflow_bindings.local.ports import export_anew, fingerprint

JOB = """
from framework import Frame, Job, Schema


class Row(Schema):
    n: int


class {name}(Job):
    def transform(self, rows: Frame[Row]) -> Frame[Row]:
        return rows
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for team in ("bakers", "millers"):
        (tmp_path / "jobs" / team).mkdir(parents=True)
        write(tmp_path, team, "first", JOB.format(name="First"))
    # The process that exports finds our code and the workspace's jobs, not this repository's.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path.cwd())]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(workspace: Path, team: str, module: str, text: str) -> None:
    (workspace / "jobs" / team / f"{module}.py").write_text(text)


def jobs(folder: Path, team: str) -> set[str]:
    return set(json.loads((folder / f"{team}.json").read_text())["jobs"])


def test_a_new_job_is_there_at_the_next_export(workspace: Path) -> None:
    export_anew(workspace, workspace / "ports")
    before = fingerprint(workspace)

    write(workspace, "bakers", "second", JOB.format(name="Second"))
    export_anew(workspace, workspace / "ports")

    assert fingerprint(workspace) != before
    assert jobs(workspace / "ports", "bakers") == {"jobs.bakers.first:First", "jobs.bakers.second:Second"}
    assert jobs(workspace / "ports", "millers") == {"jobs.millers.first:First"}


def test_a_broken_job_takes_only_its_own_teams_file_away(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export_anew(workspace, workspace / "ports")

    write(workspace, "bakers", "broken", "boom")
    export_anew(workspace, workspace / "ports")

    assert [path.name for path in (workspace / "ports").iterdir()] == ["millers.json"]
    assert "jobs.bakers.broken" in capfd.readouterr().err
