"""Counts what a process does to files and servers, and kills it at the n-th step. Only for processes that are to die."""

import os
import select
import signal
import sys
from http.client import HTTPConnection, HTTPResponse
from typing import IO, Any, Final

# What has no event of its own tells of itself under this name.
STEP: Final = "tests.kill.step"
# Raised by the interpreter before the call: dying here is dying between the call before and this one.
EVENTS: Final = frozenset(
    {
        *("open", "os.mkdir", "os.link", "os.remove", "os.rename", "os.rmdir", "os.scandir", "os.listdir"),
        *("shutil.rmtree", "http.client.send", STEP),
    }
)


class Steps:
    """``kill_at`` 0 only counts."""

    def __init__(self, kill_at: int) -> None:
        self.count = 0
        self._kill_at = kill_at

    def arm(self) -> None:
        """From now on calls of the file system and requests are steps; there is no way back."""
        HTTPConnection.response_class = Answered
        sys.addaudithook(self._hear)

    def tick(self) -> None:
        self.count += 1
        if self.count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS:
            self.tick()


class Answered(HTTPResponse):
    """A reply that is there and not read yet is a step: the server has done what it was asked, and nobody knows."""

    def begin(self) -> None:
        select.select([self.fp], [], [])
        sys.audit(STEP)
        super().begin()


class Sink:
    """A file whose writes are steps, each in two halves: files are cut anywhere, not only between writes."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        for part in (view[: len(view) // 2], view[len(view) // 2 :]):
            sys.audit(STEP)
            self._file.write(part)
        return len(view)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True
