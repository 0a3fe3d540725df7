"""What is handed over, and the two tasks on either side of it: four columns that do not compress, 32 bytes a row."""

from pathlib import Path
from typing import Final

from framework import Contract, Files, Frame, Schema

BYTES_A_ROW: Final = 32


class Numbers(Schema):
    w: int
    x: int
    y: int
    z: int


class First(Contract):
    def transform(self) -> Frame[Numbers]: ...


class Second(Contract):
    def transform(self, numbers: Frame[Numbers]) -> Files: ...


def make_template(path: Path, rows: int) -> None:
    """A Parquet file of ``rows`` of ``Numbers``."""
    import os

    import pyarrow as pa
    import pyarrow.parquet as pq

    def column() -> pa.Array:
        return pa.Array.from_buffers(pa.int64(), rows, [None, pa.py_buffer(os.urandom(8 * rows))])

    pq.write_table(pa.table({name: column() for name in "wxyz"}), path, use_dictionary=False)
