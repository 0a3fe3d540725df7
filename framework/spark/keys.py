"""Uniqueness of the key of a small output, proven by reading its key columns, instead of by a shuffle of Spark's.

Most outputs are small, and the two stages of a group-by cost a second or more whatever the rows.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from framework.datafile import File, mapped, readable
from framework.schema.constraints import type_family
from framework.schema.spec import SchemaSpec
from framework.spark.footers import Footers

_MOST_ROWS: Final = 1_000_000
"""Beyond so many rows the group-by is Spark's, on all its cores and with its memory."""

# Types of which both mean the same by "equal". Of floats they do not: -0.0 and the many NaN.
_COMPARABLE: Final = frozenset({"string", "integer", "decimal", "date", "timestamp", "timestamp_ntz", "boolean"})


def unique_by_reading(spec: SchemaSpec, files: Sequence[File], footers: Footers) -> bool:
    """Whether the key of ``spec`` is seen to be unique in ``files``; False: not known, or not unique.

    Raises: OSError, pyarrow.ArrowException for files that cannot be read, page checksums included.
    """
    rows = sum(footers.rows)
    if rows > _MOST_ROWS or not all(type_family(spec.column(name).type) in _COMPARABLE for name in spec.key):
        return False
    table = pa.concat_tables(mapped(partial(_key_columns, list(spec.key)), files))
    return bool(table.group_by(list(spec.key), use_threads=False).aggregate([]).num_rows == rows)


def _key_columns(names: list[str], file: File) -> Any:
    return pq.read_table(readable(file), columns=names, page_checksum_verification=True, partitioning=None)
