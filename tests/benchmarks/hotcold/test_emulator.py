"""The emulated store: what goes through it arrives as it was, no earlier and no faster than the profile says."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks.hotcold import emulator
from benchmarks.hotcold.check import Measured
from benchmarks.hotcold.pacing import Lane
from benchmarks.hotcold.profiles import MB, NAMES, Profile


class Echo(BaseHTTPRequestHandler):
    """Answers with the method, the headers it got and the body; chunked where it is asked to."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)) or b"nothing"
        self.send_response(200)
        self.send_header("seen-host", str(self.headers["host"]))
        if self.path == "/chunked":
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            return
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = answer

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up here."""


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    with Server(("127.0.0.1", 0), Echo) as echo:
        thread = Thread(target=echo.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield "127.0.0.1", echo.server_port
        echo.shutdown()
        thread.join(10)


@pytest.fixture(scope="module", params=NAMES)
def endpoint(server: tuple[str, int], request: pytest.FixtureRequest) -> Iterator[str]:
    with emulator.before(server, Profile.named(request.param)) as found:
        yield found.endpoint


@contextmanager
def connected(endpoint: str) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection(urlsplit(endpoint).netloc, timeout=20)) as connection:
        yield connection


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
def test_bytes_and_signed_headers_arrive_as_they_were(endpoint: str, path: str) -> None:
    data, found = bytes(range(256)) * 4000, []
    asked = [("PUT", data), ("GET", None), ("HEAD", None), ("PUT", data)]

    with connected(endpoint) as connection:  # one: what is left over would be the next answer's
        for method, body in asked:
            connection.request(method, path, body, {"Host": "signed.example", "Expect": "x"})
            reply = connection.getresponse()
            found.append((reply.status, reply.headers["seen-host"], reply.read()))

    answers = [data, b"nothing", b"", data]
    assert found == [(200, "signed.example", answer) for answer in answers]


def test_who_hangs_up_ends_nothing_but_its_own_connection(endpoint: str) -> None:
    host, _, port = endpoint.removeprefix("http://").partition(":")

    with socket.create_connection((host, int(port))) as one:
        one.sendall(b"PUT /plain HTTP/1.1\r\ncontent-length: 100\r\n\r\nhalf")
    with connected(endpoint) as connection:
        connection.request("GET", "/plain")
        answer = connection.getresponse().read()

    assert answer == b"nothing"


def test_no_answer_comes_before_the_first_byte_s_time(server: tuple[str, int]) -> None:
    """A bound from below, which no busy machine breaks; without a profile there is none."""
    with emulator.before(server, Profile.named("region")) as late, connected(late.endpoint) as connection:
        started = time.monotonic()
        for _ in range(5):
            connection.request("GET", "/plain")
            connection.getresponse().read()
        taken = time.monotonic() - started

    assert taken >= 5 * 0.030


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_that_went_through_are_counted(server: tuple[str, int], name: str) -> None:
    with emulator.before(server, Profile.named(name)) as far, connected(far.endpoint) as connection:
        told = [far.carried()]
        for path in ("/plain", "/plain"):
            connection.request("PUT", path, b"x" * 300_000)
            connection.getresponse().read()
            told.append(far.carried())

    assert told == [0, 600_000, 1_200_000]


def moments(lane: Lane, counts: list[int]) -> list[float]:
    return [lane.reserve(count) for count in counts]


def test_a_lane_lets_no_more_through_than_its_rate() -> None:
    now = [100.0]
    lane = Lane(1000.0, clock=lambda: now[0])

    assert moments(lane, [500, 500, 1000]) == [100.5, 101.0, 102.0]
    now[0] = 102.005  # a long sleep, not a pause
    assert moments(lane, [1000]) == [103.0]
    now[0] = 200.0
    assert moments(lane, [1000]) == [201.0]


def test_a_lane_is_shared_by_threads() -> None:
    lane = Lane(1e6, clock=lambda: 0.0)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lane.reserve, [1000] * 400))

    assert max(found) == pytest.approx(0.4)
    assert len(set(found)) == 400


def test_without_a_rate_nobody_waits() -> None:
    assert Lane(None).reserve(10**12) == 0.0


AS_IT_SHOULD_BE = Measured(0.031, 88.0 * MB, 240.0 * MB)


@pytest.mark.parametrize(
    ("measured", "faults"),
    [
        (AS_IT_SHOULD_BE, 0),
        (Measured(0.0033, 88.0 * MB, 240.0 * MB), 1),  # a delay that never took place
        (Measured(0.030, 510.0 * MB, 255.0 * MB), 1),
        (Measured(0.040, 70.0 * MB, 120.0 * MB), 3),
    ],
)
def test_a_store_that_is_not_its_profile_is_told(measured: Measured, faults: int) -> None:
    assert len(measured.faults(Profile.named("region"))) == faults


def test_without_limits_nothing_is_a_fault() -> None:
    assert AS_IT_SHOULD_BE.faults(Profile.named("lan")) == ()


def test_an_unknown_profile_is_an_error() -> None:
    with pytest.raises(KeyError):
        Profile.named("moon")
