"""A process that cleans up when it is told to go."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALLED: Final = 128
"""A process that a signal ended has this and the signal's number for its exit code, as shells have it."""
# The terminal closing is an end like any other.
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """These signals leave the block through its ``finally`` clauses, once; a second one does not hurry them."""

    def leave(number: int, _: FrameType | None) -> None:
        for name in SIGNALS:
            signal.signal(name, signal.SIG_IGN)
        raise SystemExit(SIGNALLED + number)

    before = {name: signal.signal(name, leave) for name in SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
