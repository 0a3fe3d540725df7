"""One client's connection, relayed to the server request by request, as late and as slowly as a profile says."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, cast

from benchmarks.hotcold.pacing import Lane, wait_until
from benchmarks.hotcold.profiles import Profile

_PIECE: Final = 128 * 1024
_LINE: Final = 65_536
_BODILESS: Final = frozenset({b"204", b"304"})


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the headers of a message, as they came."""

    lines: tuple[bytes, ...]

    @property
    def words(self) -> tuple[bytes, ...]:
        return tuple(self.lines[0].split())

    def value(self, name: bytes) -> bytes | None:
        for line in self.lines[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip().lower()
        return None

    def without(self, name: bytes) -> bytes:
        """The head as it is sent on."""
        kept = [line for line in self.lines if not line.lower().startswith(name + b":")]
        return b"".join(kept) + b"\r\n"


def read_head(stream: BinaryIO) -> Head | None:
    """None where the other side has closed."""
    lines: list[bytes] = []
    while (line := stream.readline(_LINE)) not in (b"\r\n", b""):
        lines.append(line)
    return Head(tuple(lines)) if lines else None


def body_of(stream: BinaryIO, head: Head) -> Iterator[bytes]:
    """The raw bytes of a message's body, in pieces, with the framing that they came in."""
    if head.value(b"transfer-encoding") == b"chunked":
        yield from _chunks(stream)
        return
    left = int(head.value(b"content-length") or 0)
    while left:
        piece = stream.read(min(left, _PIECE))
        if not piece:
            raise ConnectionError("the body ended early")
        left -= len(piece)
        yield piece


def _reading(one: socket.socket) -> BinaryIO:
    # Binary and buffered: with a size of its own the type is not known to be so.
    return cast("BinaryIO", one.makefile("rb", _PIECE))


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    size = -1
    while size != 0:
        line = stream.readline(_LINE)
        size = int(line.split(b";")[0], 16)
        yield line + stream.read(size + 2)


@dataclass(slots=True)
class Relay:
    """A client's connection and one of its own to the server."""

    profile: Profile
    total: Lane
    client: socket.socket
    server: socket.socket
    _lane: Lane = field(init=False)

    def __post_init__(self) -> None:
        self._lane = Lane(self.profile.connection_rate)
        for one in (self.client, self.server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def serve(self) -> None:
        """Requests until one side closes."""
        with _reading(self.client) as asking, _reading(self.server) as answering:
            while (request := read_head(asking)) is not None:
                self._ask(request, asking)
                if not self._answer(request, answering):
                    return

    def _ask(self, request: Head, asking: BinaryIO) -> None:
        if request.value(b"expect") == b"100-continue":
            self.client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.server.sendall(request.without(b"expect"))
        self._send(self.server, body_of(asking, request))

    def _answer(self, request: Head, answering: BinaryIO) -> bool:
        """Whether there may be another request."""
        asked_at = time.monotonic()
        reply = read_head(answering)
        if reply is None:
            return False
        wait_until(asked_at + self.profile.first_byte_s)
        self.client.sendall(reply.without(b"-"))
        if request.words[0] != b"HEAD" and reply.words[1] not in _BODILESS:
            self._send(self.client, body_of(answering, reply))
        return reply.value(b"connection") != b"close"

    def _send(self, to: socket.socket, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            wait_until(max(self._lane.reserve(len(piece)), self.total.reserve(len(piece))))
            to.sendall(piece)
