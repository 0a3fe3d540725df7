"""SIGKILL at 200 points of a publish, with a reader that looks all the while; and what the same does to naive ways."""

import time
from pathlib import Path
from random import Random

import pytest

from tests.kill.harness import NEVER, Commands, Forked, Kill, sweep

PROTOCOL = "tests.kill.subjects:Protocol"


def spread(steps: int, points: int) -> list[Kill]:
    """``points`` kills over all steps, evenly: every step when there are enough of them, some twice."""
    return [Kill(step=1 + number * steps // points) for number in range(points)]


@pytest.mark.timeout(900)  # half a minute on two quiet cores
def test_two_hundred_kills_leave_complete_versions_only(tmp_path: Path) -> None:
    with Forked(PROTOCOL) as victims:
        steps = victims.steps(tmp_path / "counted")
        started = time.monotonic()
        victims.run(tmp_path / "timed", 1, 1, NEVER)
        whole_s = time.monotonic() - started
        draw = Random(20130101)
        timed = [Kill(after_s=draw.uniform(0, whole_s)) for _ in range(60)]
        report = sweep(PROTOCOL, victims, [*spread(steps, 140), *timed], tmp_path)

    assert report.problems == []
    assert len(report.points) == 200
    assert steps >= 60, "the steps must cover claim, files, listing and manifest"
    assert all(point.ended == "killed" for point in report.points[:140]), "every step of a run can be killed at"
    assert report.killed > 150
    assert report.looks > 400
    print(
        f"{len(report.points)} points over {steps} steps, {report.killed} killed, {report.looks} looks, {report.seconds:.1f} s"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [("InPlace", "torn|mixture"), ("RenamedFolder", "saw nothing|torn"), ("RenamedFiles", "mixture|torn")],
)
def test_witness_the_same_kills_tear_what_is_published_without_a_manifest(
    tmp_path: Path, name: str, words: str
) -> None:
    subject = f"tests.kill.subjects:{name}"
    with Forked(subject) as victims:
        steps = victims.steps(tmp_path / "counted")
        report = sweep(subject, victims, spread(steps, 20), tmp_path)

    torn = [problem for problem in report.problems if any(word in problem for word in words.split("|"))]
    assert len(torn) >= 2, report.problems


def test_a_program_and_its_children_are_killed_as_one(tmp_path: Path) -> None:
    """The harness for real drivers: a session is killed when its traces on disk show that a phase is reached."""
    script = 'touch "$0/started"; (sleep 30; touch "$0/survived") & sleep 30'
    victims = Commands(
        command=lambda place, generation, attempt: ["sh", "-c", script, str(place)],
        phases={"started": lambda place: (place / "started").exists()},
    )

    ended, _ = victims.run(tmp_path, 1, 1, Kill(phase="started"))

    assert ended == "killed"
    assert victims.run(tmp_path, 1, 1, Kill(after_s=0.05))[0] == "killed"


def test_a_program_that_ends_by_itself_is_told_from_one_that_was_killed(tmp_path: Path) -> None:
    def command(place: Path, generation: int, attempt: int) -> list[str]:
        return ["sh", "-c", f"echo last words; exit {attempt - 1}"]

    victims = Commands(command=command, phases={})

    assert victims.run(tmp_path, 1, 1, Kill(after_s=5.0)) == ("finished", "last words\n")
    assert victims.run(tmp_path, 1, 2, Kill())[0] == "failed"
