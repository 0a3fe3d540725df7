"""What the end of a launch means: every row of the decision, without Airflow and without processes."""

from dataclasses import replace
from typing import Any

import pytest

from airflow_bindings.outcome import Again, Done, Patience, Seen, Step, Stop, Watch, decide
from airflow_bindings.state import LaunchState, launch_name
from framework.config import ErrorFacts, RunResult, Verdict
from framework.diagnosis import Reason
from framework.errors import JobFailed
from framework.identity import RunKey
from framework.launch.base import Executor, Phase, Status

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
STATE = LaunchState("ab" * 16).next_launch(KEY, try_number=1, clear_number=0)
PATIENCE = Patience(lost_budget=2, wait_s=100, pause_s=5)
NOW = 1000.0


def _result(verdict: Verdict, *, retryable: bool | None = None, key: RunKey = KEY) -> bytes:
    error = None if retryable is None else ErrorFacts(error="Told", retryable=retryable, message="as told")
    return RunResult(verdict=verdict, key=key, error=error).json_bytes()


def _status(phase: Phase, exit_code: int | None = None, result: bytes | None = None) -> Status:
    return Status(STATE.name or "", phase, KEY, STATE.epoch, 0, exit_code, result)


def _decide(status: Status, **changes: Any) -> Step:
    return decide(status, replace(STATE, **changes), PATIENCE, now=NOW)


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.RUNNING])
def test_an_unfinished_run_is_watched(phase: Phase) -> None:
    assert _decide(_status(phase)) == Watch()


@pytest.mark.parametrize("verdict", ["published", "resumed", "superseded"])
def test_success_with_a_result_is_done(verdict: Verdict) -> None:
    step = _decide(_status(Phase.SUCCEEDED, 0, _result(verdict)))

    assert isinstance(step, Done)
    assert step.result.verdict == verdict


@pytest.mark.parametrize(
    "status",
    [
        _status(Phase.LOST),
        _status(Phase.ABSENT),
        _status(Phase.FAILED, -9),
        _status(Phase.SUCCEEDED, 0),
        _status(Phase.SUCCEEDED, 0, b"{"),
        _status(Phase.SUCCEEDED, 0, _result("published", key=replace(KEY, team="insights"))),
    ],
    ids=["lost", "absent", "signal", "no result", "half a result", "another run's result"],
)
def test_what_ended_without_a_word_was_lost(status: Status) -> None:
    step = _decide(status)

    assert isinstance(step, Again)
    assert (step.state.lost, step.state.due) == (1, NOW)


def test_what_never_ran_is_told_and_not_started_again() -> None:
    step = _decide(replace(_status(Phase.FAILED), why="the image cannot be fetched"))

    assert isinstance(step, Stop)
    assert "the image cannot be fetched" in str(step.error)


def test_losses_pause_longer_and_end_with_the_budget() -> None:
    second, third = _decide(_status(Phase.LOST), lost=1), _decide(_status(Phase.LOST), lost=2)

    assert isinstance(second, Again)
    assert second.state.due == NOW + 1
    assert isinstance(third, Stop)
    assert third.error.retryable


@pytest.mark.parametrize(("retryable", "exit_code"), [(True, 74), (False, 65), (False, 64)])
def test_the_drivers_error_says_whether_to_retry(retryable: bool, exit_code: int) -> None:
    step = _decide(_status(Phase.FAILED, exit_code, _result("failed", retryable=retryable)))

    assert isinstance(step, Stop)
    assert step.error.retryable is retryable
    assert str(step.error) == "Told: as told"


def test_an_exit_without_a_result_may_be_retried() -> None:
    step = _decide(_status(Phase.FAILED, 1))

    assert isinstance(step, Stop)
    assert step.error.retryable
    assert "got: exit code 1" in str(step.error)


@pytest.mark.parametrize(
    ("since", "due"),
    [(None, NOW + 5), (NOW - 4, NOW + 5), (NOW - 60, NOW + 15), (NOW - 97, NOW + 3)],
    ids=["first", "soon after", "grows with the wait", "never past its end"],
)
def test_a_missing_input_is_waited_for(since: float | None, due: float) -> None:
    step = _decide(_status(Phase.FAILED, 75, _result("not_yet", retryable=True)), waiting_since=since)

    assert isinstance(step, Again)
    assert step.state.due == due
    assert step.state.waiting_since == (NOW if since is None else since)
    assert step.state.lost == 0


def test_a_wait_that_is_spent_stops() -> None:
    step = _decide(_status(Phase.FAILED, 75, _result("not_yet", retryable=True)), waiting_since=NOW - 100)

    assert isinstance(step, Stop)
    assert step.error.retryable


@pytest.mark.parametrize("status", [_status(Phase.LOST), _status(Phase.FAILED, 75)])
def test_a_decision_that_was_remembered_is_not_taken_twice(status: Status) -> None:
    step = _decide(status, due=NOW - 1, lost=1, waiting_since=NOW - 1000)

    assert isinstance(step, Again)
    assert (step.state.lost, step.state.due) == (1, NOW - 1)


def test_names_are_used_once_and_legal_everywhere() -> None:
    longest = RunKey("t" * 30, "t.daily", "x", "20130101T000000Z")
    states = [STATE.next_launch(KEY, try_number=t, clear_number=c) for t, c in ((1, 0), (2, 0), (2, 1))]

    assert {state.launch for state in states} == {2}
    assert states[0].next_launch(KEY, try_number=1, clear_number=0).name != states[0].name
    assert len(launch_name(longest, "ab" * 16, 9_999_999)) <= 63
    assert launch_name(KEY, "ab" * 16, 1).replace("-", "").isalnum()


def test_a_clear_forgets_losses_and_waits() -> None:
    worn = replace(STATE, lost=2, waiting_since=1.0, due=2.0)

    same, cleared = (worn.next_launch(KEY, try_number=2, clear_number=number) for number in (0, 1))

    assert (same.lost, same.waiting_since, same.due) == (2, 1.0, None)
    assert (cleared.lost, cleared.waiting_since, cleared.due) == (0, None, None)


OOM = replace(_status(Phase.FAILED, 137), why="the driver needed more than its 1Gi of memory", reason=Reason.MEMORY)
HELPER = Executor("x-exec-1", Phase.FAILED, 137, "the executor needed more than its 2Gi of memory", Reason.MEMORY)


def _told(status: Status, seen: Seen) -> str:
    step = decide(status, STATE, PATIENCE, now=NOW, seen=seen)
    assert isinstance(step, Stop)
    return str(step.error)


def test_a_driver_out_of_memory_says_what_to_change() -> None:
    told = _told(OOM, Seen(where="cluster"))

    assert told.splitlines() == [
        "the driver needed more than its 1Gi of memory",
        f"  where: {STATE.name}",
        "  got: exit code 137",
        "  next: driver.memory of a size in the team file (sizes), or a larger size= of the operator",
    ]


@pytest.mark.parametrize(
    ("status", "log", "told"),
    [
        (_status(Phase.FAILED, 1), "ERROR x: java.lang.OutOfMemoryError: Java heap space", "the driver ran out of Java heap"),
        (_status(Phase.FAILED, 11), "", "executors ended or were refused until Spark gave up"),
        (_status(Phase.FAILED, 64), "", "the run found its configuration wrong"),
        (_status(Phase.FAILED, 134), "", "the JVM of the driver crashed"),
    ],
)  # fmt: skip
def test_a_run_without_a_result_is_explained_by_its_log_and_exit_code(status: Status, log: str, told: str) -> None:
    assert _told(status, Seen(log, where="cluster")).startswith(told)


def test_executors_explain_a_driver_that_only_knows_that_it_lost_them() -> None:
    told = str(
        JobFailed(
            "transform: executors were lost", where="x", got="some\nlines", details=["one", "two"], next_step="look"
        )
    )
    error = ErrorFacts(error="JobFailed", retryable=True, message=told)
    status = _status(Phase.FAILED, 74, RunResult(verdict="failed", key=KEY, error=error).json_bytes())

    alone, explained = _told(status, Seen()), _told(status, Seen(executors=(HELPER,), where="cluster"))

    assert alone == f"JobFailed: {told}"
    assert explained.splitlines()[:-2] == alone.splitlines()[:-1]
    assert explained.splitlines()[-2:] == [
        "  - besides, the executor needed more memory than it may have (the executor needed more than its 2Gi of memory)",
        "  next: executor.memory of a size in the team file (sizes), or a larger size= of the operator",
    ]


@pytest.mark.parametrize(
    "seen", [Seen(), Seen("java.lang.OutOfMemoryError: Metaspace", (HELPER,), "cluster")], ids=["nothing", "much"]
)
@pytest.mark.parametrize(
    "status",
    [
        _status(Phase.LOST), _status(Phase.ABSENT), _status(Phase.FAILED, -9), _status(Phase.FAILED, 1), OOM,
        _status(Phase.FAILED, 65, _result("failed", retryable=False)),
        _status(Phase.FAILED, 74, _result("failed", retryable=True)),
        _status(Phase.FAILED, 75, _result("not_yet", retryable=True)),
        _status(Phase.SUCCEEDED, 0, _result("published")), _status(Phase.RUNNING),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lost", [0, 2])
def test_what_is_seen_changes_what_is_told_and_never_the_step(status: Status, seen: Seen, lost: int) -> None:
    state = replace(STATE, lost=lost)
    plain, told = decide(status, state, PATIENCE, now=NOW), decide(status, state, PATIENCE, now=NOW, seen=seen)

    assert type(plain) is type(told)
    if isinstance(plain, Stop) and isinstance(told, Stop):
        assert type(plain.error) is type(told.error)
    elif isinstance(plain, Again) and isinstance(told, Again):
        assert plain.state == told.state
