"""An HTTP proxy on loopback that mistreats requests on their way to a server, as a schedule says.

A schedule is asked once for each request and names a fault, or nothing. So a test says which request meets what, and
a seed gives the same run again.
"""

import http.client
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Final

from tests.servers.seaweed import REGION, Keys

TIMEOUT_S: Final = 30
MOST_BYTES: Final = 64 * 1024 * 1024
DELAY_S: Final = 0.02

Schedule = Callable[["Request"], str | None]


@dataclass(frozen=True, slots=True)
class Request:
    """What a schedule decides by."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def claims_a_slot(self) -> bool:
        return self.method == "PUT" and "if-none-match" in self.headers


@dataclass(slots=True)
class Proxy:
    """A running proxy. ``met`` counts the faults that requests have met."""

    endpoint: str
    schedule: Schedule
    keys: Keys | None = None
    met: Counter[str] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)

    def fault(self, request: Request) -> str | None:
        with self.lock:
            found = self.schedule(request)
            if found is not None:
                self.met[found] += 1
            return found


def untouched(request: Request) -> str | None:
    """The schedule without faults."""
    return None


@contextmanager
def before(target: tuple[str, int], *, keys: Keys | None = None) -> Iterator[Proxy]:
    """A proxy before ``target`` (host, port) for as long as the block lasts. Set its ``schedule`` for faults.

    ``keys`` sign anew what a fault changes.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.target = target
    server.proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}", untouched, keys)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(TIMEOUT_S)


def seeded(seed: int, share: float, faults: tuple[str, ...], *, most: int) -> Schedule:
    """A fault for that share of requests, by lot, until there were ``most``."""
    lots, left = random.Random(seed), [most]

    def chosen(_: Request) -> str | None:
        if left[0] == 0 or lots.random() >= share:
            return None
        left[0] -= 1
        return lots.choice(faults)

    return chosen


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    target: tuple[str, int]
    proxy: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what faults are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(min(int(headers.get("content-length", 0)), MOST_BYTES))
        request = Request(self.command, self.path, headers)
        FAULTS[self.server.proxy.fault(request)](self, request, body)
        self.wfile.flush()

    def forward(self, request: Request, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(*self.server.target, timeout=TIMEOUT_S)
        headers = {name: value for name, value in request.headers.items() if name not in ("connection", "expect")}
        try:
            connection.request(request.method, request.path, body or None, headers | {"connection": "close"})
            reply = connection.getresponse()
            return reply, reply.read(MOST_BYTES)
        finally:
            connection.close()

    def answer(self, reply: http.client.HTTPResponse, data: bytes, *, sent: int | None = None) -> None:
        """The reply as it came; of its body only the first ``sent`` bytes."""
        self.send_response_only(reply.status, reply.reason)
        length = reply.getheader("content-length") if self.command == "HEAD" else str(len(data))
        for name, value in reply.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(data[:sent])

    def refuse(self, status: int, code: str) -> None:
        data = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>a fault of the test</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)

    def hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


def _through(handler: _Handler, request: Request, body: bytes) -> None:
    handler.answer(*handler.forward(request, body))


def _drop_reply(handler: _Handler, request: Request, body: bytes) -> None:
    handler.forward(request, body)
    handler.hang_up()


def _drop_request(handler: _Handler, request: Request, body: bytes) -> None:
    handler.hang_up()


def _cut_body(handler: _Handler, request: Request, body: bytes) -> None:
    """Half of what was promised, then the end; of a reply without a body, all of it."""
    reply, data = handler.forward(request, body)
    handler.answer(reply, data, sent=len(data) // 2)
    handler.hang_up()


def _delay(handler: _Handler, request: Request, body: bytes) -> None:
    time.sleep(DELAY_S)
    _through(handler, request, body)


def _flip(handler: _Handler, request: Request, body: bytes) -> None:
    """One bit of what is sent, where something is."""
    _through(handler, request, bytes([body[0] ^ 1]) + body[1:] if body else body)


def _unconditional(handler: _Handler, request: Request, body: bytes) -> None:
    """As servers do that do not know the header. It was signed, so what is left is signed anew."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    keys = handler.server.proxy.keys
    assert keys is not None, "give the proxy keys"
    host, port = handler.server.target
    plain = AWSRequest(request.method, f"http://{host}:{port}{request.path}", data=body)
    S3SigV4Auth(Credentials(keys.access, keys.secret), "s3", REGION).add_auth(plain)
    headers = {name.lower(): value for name, value in plain.headers.items()}
    handler.answer(*handler.forward(replace(request, headers=headers), body))


def _refusing(status: int, code: str) -> Callable[[_Handler, Request, bytes], None]:
    return lambda handler, request, body: handler.refuse(status, code)


FAULTS: Final[Mapping[str | None, Callable[[_Handler, Request, bytes], None]]] = {
    None: _through,
    "drop reply": _drop_reply,
    "drop request": _drop_request,
    "cut body": _cut_body,
    "delay": _delay,
    "flip": _flip,
    "unconditional": _unconditional,
    "slow down": _refusing(503, "SlowDown"),
    "internal": _refusing(500, "InternalError"),
    "conflict": _refusing(409, "ConditionalRequestConflict"),
    "expired": _refusing(400, "ExpiredToken"),
    "skewed": _refusing(403, "RequestTimeTooSkewed"),
    "elsewhere": _refusing(400, "AuthorizationHeaderMalformed"),
}
# What passes, and what a store therefore has to live with.
PASSING: Final = ("drop reply", "drop request", "cut body", "delay", "slow down", "internal")
