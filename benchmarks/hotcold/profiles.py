"""What an object store is like from here: seconds to the first byte, and bytes a second. Facts, and their sources."""

from dataclasses import dataclass
from typing import Final, Self

MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Profile:
    """``first_byte_s``: from the end of a request to the first byte of its answer. Rates in bytes a second, None: no limit."""

    name: str
    first_byte_s: float = 0.0
    connection_rate: float | None = None
    total_rate: float | None = None

    @classmethod
    def named(cls, name: str) -> Self:
        """Raises: KeyError."""
        return cls(name, *_FIGURES[name])


# region: tens of milliseconds to the first byte within a region and 85 to 90 MB/s a connection (AWS, "Best practices
# design patterns: optimizing Amazon S3 performance"); in all what a 2 Gbit/s interface carries.
_FIGURES: Final[dict[str, tuple[float, float | None, float | None]]] = {
    "lan": (0.0, None, None),
    "region": (0.030, 90.0 * MB, 250.0 * MB),
}
NAMES: Final = tuple(_FIGURES)
