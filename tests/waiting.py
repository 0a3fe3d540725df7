"""What comes by itself, soon."""

import time
from collections.abc import Callable
from typing import Final

SOON_S: Final = 30.0


def comes(holds: Callable[[], object], within_s: float = SOON_S, *, every_s: float = 0.1) -> bool:
    """Whether it came to hold within so many seconds."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True


def until(
    holds: Callable[[], object], within_s: float = SOON_S, *, told: Callable[[], str] = lambda: "waited in vain"
) -> None:
    """Wait for it; ``told`` says what there is instead."""
    assert comes(holds, within_s), told()
