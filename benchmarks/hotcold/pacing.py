"""How fast bytes may go: a connection's rate, and one for all connections together."""

import time
from collections.abc import Callable
from threading import Lock

Clock = Callable[[], float]


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
        """Time that was not used is lost: a lane has no memory of idleness, as a wire has none."""
        with self._lock:
            self.carried += count
            if self._rate is None:
                return 0.0
            self._free_at = max(self._free_at, self._clock()) + count / self._rate
            return self._free_at


def wait_until(moment: float) -> None:
    left = moment - time.monotonic()
    if left > 0:
        time.sleep(left)
