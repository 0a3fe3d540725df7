"""What the end of a launch means for the task: one pure function from facts to the next step."""

from dataclasses import dataclass, replace
from typing import Final

from airflow_bindings.state import LaunchState
from framework.config import ErrorFacts, RunResult
from framework.errors import ConfigError, FinalError, NotYet, RetryableError, RunLost, TeamsparkError
from framework.launch.base import UNFINISHED, Phase, Status

NOT_YET: Final = NotYet.exit_code
LONGEST_PAUSE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a task bears with the world. ``wait_s``: the longest ``wait`` of its edges."""

    lost_budget: int
    wait_s: float
    pause_s: float


@dataclass(frozen=True, slots=True)
class Watch:
    """The run is not over."""


@dataclass(frozen=True, slots=True)
class Done:
    """The run published."""

    result: RunResult


@dataclass(frozen=True, slots=True)
class Again:
    """Launch again once ``state.due`` has come. ``why`` is for the log."""

    state: LaunchState
    why: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The try fails; the error says whether another try may help."""

    error: TeamsparkError


Step = Watch | Done | Again | Stop


def decide(status: Status, state: LaunchState, patience: Patience, *, now: float) -> Step:
    """The next step after looking at the launch that ``state`` remembers. ``now``: seconds since 1970."""
    if status.phase in UNFINISHED:
        return Watch()
    result = _result(status)
    if status.phase is Phase.SUCCEEDED and result is not None:
        return Done(result)
    if state.due is not None:
        return Again(state, "its time has come")
    if _was_lost(status, result):
        return _after_loss(status, state, patience, now)
    if status.exit_code == NOT_YET:
        return _after_not_yet(status, result, state, patience, now)
    return Stop(_failure(status, result))


def _result(status: Status) -> RunResult | None:
    """What the run left, if it is about this run and can be read."""
    if status.result is None:
        return None
    try:
        result = RunResult.parse_json(status.result, where=status.name)
    except ConfigError:
        return None
    return result if result.key == status.key else None


def _was_lost(status: Status, result: RunResult | None) -> bool:
    """Gone without a word: no exit code, a signal that nobody of us sent, or success without a result."""
    if status.phase is Phase.FAILED and status.exit_code is None and status.why:
        return False  # it never ran, and the machine says why
    silent = status.phase is Phase.SUCCEEDED or status.exit_code is None or status.exit_code < 0
    return result is None and silent


def _after_loss(status: Status, state: LaunchState, patience: Patience, now: float) -> Step:
    if state.lost >= patience.lost_budget:
        return Stop(
            RunLost(
                f"the run was lost {state.lost + 1} times in a row",
                where=status.name,
                got=_ending(status),
                expected="a run that ends with a result",
                next_step="look for memory kills and reboots on the machine; the launch's log is in the task's log",
            )
        )
    pause = min(2.0**state.lost, LONGEST_PAUSE_S) - 1
    again = replace(state, lost=state.lost + 1, due=now + pause)
    return Again(again, f"the machine lost the run ({_ending(status)}); starting it again")


def _after_not_yet(
    status: Status, result: RunResult | None, state: LaunchState, patience: Patience, now: float
) -> Step:
    since = now if state.waiting_since is None else state.waiting_since
    left = since + patience.wait_s - now
    if left <= 0:
        return Stop(_failure(status, result))
    pause = min(max(patience.pause_s, (now - since) / 4), LONGEST_PAUSE_S, left)
    return Again(replace(state, waiting_since=since, due=now + pause), f"an input is not there yet; {left:.0f} s left")


def _failure(status: Status, result: RunResult | None) -> TeamsparkError:
    if result is not None and result.error is not None:
        return _remote(result.error)
    return RetryableError(
        status.why or "the run ended without saying why",
        where=status.name,
        got=_ending(status),
        next_step="read the end of the launch's log above",
    )


def _remote(error: ErrorFacts) -> TeamsparkError:
    """The driver's error; its message is finished and keeps its lines."""
    return (RetryableError if error.retryable else FinalError)(f"{error.error}: {error.message}")


def _ending(status: Status) -> str:
    code = "no exit code" if status.exit_code is None else f"exit code {status.exit_code}"
    return f"{code}: {status.why}" if status.why and status.phase is Phase.LOST else code
