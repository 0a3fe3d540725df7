"""How fast bytes may go: a connection's rate, and one for all connections together."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

Clock = Callable[[], float]
LATE_S: Final = 0.01
"""How much longer than asked for a sleep of a millisecond may take on a busy machine."""


class Lane:
    """A rate in bytes a second. ``reserve`` gives the moment until which whoever sends that many has to wait.

    ``carried``: all bytes that were sent so far.
    """

    def __init__(self, rate: float | None, clock: Clock = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._free_at = 0.0
        self._lock = Lock()
        self.carried = 0

    def reserve(self, count: int) -> float:
        """Time that was not used is lost, as on a wire; but who comes late because a sleep was long, gets what was missed."""
        with self._lock:
            self.carried += count
            if self._rate is None:
                return 0.0
            now = self._clock()
            begins = now if now - self._free_at >= LATE_S else self._free_at
            self._free_at = begins + count / self._rate
            return self._free_at


def wait_until(moment: float) -> None:
    left = moment - time.monotonic()
    if left > 0:
        time.sleep(left)
