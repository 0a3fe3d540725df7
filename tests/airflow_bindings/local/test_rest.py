"""The client against a small HTTP server that answers as told."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from airflow_bindings.local.errors import AirflowRefused, AirflowUnavailable
from airflow_bindings.local.rest import Client, RunId
from tests.airflow_bindings.local.scripted import Server, scripted

RUN = RunId("flights.daily", "manual__2013-01-01T00:00:00+00:00")


@pytest.fixture
def server() -> Iterator[Server]:
    with scripted() as one:
        yield one


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
