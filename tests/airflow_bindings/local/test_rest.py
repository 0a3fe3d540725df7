"""The client against a small HTTP server that answers as told."""

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_bindings.local.errors import AirflowRefused, AirflowUnavailable
from airflow_bindings.local.rest import Client, RunId

RUN = RunId("flights.daily", "manual__2013-01-01T00:00:00+00:00")


class Server(ThreadingHTTPServer):
    """Answers from ``answers`` by (method, path) and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[tuple[str, str], list[tuple[int, object]]] = {}
        self.asked: list[tuple[str, str, object, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        queue = self.server.answers.get((self.command, self.path.partition("?")[0]), [(404, {"detail": "none"})])
        status, found = queue.pop(0) if len(queue) > 1 else queue[0]
        data = found.encode() if isinstance(found, str) else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = answer

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        one.answers["POST", "/auth/token"] = [(201, {"access_token": "t1"}), (201, {"access_token": "t2"})]
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server.url, "flights", "secret")


def test_a_token_that_ran_out_is_renewed_once(server: Server, client: Client) -> None:
    server.answers["GET", "/api/v2/dags/flights.daily"] = [(401, {}), (200, {"dag_id": "flights.daily"})]

    found = client.dag("flights.daily")

    assert found == {"dag_id": "flights.daily"}
    assert [token for _, path, _, token in server.asked if "dags" in path] == ["Bearer t1", "Bearer t2"]


def test_a_wrong_password_is_refused(server: Server, client: Client) -> None:
    server.answers["POST", "/auth/token"] = [(401, {"detail": "Invalid credentials"})]

    with pytest.raises(AirflowRefused, match="Invalid credentials"):
        client.dag("flights.daily")


def test_an_unknown_dag_is_none(client: Client) -> None:
    assert client.dag("flights.daily") is None


@pytest.mark.parametrize(("status", "error"), [(403, AirflowRefused), (409, AirflowRefused), (500, AirflowUnavailable)])
def test_the_class_of_an_error_says_whether_to_retry(
    server: Server, client: Client, status: int, error: type[Exception]
) -> None:
    server.answers["GET", RUN.path] = [(status, {"detail": "because"})]

    with pytest.raises(error, match="because"):
        client.state(RUN)


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(AirflowUnavailable):
        Client("http://127.0.0.1:9", "flights", "secret").health()


def test_no_proxy_is_used(server: Server, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.answers["GET", "/api/v2/monitor/health"] = [(200, {"scheduler": {}})]

    assert client.health() == {"scheduler": {}}


def test_a_date_is_sent_in_utc(server: Server, client: Client) -> None:
    server.answers["POST", "/api/v2/dags/flights.daily/dagRuns"] = [(200, {"dag_run_id": "r"})]
    new_york = timezone(timedelta(hours=-5))

    client.trigger("flights.daily", datetime(2012, 12, 31, 19, tzinfo=new_york))

    assert server.asked[-1][2] == {"logical_date": "2013-01-01T00:00:00+00:00"}


def test_ids_are_quoted_in_paths() -> None:
    assert RUN.path == "/api/v2/dags/flights.daily/dagRuns/manual__2013-01-01T00%3A00%3A00%2B00%3A00"
    assert RunId("a/../b", "c?d").path == "/api/v2/dags/a%2F..%2Fb/dagRuns/c%3Fd"


def test_the_password_is_not_shown(client: Client) -> None:
    assert "secret" not in repr(client)
