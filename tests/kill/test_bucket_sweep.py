"""SIGKILL anywhere in runs and in commits to a table in a bucket, with a reader that looks all the while.

A step is what is sent to the server, and an answer that has come and is not read.
"""

import time
from pathlib import Path
from random import Random

import pytest

from tests.kill.bucket_subjects import BUCKET, ENDPOINT, Prefixes
from tests.kill.harness import NEVER, Forked, Kill, Report, record, sweep
from tests.kill.test_sweep import spread
from tests.servers.seaweed import Seaweed

SUBJECTS = "tests.kill.bucket_subjects"
RUN, TABLE = f"{SUBJECTS}:RunInBucket", f"{SUBJECTS}:TableInBucket"
SEED = 20130101
REST = 1.0
"""A look costs the server as much as a victim does."""


@pytest.fixture
def places(seaweed: Seaweed, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Prefixes:
    """Named in the environment of all processes that a sweep starts."""
    for name, value in {**seaweed.admin.environment(), ENDPOINT: seaweed.endpoint, BUCKET: s3_bucket}.items():
        monkeypatch.setenv(name, value)
    return Prefixes.of_environment()


def swept(folder: Path, places: Prefixes, subject: str, *, steps: int, timed: int = 0) -> Report:
    draw = Random(SEED)
    with Forked(subject) as victims:
        count = victims.steps(folder / "counted")
        victims.run(folder / "timed", 1, 1, NEVER)
        started = time.monotonic()
        victims.run(folder / "timed", 2, 1, NEVER)
        whole_s = time.monotonic() - started
        kills = spread(count, steps) + [Kill(after_s=draw.uniform(0, whole_s)) for _ in range(timed)]
        return sweep(subject, victims, kills, folder, rest=REST, places=places)


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.parametrize("subject", [RUN, TABLE])
def test_kills_anywhere_leave_complete_versions_only(tmp_path: Path, places: Prefixes, subject: str) -> None:
    report = swept(tmp_path, places, subject, steps=20)

    assert report.problems == []
    assert report.killed == 20


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "words"), [("InPlaceInBucket", "mixture"), ("InTwoEntriesInBucket", "saw nothing")])
def test_witness_naive_ways_are_seen_half_done(tmp_path: Path, places: Prefixes, name: str, words: str) -> None:
    report = swept(tmp_path, places, f"{SUBJECTS}:{name}", steps=12)

    assert any(words in problem for problem in report.problems), report.problems


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("subject", "name"), [(RUN, "bucket_sweep"), (TABLE, "bucket_table_sweep")])
def test_two_hundred_kills_in_a_bucket(tmp_path: Path, places: Prefixes, subject: str, name: str) -> None:
    report = swept(tmp_path, places, subject, steps=140, timed=60)
    record(name, {"seed": SEED, "server": "SeaweedFS"}, report)

    assert report.problems == []
    assert len(report.points) == 200
    assert report.killed > 150
