"""Is the object store what its profile says? Asked before every run; where it is not, the run is void."""

import http.client
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from benchmarks.hotcold.profiles import MB, Profile

TOLERANCE: Final = 0.10
SMALL_GETS: Final = 200
SMALL: Final = 1_000
BIG_GETS: Final = 7
BIG: Final = 64 * MB
CONNECTIONS: Final = 16
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians and rates as a client saw them: seconds, and bytes a second of one connection and of all."""

    first_byte_s: float
    connection_rate: float
    total_rate: float

    def faults(self, profile: Profile) -> tuple[str, ...]:
        """What is more than a tenth off; empty where the store is as it should be. Without a limit all is right."""
        told = (
            ("first byte", "s", self.first_byte_s, profile.first_byte_s or None),
            ("one connection", "B/s", self.connection_rate, profile.connection_rate),
            (f"{CONNECTIONS} connections", "B/s", self.total_rate, profile.total_rate),
        )
        return tuple(
            f"{name}: {got:.4g} {unit}, expected {wanted:.4g} {unit}"
            for name, unit, got, wanted in told
            if wanted is not None and abs(got / wanted - 1) > TOLERANCE
        )


def measure(small: Sequence[str], big: Sequence[str]) -> Measured:
    """Ask the signed URLs: ``small`` objects of a kilobyte one after another, then ``big`` ones, one and all at once."""
    first = statistics.median(_timed(partial(_get, small[n % len(small)])) for n in range(SMALL_GETS))
    one = statistics.median(_timed(partial(_get, big[n % len(big)])) for n in range(BIG_GETS)) - first
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        asked = [big[n % len(big)] for n in range(CONNECTIONS)]
        every = _timed(lambda: list(pool.map(_get, asked))) - first
    return Measured(first, BIG / one, BIG * CONNECTIONS / every)


def _timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _get(url: str) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        reply = connection.getresponse()
        if reply.status != http.client.OK:
            raise ConnectionError(f"{reply.status} for {parts.path}")
        buffer, count = bytearray(_PIECE), 0
        while read := reply.readinto(buffer):
            count += read
        return count
    finally:
        connection.close()
