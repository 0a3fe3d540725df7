"""Text files of a source as bytes, unpacked, on whatever store they lie."""

import io
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from framework.datafile import DataFile, readable

_AT_ONCE: Final = 2**20
"""Bytes of one request: who reads the first line of an object asks once."""


def text_bytes(file: DataFile) -> Any:
    """The bytes of ``file``, unpacked as its suffix says. Close it. Raises: OSError, ArrowException, StoreUnavailable."""
    opened = readable(file)
    if isinstance(opened, Path):
        return pa.input_stream(str(opened), compression="detect")
    return pa.input_stream(io.BufferedReader(opened, _AT_ONCE), compression=_packed(file.uri))  # type: ignore[type-var] # raw


def _packed(uri: str) -> str:
    try:
        return str(pa.Codec.detect(uri).name)
    except (ValueError, TypeError):  # the first is promised of a suffix that is none, the second is what comes
        return "detect"  # of a file that has no name: none
