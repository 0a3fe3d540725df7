"""Runs by the driver with a real Alluxio before the store: hot, and right whatever happens to the cache meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.cache.cluster import Cluster, down, known
from framework.cache.opening import home_of
from framework.config import RunResult
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from tests.framework.numbers import RUN, UPPER, config_of, contents, driven, environment, workspace

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

JOBS = """


class Sums(Job):
    def transform(self, numbers: Frame[Number]) -> Frame[Sum]:
        return numbers.groupBy("text").agg(F.sum("n").alias("total"))
"""
# What happens to the cache while a job works: before it has read anything, or between two reads.
HARMED = """
import os
from contextlib import suppress


def harm():
    for word in os.environ.get("HARM", "").split():
        signum, _, pid = word.partition(":")
        with suppress(ProcessLookupError):  # the job may be run again, without the cache
            os.kill(int(pid), int(signum))


class HarmedSums(Job):
    read_first: bool = False

    def transform(self, numbers: Frame[Number]) -> Frame[Sum]:
        if self.read_first:
            assert numbers.where("n % 2 = 0").count() == 1000
        harm()
        return numbers.groupBy("text").agg(F.sum("n").alias("total"))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("numbers")
    cache = {"kind": "alluxio", "memory": "64Mi"}
    workspace(folder, {"kind": "directory", "root": "store"}, JOBS + HARMED, cache=cache)
    try:
        yield folder
    finally:
        down(home_of("numbers", folder))


@pytest.fixture
def cluster(place: Path) -> Cluster:
    """Up, and mended if the last test killed a part of it."""
    teamspark(place, "cache", "up", "--team", "numbers")
    found = known(home_of("numbers", place))
    assert found is not None
    return found


def teamspark(place: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "framework.cli", *words],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == code, done.stderr[-3000:] + done.stdout[-3000:]
    return done.stdout


def drive(place: Path, job: str, *, task: str | None = None, harm: str = "", **parameters: object) -> RunResult:
    edges = {} if job == "Numbers" else {"numbers": UPPER}
    config = config_of(place, job, task, **edges).model_copy(update={"parameters": parameters})
    return driven(config, HARM=harm)


@pytest.fixture(scope="module")
def produced(place: Path) -> RunResult:
    teamspark(place, "cache", "up", "--team", "numbers")
    return drive(place, "Numbers")


@pytest.fixture(scope="module")
def plain(place: Path, produced: RunResult) -> Store:
    """The store, with what the consumer makes of it without a cache."""
    down(home_of("numbers", place))
    result = drive(place, "Sums")
    assert (result.bytes_hot, result.bytes_cold > 0) == (0, True)
    assert "the cache is not up" in " ".join(result.warnings)
    return DirectoryStore(place / "store")


def parts(cluster: Cluster) -> dict[str, int]:
    pids = [pid for pid, _ in json.loads((Path(cluster.home) / "processes.json").read_text())]
    return dict(zip(("master", "worker", "proxy"), pids, strict=True))


def test_a_hand_over_is_hot(place: Path, plain: Store, cluster: Cluster) -> None:
    made = drive(place, "Numbers", task="again")
    assert "warm" in made.seconds
    told = json.loads(teamspark(place, "cache", "status", f"numbers/numbers.daily/again/{RUN}", "--json"))
    assert [one["hot"] for one in told] == [one["bytes"] for one in told]

    teamspark(place, "cache", "warm", f"numbers/numbers.daily/numbers/{RUN}")
    result = drive(place, "Sums", task="hot")

    assert (result.verdict, result.warnings) == ("published", ())
    assert (result.bytes_hot > 0, result.bytes_cold) == (True, 0)
    assert result.rows_read == 2000
    assert contents(plain, "hot") == contents(plain, "sums")


def test_what_was_cold_is_fetched_while_the_session_starts(place: Path, plain: Store, cluster: Cluster) -> None:
    teamspark(place, "cache", "free", f"numbers/numbers.daily/numbers/{RUN}")

    result = drive(place, "Sums", task="cold")

    assert (result.bytes_hot > 0, result.bytes_cold) == (True, 0)
    assert contents(plain, "cold") == contents(plain, "sums")


@pytest.mark.parametrize("part", ["master", "worker", "proxy"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_part_that_is_away_before_the_run(
    place: Path, plain: Store, cluster: Cluster, part: str, how: signal.Signals
) -> None:
    os.kill(parts(cluster)[part], how)
    time.sleep(0.5)
    began = time.monotonic()

    result = drive(place, "Sums", task=f"before_{part}_{how.name.lower()}")

    assert time.monotonic() - began < 60
    assert result.bytes_hot == 0
    assert len(result.warnings) >= 1
    assert contents(plain, result.key.task_id) == contents(plain, "sums")


@pytest.mark.parametrize("read_first", [False, True], ids=["before", "during"])
@pytest.mark.parametrize("part", ["master", "worker"])
def test_a_part_that_is_killed_while_the_job_reads(
    place: Path, plain: Store, cluster: Cluster, part: str, read_first: bool
) -> None:
    teamspark(place, "cache", "warm", f"numbers/numbers.daily/numbers/{RUN}")
    task = f"while_{part}_{read_first}".lower()
    began = time.monotonic()

    result = drive(
        place, "HarmedSums", task=task, harm=f"{int(signal.SIGKILL)}:{parts(cluster)[part]}", read_first=read_first
    )

    assert time.monotonic() - began < 90
    assert result.verdict == "published"
    assert contents(plain, task) == contents(plain, "sums")


def test_status_says_what_is_wrong(place: Path, cluster: Cluster) -> None:
    assert "well" in teamspark(place, "cache", "status", "--team", "numbers")

    os.kill(parts(cluster)["worker"], signal.SIGKILL)
    time.sleep(0.5)

    assert "worker" in teamspark(place, "cache", "status", "--team", "numbers", code=1)
    teamspark(place, "cache", "down", "--team", "numbers")
    assert "not well" in teamspark(place, "cache", "status", "--team", "numbers", code=1)
