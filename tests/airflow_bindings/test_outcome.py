"""What the end of a launch means: every row of the decision, without Airflow and without processes."""

from dataclasses import replace
from typing import Any

import pytest

from airflow_bindings.outcome import Again, Done, Patience, Step, Stop, Watch, decide
from airflow_bindings.state import LaunchState, launch_name
from framework.config import ErrorFacts, RunResult, Verdict
from framework.identity import RunKey
from framework.launch.base import Phase, Status

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
