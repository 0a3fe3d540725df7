"""Code that stayed behind: a job that the image lacks, and an image of other code, told with what makes them equal."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from framework.config import CodeFacts, EdgeRef, ExportedConfig, RunFacts
from framework.errors import ConfigError, DefinitionError
from framework.identity import Epoch, RunKey
from framework.job.digest import tree_digest
from framework.job.shipped import load_shipped

JOB = """
from framework import Frame, Job, Schema

class Row(Schema):
    n: int

class One(Job):
    def transform(self, rows: Frame[Row]) -> Frame[Row]:
        return rows
"""
IMAGE = f"registry.example.org/flights/jobs@sha256:{'a' * 64}"
TEAM_FILE = "team: {}\nowners: [a@example.org]\nstore: {{kind: directory, root: store}}\n"


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A team that no other test has, with one job."""
    name = f"shp{abs(hash(tmp_path)) % 10**9}"
    (tmp_path / "jobs" / name).mkdir(parents=True)
    (tmp_path / "jobs" / name / "one.py").write_text(JOB)
    monkeypatch.syspath_prepend(tmp_path)
    for module in [module for module in sys.modules if module == "jobs" or module.startswith("jobs.shp")]:
        monkeypatch.delitem(sys.modules, module)
    return name


def digest(place: Path, team: str) -> str:
    found = tree_digest(place / "jobs", team)
    assert found is not None
    return found


def test_the_same_code_is_loaded(tmp_path: Path, team: str) -> None:
    found = load_shipped(f"jobs.{team}.one:One", team, image=IMAGE, digest=digest(tmp_path, team))

    assert found.__name__ == "One"


def test_other_code_is_told_with_both_digests_and_what_makes_them_equal(tmp_path: Path, team: str) -> None:
    told = digest(tmp_path, team)
    (tmp_path / "jobs" / team / "late.py").write_text("")

    with pytest.raises(ConfigError) as error:
        load_shipped(f"jobs.{team}.one:One", team, image=IMAGE, digest=told)

    assert {told, digest(tmp_path, team), IMAGE} <= set(str(error.value).replace("\n", " ").split(" "))
    assert f"next: teamspark image build {team}; teamspark image push {team};" in str(error.value)


def test_what_is_not_known_is_not_asked(tmp_path: Path, team: str) -> None:
    assert load_shipped(f"jobs.{team}.one:One", team, image=IMAGE, digest=None).__name__ == "One"


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("jobs.{}.won:One", "the image has no such job: there is no module jobs.{}.won; did you mean one?"),
        ("jobs.{}.won:One", "expected: one of one in jobs.{}"),
        ("jobs.{}.one:Ones", "the image has no such job: jobs.{}.one has no class Ones; did you mean One?"),
        ("jobs.{}.one:Won", f"where: {IMAGE}"),
        ("jobs.{}.one:Won", "next: teamspark image build {}; teamspark image push"),
    ],
)
def test_a_job_that_the_image_lacks_is_told_with_what_is_near(team: str, job: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_shipped(job.format(team), team, image=IMAGE, digest="0" * 64)

    assert words.format(team) in str(error.value)


def test_without_an_image_nobody_is_sent_to_build_one(team: str) -> None:
    with pytest.raises(ConfigError, match="teamspark jobs list") as error:
        load_shipped(f"jobs.{team}.won:One", team, image=None, digest=None)

    assert "image" not in str(error.value)


def test_a_name_that_is_none_is_not_the_image_s_fault(team: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_shipped("nothing", team, image=IMAGE, digest=None)

    assert "image" not in str(error.value)


def test_what_cannot_be_imported_may_have_been_mended(tmp_path: Path, team: str) -> None:
    """The author looks at code without the mistake, so the difference comes first."""
    mended = digest(tmp_path, team)
    (tmp_path / "jobs" / team / "one.py").write_text("import nothing_of_this_name\n")

    with pytest.raises(ConfigError, match="not those that this task was started with"):
        load_shipped(f"jobs.{team}.one:One", team, image=IMAGE, digest=mended)
    with pytest.raises(DefinitionError, match="nothing_of_this_name"):
        load_shipped(f"jobs.{team}.one:One", team, image=IMAGE, digest=digest(tmp_path, team))


@pytest.mark.parametrize(("doctored", "code"), [(False, 75), (True, 64)])
def test_the_driver_asks_before_anything_is_read(tmp_path: Path, team: str, doctored: bool, code: int) -> None:
    """With the same code it goes on, to an input that nobody published."""
    told = CodeFacts(image=IMAGE, digest=digest(tmp_path, team))
    if doctored:
        (tmp_path / "jobs" / team / "one.py").write_text(f"{JOB}\n# doctored\n")
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / f"k8s/teams/{team}.yaml").write_text(TEAM_FILE.format(team))
    config = ExportedConfig(
        key=RunKey(team, f"{team}.daily", "one", "20130101T000000Z"),
        epoch=Epoch("a", 1, 1),
        job=f"jobs.{team}.one:One",
        inputs={"rows": (EdgeRef(team=team, dag_id=f"{team}.daily", task_id="before", same_dag=True),)},
        run=RunFacts(run_id="r", run_after=datetime(2013, 1, 1, tzinfo=UTC)),
        workspace=str(tmp_path),
        code=told,
    )
    (tmp_path / "config.json").write_bytes(config.json_bytes())

    done = subprocess.run(
        [sys.executable, "-m", "framework.driver", "--config", "config.json", "--result", "result.json"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert done.returncode == code, done.stderr
    error = json.loads((tmp_path / "result.json").read_text())["error"]
    assert (str(told.digest) in error["message"]) is doctored
    assert error["error"] == ("ConfigError" if doctored else "NotYet")
