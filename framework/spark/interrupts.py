"""Ctrl-C while Spark works: a KeyboardInterrupt, and nothing but that on the screen. No JVM here.

Where it finds py4j waiting for an answer, py4j logs a traceback of it, then others of what that broke; these are dropped.
pyspark's own handler, which asks the JVM to cancel its work in the middle of such a call, only adds to them; whoever
interrupts a run ends its JVM anyway.
"""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Final, TypeAlias

__all__ = ["Interrupts", "held", "kept", "watched"]

# Where py4j logs: in part to the root logger.
_LOGGERS: Final = ("", "py4j.java_gateway", "py4j.clientserver")
_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None


@dataclass(frozen=True, slots=True)
class Interrupts:
    """``came`` is set once there was one; ``before`` is who heard of them before the session."""

    before: _Handler
    came: threading.Event = field(default_factory=threading.Event)

    def hear(self) -> None:
        """Take SIGINT (back): pyspark takes it whenever a context starts. Ignored it stays ignored."""
        if in_main_thread() and self.before is not None:  # None: not Python's to give back
            signal.signal(signal.SIGINT, self._heard if callable(self.before) else self.before)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.came.set()
        assert callable(self.before)
        self.before(number, frame)


@contextmanager
def watched() -> Iterator[Interrupts]:
    """Interrupts are noted in the block, and py4j is quiet after one; afterwards all is as before."""
    interrupts = Interrupts(signal.getsignal(signal.SIGINT))
    with ExitStack() as undo:
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.addFilter(quiet := _Quiet(interrupts.came))
            undo.callback(logger.removeFilter, quiet)
        if in_main_thread() and interrupts.before is not None:
            undo.callback(signal.signal, signal.SIGINT, interrupts.before)
        interrupts.hear()
        yield interrupts


@contextmanager
def kept() -> Iterator[None]:
    """What an interrupt in the block broke is no error of its own: pyspark asks the JVM again on its way out."""
    try:
        yield
    except Exception as error:  # in whatever words it is told by now
        if _stems_from_interrupt(error):
            raise KeyboardInterrupt from error
        raise


def _stems_from_interrupt(error: BaseException) -> bool:
    """Whether it was raised because of one, or while one was on its way up."""
    seen: set[int] = set()
    ahead: list[BaseException | None] = [error]
    while ahead:
        one = ahead.pop()
        if isinstance(one, KeyboardInterrupt):
            return True
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            ahead += [one.__cause__, one.__context__]
    return False


class _Quiet(logging.Filter):
    """Drops what py4j logs once the event is set."""

    def __init__(self, when: threading.Event) -> None:
        super().__init__()
        self._when = when

    def filter(self, record: logging.LogRecord) -> bool:
        return not (self._when.is_set() and "/py4j/" in record.pathname.replace("\\", "/"))


@contextmanager
def held() -> Iterator[None]:
    """An interrupt waits for the end of the block: between a fork and the note of it, it would lose the process."""
    if not in_main_thread():
        yield  # Python's handlers run in the main thread only
        return
    before = signal.getsignal(signal.SIGINT)
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def in_main_thread() -> bool:
    """Whether signal handlers can be set here."""
    return threading.current_thread() is threading.main_thread()
