"""Whether others had the processor while a round was measured: the host (steal), or other programs of this machine."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MOST_STEAL: Final = 0.02
"""Share of all processor time that may be stolen in a quiet round."""


def _read() -> tuple[int, int]:
    """Ticks stolen, and ticks in all, since the start of the machine (proc(5), ``/proc/stat``); zeros elsewhere."""
    place = Path("/proc/stat")
    if os.name != "posix" or not place.exists():
        return 0, 0
    ticks = [int(word) for word in place.read_text().splitlines()[0].split()[1:9]]
    return ticks[7], sum(ticks)


@dataclass(slots=True)
class Steal:
    """Asked once after each round; the first question is about the time since it was made."""

    _before: tuple[int, int] = field(default_factory=_read)

    def __call__(self) -> bool:
        now = _read()
        stolen, all_of_it = (mine - theirs for mine, theirs in zip(now, self._before, strict=True))
        self._before = now
        return all_of_it > 0 and stolen / all_of_it > MOST_STEAL
