"""One object as a seekable file, for readers that are not Spark: each read asks for just those bytes.

The last bytes are fetched first and kept: they tell the size, and hold the footer of most Parquet files.
"""

import io
from collections.abc import Callable
from typing import Final

TAIL_BYTES: Final = 64 * 1024

Fetch = Callable[[str], tuple[bytes, int]]
"""Bytes of a range in HTTP's words, ``bytes=0-99`` or ``bytes=-99``, and the size of the whole object."""


class S3File(io.RawIOBase):
    """Immutable bytes behind ``fetch``. For one thread at a time. Raises what ``fetch`` raises, on any use."""

    def __init__(self, fetch: Fetch) -> None:
        super().__init__()
        self._fetch = fetch
        self._position = 0
        self._tail, self._size = fetch(f"bytes=-{TAIL_BYTES}")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"before the beginning of the file: {start + offset}")
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        end = self._size if size is None or size < 0 else min(self._size, self._position + size)
        data = self._between(self._position, end) if self._position < end else b""
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override] # any writable buffer
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _between(self, start: int, end: int) -> bytes:
        kept = self._size - len(self._tail)
        if start >= kept:
            return self._tail[start - kept : end - kept]
        return self._fetch(f"bytes={start}-{end - 1}")[0]
