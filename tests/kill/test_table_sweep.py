"""SIGKILL anywhere between a claim and the commit to a table, with a reader of the table that looks all the while."""

from pathlib import Path
from random import Random

import pytest

from tests.kill.harness import Forked, Kill, Report, record, sweep
from tests.kill.test_sweep import spread

SUBJECT = "tests.kill.table_subject:TableRun"
SEED = 20130101
LATEST_S = 0.15


def swept(folder: Path, *, steps: int, timed: int, subject: str = SUBJECT) -> Report:
    draw = Random(SEED)
    with Forked(subject) as victims:
        count = victims.steps(folder / "counted")
        kills = spread(count, steps) + [Kill(after_s=draw.uniform(0, LATEST_S)) for _ in range(timed)]
        return sweep(subject, victims, kills, folder)


@pytest.mark.timeout(600)
def test_kills_anywhere_leave_whole_tables_only(tmp_path: Path) -> None:
    report = swept(tmp_path, steps=36, timed=4)

    assert report.problems == []
    assert all(point.ended == "killed" for point in report.points[:36])


@pytest.mark.timeout(600)
def test_witness_in_two_entries_a_kill_between_them_shows_a_table_without_the_day(tmp_path: Path) -> None:
    report = swept(tmp_path, steps=16, timed=0, subject="tests.kill.table_subject:InTwoEntries")

    assert any("saw nothing" in problem for problem in report.problems), report.problems


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_hundred_kills_of_a_run_that_commits_to_a_table(tmp_path: Path) -> None:
    report = swept(tmp_path, steps=140, timed=60)
    record("table_sweep", {"seed": SEED, "latest_s": LATEST_S}, report)

    assert report.problems == []
    assert len(report.points) == 200
    assert report.killed > 150
