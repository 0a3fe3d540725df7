"""Uniqueness of the key of a small output, proven by reading its key columns, instead of by a shuffle of Spark's.

Most outputs are small, and the two stages of a group-by cost a second or more whatever the rows.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from framework.schema.constraints import type_family
from framework.schema.spec import SchemaSpec
from framework.spark.footers import Footers

_MOST_ROWS: Final = 1_000_000
"""Beyond so many rows the group-by is Spark's, on all its cores and with its memory."""

# Types of which both mean the same by "equal". Of floats they do not: -0.0 and the many NaN.
_COMPARABLE: Final = frozenset({"string", "integer", "decimal", "date", "timestamp", "timestamp_ntz", "boolean"})


def unique_by_reading(spec: SchemaSpec, paths: Sequence[Path], footers: Footers) -> bool:
    """Whether the key of ``spec`` is seen to be unique in the files ``paths``; False: not known, or not unique.

    Raises: OSError, pyarrow.ArrowException for files that cannot be read, page checksums included.
    """
    rows = sum(footers.rows)
    if rows > _MOST_ROWS or not all(type_family(spec.column(name).type) in _COMPARABLE for name in spec.key):
        return False
    table = pa.concat_tables(_key_columns(spec, paths))
    return bool(table.group_by(list(spec.key), use_threads=False).aggregate([]).num_rows == rows)


def _key_columns(spec: SchemaSpec, paths: Sequence[Path]) -> Iterator[Any]:
    for path in paths:
        yield pq.read_table(path, columns=list(spec.key), page_checksum_verification=True, partitioning=None)
