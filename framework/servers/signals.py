"""A process that cleans up when it is told to go."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Final

SIGNALLED: Final = 128
"""A process that a signal ended has this and the signal's number for its exit code, as shells have it."""
# The terminal closing is an end like any other.
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_AGAIN_S: Final = 0.02


class Leave(SystemExit):
    """Raised where the signal found the program."""

    def __init__(self, number: int) -> None:
        super().__init__(SIGNALLED + number)
        self.number = number


@contextmanager
def interruptible(signals: Sequence[signal.Signals] = SIGNALS) -> Iterator[None]:
    """These signals leave the block through its ``finally`` clauses, once; a second one does not hurry them."""

    def leave(number: int, _: FrameType | None) -> None:
        for name in signals:
            signal.signal(name, signal.SIG_IGN)
        raise Leave(number)

    def lost(unraisable: Any) -> None:
        """A signal may find the program where Python drops what is raised (a ``__del__``, just after a fork)."""
        if isinstance(unraisable.exc_value, Leave):
            _again(unraisable.exc_value.number, leave)
        else:
            hook(unraisable)

    hook = sys.unraisablehook
    with ExitStack() as undo:
        for name in signals:
            if name is signal.SIGHUP and signal.getsignal(name) is signal.SIG_IGN:
                continue  # nohup: whoever started us does not want it heard
            undo.callback(signal.signal, name, signal.signal(name, leave))
        undo.callback(setattr, sys, "unraisablehook", hook)
        sys.unraisablehook = lost
        yield


def _again(number: int, leave: Any) -> None:
    """From a thread, because raised from here it would be dropped too."""
    signal.signal(number, leave)
    main = threading.main_thread().ident
    assert main is not None, "it runs: signals are handled in it"
    timer = threading.Timer(_AGAIN_S, signal.pthread_kill, (main, number))
    timer.daemon = True
    timer.start()
