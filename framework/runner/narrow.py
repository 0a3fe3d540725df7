"""Whether a cold input is to be read past the cache: a cache fetches whole files, and some readers want little of them.

Pure, but for the footer that says what a column takes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from framework.datafile import DataFile, readable

AMPLIFIED: Final = 2
"""How many times what is wanted may be fetched into a cache, which then has it for the next reader."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """What each column of a file takes in it, compressed."""

    bytes: Mapping[str, int]

    def share(self, columns: Collection[str]) -> float:
        """Which part of the data ``columns`` are."""
        total = sum(self.bytes.values())
        return sum(self.bytes.get(name, 0) for name in set(columns)) / total if total else 1.0


def wasteful(cold: int, *, wanted: float) -> bool:
    """Whether to fetch ``cold`` bytes of files is more than a reader of ``wanted`` bytes should cost its store."""
    return cold > AMPLIFIED * wanted


def chunks_of(file: DataFile) -> Chunks:
    """Of a Parquet file, by its footer; columns of a structure are one. Raises: OSError, StoreUnavailable, ArrowException."""
    import pyarrow.parquet as pq  # only now: most inputs are read whole, and nobody asks

    footer = pq.read_metadata(readable(file))
    taken: dict[str, int] = {}
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            name = chunk.path_in_schema.partition(".")[0]
            taken[name] = taken.get(name, 0) + chunk.total_compressed_size
    return Chunks(taken)
