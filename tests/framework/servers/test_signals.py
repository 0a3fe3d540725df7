"""A signal leaves the block wherever it finds the program, also where Python drops what is raised."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from framework.servers.signals import interruptible


class Drops:
    """What is raised in a ``__del__`` goes nowhere; so it is in callbacks after a fork."""

    def __init__(self, do: Callable[[], None]) -> None:
        self.do = do

    def __del__(self) -> None:
        self.do()


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Under nohup nobody hears that a terminal closes."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_who_was_told_to_outlive_the_terminal_does() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with interruptible():
        signal.raise_signal(signal.SIGHUP)


def _signal_dropped(number: int) -> None:
    Drops(lambda: signal.raise_signal(number))
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_leaves_also_from_where_exceptions_are_dropped(number: int) -> None:
    before = signal.getsignal(number), sys.unraisablehook

    with pytest.raises(SystemExit) as left, interruptible():
        _signal_dropped(number)

    assert left.value.code == 128 + number
    assert (signal.getsignal(number), sys.unraisablehook) == before


def test_the_witness_raising_alone_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: dropped.append(found.exc_type))

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        Drops(lambda: signal.raise_signal(signal.SIGTERM))
        time.sleep(0.1)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert dropped == [SystemExit]


def test_what_others_drop_is_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: told.append(found.exc_type))

    def fail() -> None:
        raise LookupError

    with interruptible():
        Drops(fail)
    assert told == [LookupError]


def test_a_second_signal_does_not_hurry_what_cleans_up() -> None:
    cleaned: list[str] = []
    with pytest.raises(SystemExit), interruptible():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned.append("all")
    assert cleaned == ["all"]
