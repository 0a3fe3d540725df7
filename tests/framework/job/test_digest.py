"""One digest over a team's jobs: what changes it, what does not, and that it is the same wherever they are."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from framework.errors import ConfigError, SetupError
from framework.job.digest import code_digest, digest_of, tree_digest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    for name, text in (
        ("flights/delays.py", "NUMBER = 1\n"),
        ("flights/sources.yaml", "{}\n"),
        ("flights/fixtures/case/in.csv", "1\n"),
        ("insights/weather.py", ""),
        ("shared/dates.py", ""),
    ):
        path = tmp_path / "jobs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "jobs"


def appended(name: str) -> Callable[[Path], None]:
    def change(jobs: Path) -> None:
        (jobs / name).parent.mkdir(exist_ok=True)
        with (jobs / name).open("a") as file:
            file.write("more")

    return change


def renamed(jobs: Path) -> None:
    (jobs / "flights/delays.py").rename(jobs / "flights/late.py")


def linked(jobs: Path) -> None:
    (jobs / "flights/delays.py").rename(jobs / "delays.py")
    (jobs / "flights/delays.py").symlink_to("../delays.py")


@pytest.mark.parametrize(
    "change",
    [
        appended("flights/delays.py"),
        appended("flights/sources.yaml"),
        appended("shared/dates.py"),
        appended("__init__.py"),
        renamed,
        linked,
    ],
)
def test_what_a_run_may_read_changes_it(jobs: Path, change: Callable[[Path], None]) -> None:
    before = tree_digest(jobs, "flights")

    change(jobs)

    assert tree_digest(jobs, "flights") != before


@pytest.mark.parametrize(
    "name",
    [
        "insights/weather.py",
        "flights/fixtures/case/in.csv",
        "flights/__pycache__/delays.cpython-311.pyc",
        "flights/old.pyc",
        "README.md",
    ],
)
def test_what_no_run_reads_does_not(jobs: Path, name: str) -> None:
    before = tree_digest(jobs, "flights")

    appended(name)(jobs)

    assert tree_digest(jobs, "flights") == before


def test_the_place_does_not_count(jobs: Path, tmp_path: Path) -> None:
    shutil.copytree(jobs, tmp_path / "elsewhere")

    assert tree_digest(tmp_path / "elsewhere", "flights") == tree_digest(jobs, "flights")


def test_what_is_imported_has_the_digest_of_its_folder() -> None:
    assert code_digest("flights") == tree_digest(ROOT / "jobs", "flights")
    assert code_digest("flights") != code_digest("insights")


def test_a_team_without_jobs_has_none(jobs: Path, tmp_path: Path) -> None:
    assert tree_digest(jobs, "nobody") is None
    assert tree_digest(tmp_path / "nowhere", "flights") is None


def test_no_path_is_a_team(jobs: Path) -> None:
    with pytest.raises(ConfigError):
        tree_digest(jobs, "../jobs/flights")


def test_a_link_is_not_opened(jobs: Path) -> None:
    (jobs / "flights/loop").symlink_to(".")
    (jobs / "flights/gone").symlink_to("/nowhere/at/all")

    first = tree_digest(jobs, "flights")
    (jobs / "flights/gone").unlink()
    (jobs / "flights/gone").symlink_to("/nowhere/else")

    assert tree_digest(jobs, "flights") != first


def test_a_file_that_goes_meanwhile_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="code cannot be read"):
        digest_of([("one.py", tmp_path / "one.py")])
