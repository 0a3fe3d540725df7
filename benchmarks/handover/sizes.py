"""How much is handed over, and from which size on one way is quicker than another. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_MIB: Final = 1 << 20
_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Size:
    """``files`` of one size. ``rounds`` that count, after ``warm_up`` that do not: each is of new processes, so that the first size's
    serves all.
    """

    bytes: int
    files: int
    rounds: int
    warm_up: int = 1

    def __str__(self) -> str:
        return f"{told(self.bytes)} in {self.files} {'file' if self.files == 1 else 'files'}"


SIZES: Final = (Size(16 * _MIB, 1, 7), Size(128 * _MIB, 4, 5, 0), Size(_GIB, 8, 3, 0))
SMALL: Final = (Size(4 * _MIB, 1, 1, 0),)


def told(count: float) -> str:
    """Bytes, for a person."""
    return f"{count / _GIB:.3g} GiB" if count >= _GIB else f"{count / _MIB:.3g} MiB"


def crossing(behind: Sequence[tuple[int, float]]) -> float | None:
    """The bytes from which on one way is quicker than another; None where it is not so at the largest size.

    ``behind``: by how many seconds it is slower, at each size, the smallest first. Between two sizes it is a straight line. A way
    that was ahead once and fell back is quicker from where it went ahead for good. Where it is ahead at every size, it is the
    smallest: what was not measured is not claimed.
    """
    if not behind or behind[-1][1] >= 0:
        return None
    last = max((n for n, (_, seconds) in enumerate(behind) if seconds >= 0), default=-1)
    if last < 0:
        return float(behind[0][0])
    (low, slower), (high, quicker) = behind[last], behind[last + 1]
    return low + (high - low) * slower / (slower - quicker)


def crossing_told(who: str, whom: str, behind: Sequence[tuple[int, float]]) -> str:
    found, smallest, largest = crossing(behind), behind[0][0], behind[-1][0]
    if found is None:
        return f"{who} quicker than {whom}: at no size up to {told(largest)}"
    if found == smallest:
        return f"{who} quicker than {whom}: at every size from {told(smallest)} on"
    return f"{who} quicker than {whom}: from about {told(found)} on"
