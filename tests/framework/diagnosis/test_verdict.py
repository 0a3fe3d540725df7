"""From evidence to one cause: which of several is believed, what is shown, and that every row can be told."""

from typing import get_args

import pytest

from framework.diagnosis import Diagnosis, End, Evidence, Reason, Where, diagnose
from framework.diagnosis.ends import CODES, OURS, REASONS, Meaning
from framework.diagnosis.remedies import REMEDIES, remedy
from framework.diagnosis.signs import SIGNS, Sign

# As Spark 4.2's ExecutorPodsLifecycleManager and ExecutorLostFailure put it.
LOST = """Py4JJavaError: An error occurred while calling o80.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, most recent \
failure: Lost task 0.3 in stage 0.0 (TID 3) (10.0.0.7 executor 3): ExecutorLostFailure (executor 3 exited caused by one of \
the running tasks) Reason:
The executor with id 3 exited with exit code {code}.
The API gave the following brief reason: N/A
"""
HEAP = "Lost task 0.4 in stage 0.0 (TID 8) (10.0.0.7 executor 4): java.lang.OutOfMemoryError: Java heap space"


def found(**seen: object) -> Diagnosis:
    verdict = diagnose(Evidence(**seen))  # type: ignore[arg-type]  # the tests' own
    assert verdict is not None
    return verdict


@pytest.mark.parametrize(
    "evidence", [Evidence(), Evidence(error="ValueError: no"), Evidence(log="hello"), Evidence(End(1))]
)
def test_what_is_not_known_is_not_guessed(evidence: Evidence) -> None:
    assert diagnose(evidence) is None


@pytest.mark.parametrize(
    ("code", "kind", "again"),
    [
        ("137(SIGKILL, possible container OOM)", "killed", True),
        ("143(unexpected)", "ended", True),
        ("52(JVM OOM)", "heap", False),
        ("56(unexpected)", "heartbeat", True),
        (
            "-1(unexpected).\n\t container state: terminated\n\t exit code: 137\n\t termination reason: OOMKilled",
            "out of memory",
            False,
        ),
        ("1(exit-1, your guess is as good as mine)", "executor lost", True),
    ],
)
def test_a_lost_executor_is_known_by_its_exit_code(code: str, kind: str, again: bool) -> None:
    verdict = found(error=LOST.format(code=code), where="cluster")

    assert (verdict.kind, verdict.again) == (kind, again)
    assert "executor" in verdict.cause
    assert "driver.memory" not in verdict.change


def test_the_machines_word_is_believed_before_sparks() -> None:
    said = End(-9, Reason.MEMORY, "the executor needed more than its 1Gi of memory")

    verdict = found(error=LOST.format(code="137"), executors=(End(143), said), where="cluster")

    assert (verdict.kind, verdict.seen, verdict.again) == ("out of memory", said.message, False)
    assert verdict.change.startswith("executor.memory of a size in the team file")


def test_a_worker_that_was_killed_is_explained_by_its_executors_memory() -> None:
    crashed = "SparkException: Python worker exited unexpectedly (crashed)"

    alone, explained = found(error=crashed), found(error=crashed, executors=(End(0, Reason.MEMORY),))

    assert (alone.kind, explained.kind) == ("python worker", "out of memory")


def test_the_drivers_own_memory_comes_before_what_its_python_saw() -> None:
    gone = "Py4JNetworkError: Answer from Java side is empty"

    assert found(error=gone).kind == "jvm gone"
    assert found(error=gone, jvm=-9).kind == "killed"
    assert found(error=gone, jvm=-9, driver=End(65, Reason.MEMORY, "more than 1Gi")).kind == "out of memory"


@pytest.mark.parametrize(
    ("where", "key"), [("cluster", "executor.memory of a size in the team file"), ("machine", "spark.driver.memory")]
)
def test_what_to_change_depends_on_where_it_ran_and_on_whose_heap_it_was(where: Where, key: str) -> None:
    verdict = found(error=HEAP, where=where)

    assert verdict.cause == "the executor ran out of Java heap"
    assert key in verdict.change


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # MapOutputTracker, FetchFailedException: local mode has no executor that could be lost.
        ("has failed the maximum allowable number of times: 4. Most recent failure reason:\norg.apache.spark.shuffle."
         "MetadataFetchFailedException: Missing an output location for shuffle 0 partition 1", "fetch"),
        ("java.lang.OutOfMemoryError: Metaspace\n\tat java.base/java.lang.ClassLoader.defineClass1", "metaspace"),
        ("java.lang.OutOfMemoryError: GC overhead limit exceeded", "heap"),
        ("java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory", "threads"),
        ("java.lang.OutOfMemoryError", "java memory"),
        # ExecutorPodsLifecycleManager, then the JVM ends with code 11
        ("ERROR ExecutorPodsLifecycleManager: Max number of executor failures (3) reached", "executors failed"),
        ("java.lang.IllegalStateException: Spark context stopped while waiting for backend", "executors failed"),
        ("ImportError: cannot import name 'x' from 'y' (/opt/y.py)", "module"),
        ("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 1. PiB", "python memory"),
    ],
)  # fmt: skip
def test_texts_that_were_not_made_to_happen(text: str, kind: str) -> None:
    assert found(log=text).kind == kind


def test_only_what_decided_is_shown_and_secrets_in_it_are_masked() -> None:
    row = "hunter2"

    verdict = found(error=f"row {row}: java.lang.OutOfMemoryError: Java heap space at {row}")
    masked = found(driver=End(1, Reason.FILES, "https://u:hunter2@host/x"))

    assert verdict.seen == "java.lang.OutOfMemoryError: Java heap space"
    assert row not in str(masked)


@pytest.mark.parametrize("code", [*OURS, *CODES])
def test_a_driver_without_a_word_is_known_by_its_exit_code(code: int) -> None:
    verdict = found(driver=End(code))

    assert verdict.seen == f"exit code {code}"


def test_the_end_of_its_log_says_more_than_its_exit_code() -> None:
    assert found(driver=End(134), log="java.lang.OutOfMemoryError: Java heap space").kind == "heap"


def test_every_row_has_something_to_change_everywhere() -> None:
    rows: list[Sign | Meaning] = [*SIGNS, *REASONS.values(), *CODES.values(), *OURS.values()]
    assert {*Reason} == {*REASONS}

    for where in (None, *get_args(Where)):
        for row in rows:
            change = remedy(row.remedy, "executor", where)
            assert change
            assert "{" not in change + row.cause.format(side="executor")
    assert {*REMEDIES} <= {row.remedy for row in rows}
