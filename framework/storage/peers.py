"""Do two machines see one store? Each side runs the same steps on it, for the same names, at the same time.

Nothing but the store connects the two: a side says that it is there by putting a file, and waits for the other's. So it
is also found out how long a name that was absent stays so for the other machine, and how far its listings lag.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final, Literal

from framework.errors import SetupError, StoreUnavailable
from framework.storage.base import SlotTaken, Store
from framework.storage.selftest import folder_of

Side = Literal["here", "there"]
OTHER: Final[dict[Side, Side]] = {"here": "there", "there": "here"}
ROUNDS: Final = 50
PATIENCE_S: Final = 90.0
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Meeting:
    """What two sides agree on. ``token``: a name that nobody used before; ``alive``: whether the other may still come."""

    token: str
    team: str
    rounds: int = ROUNDS
    patience_s: float = PATIENCE_S
    alive: Callable[[], bool] = lambda: True

    @property
    def folder(self) -> str:
        return f"{folder_of(self.team)}/{self.token}"

    def path(self, what: str, number: int, side: Side | None = None) -> str:
        return f"{self.folder}/{what}-{number:03d}{f'-{side}' if side else ''}"


@dataclass(frozen=True, slots=True)
class Saw:
    """One side's view of a round: whether it was told that it won, and whose bytes it read in the slot.

    ``name_lag_s`` and ``list_lag_s``: how long it waited for the other's file, asked for by name, then in a listing.
    """

    won: bool | None
    seen: str | None
    name_lag_s: float
    list_lag_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out: rounds won on each side, and in seconds the longest wait for a name, and for a listing."""

    won_here: int
    won_there: int
    name_lag_s: float
    list_lag_s: float


def meet(store: Store, side: Side, meeting: Meeting) -> None:
    """Run one side's rounds, and leave what it saw in the store. Raises: StoreUnavailable when the other does not come."""
    for number in range(meeting.rounds):
        saw = _meet_once(store, side, meeting, number)
        store.put_if_absent(meeting.path("saw", number, side), json.dumps(asdict(saw)).encode())


def judge(store: Store, meeting: Meeting) -> Found:
    """What both sides saw, compared; their files are removed.

    Raises: SetupError when a round had not exactly one winner that both saw; StoreUnavailable.
    """
    here = [_saw(store, meeting, number, "here") for number in range(meeting.rounds)]
    there = [_saw(store, meeting, number, "there") for number in range(meeting.rounds)]
    for number, (mine, others) in enumerate(zip(here, there, strict=True)):
        if not _agree(mine, others):
            raise SetupError(
                "the two machines do not see one store",
                where=f"{store.kind} store {store.root}, round {number + 1} of {meeting.rounds}",
                got=f"here: {mine}; there: {others}",
                expected="one winner, whose bytes both read",
                next_step="see that both mount the same, and with which options: teamspark doctor",
            )
    store.delete(entry.path for entry in store.list(meeting.folder))
    both = [*here[1:], *there[1:]]  # in the first round one side was not there yet
    return Found(
        won_here=sum(one.seen == "here" for one in here),
        won_there=sum(one.seen == "there" for one in here),
        name_lag_s=max((one.name_lag_s for one in both), default=0.0),
        list_lag_s=max((one.list_lag_s for one in both), default=0.0),
    )


def _agree(here: Saw, there: Saw) -> bool:
    """``won`` None: the answer was lost, so what is in the slot tells."""
    told = [side for side, one in (("here", here), ("there", there)) if one.won]
    sure = here.won is not None and there.won is not None
    return here.seen == there.seen and (told == [here.seen] or (not told and not sure and here.seen in OTHER))


def _meet_once(store: Store, side: Side, meeting: Meeting, number: int) -> Saw:
    store.put_if_absent(meeting.path("ready", number, side), b"")
    theirs = meeting.path("ready", number, OTHER[side])
    name_lag_s = _until(lambda: store.read(theirs) is not None, meeting, theirs)
    list_lag_s = _until(lambda: any(one.path == theirs for one in store.list(meeting.folder)), meeting, theirs)
    slot = meeting.path("slot", number)
    won = _take(store, slot, side)
    seen = store.read(slot)
    return Saw(won, None if seen is None else seen.decode(), name_lag_s, list_lag_s)


def _take(store: Store, slot: str, side: Side) -> bool | None:
    try:
        store.put_if_absent(slot, side.encode())
    except SlotTaken:
        return False
    except StoreUnavailable:
        return None
    return True


def _saw(store: Store, meeting: Meeting, number: int, side: Side) -> Saw:
    path = meeting.path("saw", number, side)
    _until(lambda: store.read(path) is not None, meeting, path)
    return Saw(**json.loads(store.read(path) or b"{}"))


def _until(true: Callable[[], bool], meeting: Meeting, path: str) -> float:
    """How many seconds it took. Raises: StoreUnavailable."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > meeting.patience_s or not meeting.alive():
            raise StoreUnavailable(
                "the other machine does not come, or what it writes does not",
                where=path,
                expected=f"within {meeting.patience_s:.0f} s",
                next_step="see that both mount the same store, and try again",
            )
        time.sleep(_POLL_S)
    return time.monotonic() - began
