"""What the end of a launch means for the task: one pure function from facts to the next step."""

import re
from dataclasses import dataclass, field, replace
from typing import Final

from airflow_bindings.state import LaunchState
from framework.config import ErrorFacts, RunResult
from framework.diagnosis import Diagnosis, Evidence, Where, diagnose
from framework.errors import ConfigError, FinalError, NotYet, RetryableError, RunLost, TeamsparkError
from framework.launch.base import UNFINISHED, Executor, Phase, Status

NOT_YET: Final = NotYet.exit_code
_LOOK: Final = "look for memory kills and reboots on the machine; the launch's log is in the task's log"
LONGEST_PAUSE_S: Final = 60.0
# A finished message of ours, taken apart: its parts by name, further lines of a part, an item of a list.
_PART: Final = re.compile(r"  (?:(?P<name>where|got|expected|next): |(?P<item>- )|  \| )(?P<text>.*)")


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


@dataclass(frozen=True, slots=True)
class Seen:
    """What else was seen of a launch that ended badly: the end of its log, and its executors. ``where`` it ran."""

    log: str = field(repr=False, default="")
    executors: tuple[Executor, ...] = ()
    where: Where | None = None


def decide(status: Status, state: LaunchState, patience: Patience, *, now: float, seen: Seen = Seen()) -> Step:
    """The next step after looking at the launch that ``state`` remembers. ``now``: seconds since 1970.

    ``seen`` changes what is told, never the step.
    """
    if status.phase in UNFINISHED:
        return Watch()
    result = _result(status)
    if status.phase is Phase.SUCCEEDED and result is not None:
        return Done(result)
    if state.due is not None:
        return Again(state, "its time has come")
    found = _verdict(status, result, seen)
    if _was_lost(status, result):
        return _after_loss(status, state, patience, now, found)
    if status.exit_code == NOT_YET and result is not None:
        return _after_not_yet(status, result, state, patience, now)
    return Stop(_failure(status, result, found))


def _verdict(status: Status, result: RunResult | None, seen: Seen) -> Diagnosis | None:
    """Of a driver that left its error, only what the machine knows besides: it has read its own texts itself."""
    ends = tuple(one.end for one in seen.executors if one.phase not in UNFINISHED)
    if result is None or result.error is None:
        return diagnose(Evidence(status.end, log=seen.log, executors=ends, where=seen.where))
    told = tuple(end for end in ends if end.reason is not None)
    return diagnose(Evidence(replace(status.end, exit_code=None), executors=told, where=seen.where))


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


def _after_loss(status: Status, state: LaunchState, patience: Patience, now: float, found: Diagnosis | None) -> Step:
    if state.lost >= patience.lost_budget:
        return Stop(
            RunLost(
                f"the run was lost {state.lost + 1} times in a row",
                where=status.name,
                got=_ending(status, found),
                expected="a run that ends with a result",
                next_step=found.change if found else _LOOK,
            )
        )
    pause = min(2.0**state.lost, LONGEST_PAUSE_S) - 1
    again = replace(state, lost=state.lost + 1, due=now + pause)
    return Again(again, f"the machine lost the run ({_ending(status, found)}); starting it again")


def _after_not_yet(
    status: Status, result: RunResult | None, state: LaunchState, patience: Patience, now: float
) -> Step:
    since = now if state.waiting_since is None else state.waiting_since
    left = since + patience.wait_s - now
    if left <= 0:
        return Stop(_failure(status, result, None))
    pause = min(max(patience.pause_s, (now - since) / 4), LONGEST_PAUSE_S, left)
    return Again(replace(state, waiting_since=since, due=now + pause), f"an input is not there yet; {left:.0f} s left")


def _failure(status: Status, result: RunResult | None, found: Diagnosis | None) -> TeamsparkError:
    if result is not None and result.error is not None:
        return _remote(result.error, found)
    return RetryableError(
        status.why or (found.cause if found else "the run ended without saying why"),
        where=status.name,
        got=_ending(status, found),
        next_step=found.change if found else "read the end of the launch's log above",
    )


def _remote(error: ErrorFacts, found: Diagnosis | None) -> TeamsparkError:
    """The driver's error as it was there. What the machine knows besides is added, and comes first in what to do."""
    parts: dict[str, list[str]] = {"what": [], "where": [], "got": [], "expected": [], "next": [], "detail": []}
    last = "what"
    for line in error.message.split("\n"):
        said = _PART.fullmatch(line)
        last = last if said is None or said["name"] is None else said["name"]
        if said is not None and said["item"] is not None:
            last = "detail"
        parts[last].append(said["text"] if said else line)
    told = {name: "\n".join(lines) or None for name, lines in parts.items()}
    kind = RetryableError if error.retryable else FinalError
    return kind(
        f"{error.error}: {told['what']}",
        where=told["where"],
        got=told["got"],
        expected=told["expected"],
        details=[*parts["detail"], *([f"besides, {found.cause}" + _quoted(found)] if found else [])],
        next_step=found.change if found else told["next"],
    )


def _quoted(found: Diagnosis) -> str:
    return f" ({found.seen})" if found.seen and found.cause not in found.seen else ""


def _ending(status: Status, found: Diagnosis | None) -> str:
    code = "no exit code" if status.exit_code is None else f"exit code {status.exit_code}"
    if status.why and status.phase is Phase.LOST:
        return f"{code}: {status.why}"
    if found is None or found.seen == code or found.seen in (status.why or ""):
        return code
    return f"{code}: {found.seen}"
