"""SIGKILL of a real Spark run in each of its phases, driver and JVM at once, with a reader that looks all the while."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import SparkSession

from framework.runner import PHASES
from framework.storage.paths import run_path
from tests.kill.harness import NEVER, Commands, Ended, Kill, record, sweep
from tests.kill.spark_subject import KEY, SparkRun

SUBJECT = "tests.kill.spark_subject:SparkRun"
RUN = f"store{run_path(KEY)}"
SEED = 20130101
REST = 4.0
"""A look hashes every row, and would take one of two cores from the JVM."""
LATEST_S = 14.0
"""Kills by the clock fall between the start and this: a whole run takes about as long beside a looking reader."""


def traced(place: Path, *, phase: str) -> bool:
    return (place / f"2-1-{phase}").exists()


def found(place: Path, *, pattern: str) -> bool:
    return next((place / RUN).glob(pattern), None) is not None


# Every phase as it begins, and what can be seen on disk while one goes on.
TRACES: dict[str, Callable[[Path], bool]] = {
    **{phase: partial(traced, phase=phase) for phase in PHASES},
    "claimed": partial(found, pattern="_log/0002.claim"),
    "half written": partial(found, pattern="a0002-*/default/_SUCCESS"),
    "published": partial(found, pattern="_log/0002.published"),
}


def command(place: Path, generation: int, attempt: int) -> list[str]:
    return [sys.executable, "-m", "tests.kill.spark_subject", str(place), str(generation), str(attempt)]


@dataclass(frozen=True)
class Drivers:
    """Who is to be killed is a driver with its own JVM; who is not runs in the session that is already there."""

    spark: SparkSession
    killed: Commands = field(default_factory=lambda: Commands(command, TRACES))

    def run(self, place: Path, generation: int, attempt: int, kill: Kill) -> tuple[Ended, str]:
        if kill != NEVER:
            return self.killed.run(place, generation, attempt, kill)
        place.mkdir(parents=True, exist_ok=True)
        SparkRun(lambda: nullcontext(self.spark)).produce(place, generation, attempt)
        return "finished", ""


@pytest.mark.e2e
@pytest.mark.spark
@pytest.mark.timeout(900)
def test_a_kill_in_any_phase_leaves_complete_versions_only(tmp_path: Path, spark: SparkSession) -> None:
    report = sweep(SUBJECT, Drivers(spark), [Kill(phase=phase) for phase in TRACES], tmp_path / "places", rest=REST)

    assert report.problems == []
    assert len(report.points) == 13
    assert report.killed == 13
    print(f"{report.killed} killed, {report.looks} looks, {report.seconds:.0f} s")


@pytest.mark.long
@pytest.mark.spark
@pytest.mark.timeout(4 * 3600)
def test_two_hundred_kills_of_a_spark_run(tmp_path: Path, spark: SparkSession) -> None:
    draw = Random(SEED)
    kills = [Kill(phase=phase) for phase in TRACES] * 6
    kills += [Kill(after_s=draw.uniform(0, LATEST_S)) for _ in range(200 - len(kills))]

    report = sweep(SUBJECT, Drivers(spark), kills, tmp_path / "places", rest=REST)
    record("spark_sweep", {"seed": SEED, "latest_s": LATEST_S}, report)

    assert report.problems == []
    assert report.killed > 150
    print(f"{len(report.points)} points, {report.killed} killed, {report.looks} looks, {report.seconds:.0f} s")
