"""How the second task reads, whoever handed it over: every column of every file decoded, two files at a time, none kept."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow.dataset as ds

# As pyarrow has them by default, a reader that is quicker than its source has most of a gigabyte in memory.
_BATCHES_AHEAD: Final = 4
_FILES_AHEAD: Final = 2


def rows_of(files: Sequence[str], filesystem: Any = None) -> int:
    """Rows of ``files``, paths of this machine or of ``filesystem``."""
    found = ds.dataset(list(files), format="parquet", filesystem=filesystem)
    batches = found.to_batches(batch_readahead=_BATCHES_AHEAD, fragment_readahead=_FILES_AHEAD)
    return sum(batch.num_rows for batch in batches)
