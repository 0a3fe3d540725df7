"""Driving runs over REST: which requests are made, in which order, and what a failure says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_bindings.demo.itinerary import itineraries
from airflow_bindings.local import telling
from airflow_bindings.local.drive import Driver, LastWords, Leg
from airflow_bindings.local.secrets import make
from airflow_bindings.local.settings import AirflowStack, TeamBundle
from airflow_bindings.local.supervisor import Running
from framework.errors import DefinitionError, JobFailed
from tests.airflow_bindings.local.scripted import Server, scripted

FLIGHTS = "/api/v2/dags/flights.daily"
INSIGHTS = "/api/v2/dags/insights.daily"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Log:
    """Remembers what a watcher is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []

    def started(self, leg: Leg, *, again: bool) -> None:
        self.told.append((str(leg), again))

    def looked(self, leg: Leg, instances: Sequence[Mapping[str, Any]], last_words: LastWords) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with scripted() as one:
        for dag in (FLIGHTS, INSIGHTS):
            one.answers["PATCH", dag] = [(200, {})]
            one.answers["GET", f"{dag}/dagRuns"] = [(200, {"dag_runs": []})]
            one.answers["POST", f"{dag}/dagRuns"] = [(200, {"dag_run_id": "r"})]
            one.answers["POST", f"{dag}/dagRuns/r/clear"] = [(200, {})]
            one.answers["DELETE", f"{dag}/dagRuns/r"] = [(204, "")]
            one.answers["GET", f"{dag}/dagRuns/r"] = [(200, {"state": "success"})]
            one.answers["GET", f"{dag}/dagRuns/r/taskInstances"] = [(200, {"task_instances": [instance("success")]})]
        yield one


def instance(state: str) -> dict[str, Any]:
    return {"task_id": "ingest", "map_index": -1, "state": state, "try_number": 1, "duration": 2.0}


@pytest.fixture
def driver(server: Server, tmp_path: Path) -> Driver:
    bundles = (TeamBundle("flights", tmp_path), TeamBundle("insights", tmp_path))
    stack = AirflowStack(tmp_path, bundles, int(server.server_address[1]))
    return Driver(Running(stack, make(stack.users), (), NOW), Log(), timeout_s=30)


def changes(server: Server) -> list[tuple[str, str]]:
    return [(method, path) for method, path, _, _ in server.asked if method != "GET" and "token" not in path]


def test_the_consumers_run_is_made_after_the_producers_has_succeeded(server: Server, driver: Driver) -> None:
    arrivals = driver.travel(itineraries(1))

    assert [arrival.leg.dag_id for arrival in arrivals] == ["flights.daily", "insights.daily"]
    assert changes(server) == [
        ("PATCH", FLIGHTS),
        ("POST", f"{FLIGHTS}/dagRuns"),
        ("PATCH", INSIGHTS),
        ("POST", f"{INSIGHTS}/dagRuns"),
    ]
    asked = [(method, path.partition("?")[0]) for method, path, _, _ in server.asked]
    assert asked.index(("GET", f"{FLIGHTS}/dagRuns/r")) < asked.index(("POST", f"{INSIGHTS}/dagRuns"))


def test_a_run_that_was_there_is_cleared(server: Server, driver: Driver) -> None:
    server.answers["GET", f"{FLIGHTS}/dagRuns"] = [(200, {"dag_runs": [{"dag_run_id": "r"}]})]

    driver.travel([itineraries(1)[0][:1]])

    assert changes(server)[-1] == ("POST", f"{FLIGHTS}/dagRuns/r/clear")
    assert isinstance(driver.watcher, Log)
    assert driver.watcher.told == [("flights.daily 2013-01-01", True)]


def test_a_run_that_was_left_half_way_is_made_anew(server: Server, driver: Driver) -> None:
    server.answers["GET", f"{FLIGHTS}/dagRuns"] = [(200, {"dag_runs": [{"dag_run_id": "r"}]})]
    server.answers["GET", f"{FLIGHTS}/dagRuns/r"] = [(200, {"state": "running"}), (200, {"state": "success"})]

    driver.travel([itineraries(1)[0][:1]])

    assert changes(server)[-2:] == [("DELETE", f"{FLIGHTS}/dagRuns/r"), ("POST", f"{FLIGHTS}/dagRuns")]


def test_a_run_that_is_under_way_in_an_airflow_of_another_process_is_watched(server: Server, driver: Driver) -> None:
    server.answers["GET", f"{FLIGHTS}/dagRuns"] = [(200, {"dag_runs": [{"dag_run_id": "r"}]})]
    server.answers["GET", f"{FLIGHTS}/dagRuns/r"] = [(200, {"state": "running"}), (200, {"state": "success"})]

    arrivals = replace(driver, live=replace(driver.live, kept_by_other=True)).travel([itineraries(1)[0][:1]])

    assert len(arrivals) == 1
    assert changes(server) == [("PATCH", FLIGHTS)]


def test_a_run_without_a_task_is_no_success_and_is_made_anew(server: Server, driver: Driver) -> None:
    """Airflow makes no task before a DAG's start, and calls the run a success; cleared, it would be one again."""
    run = f"{FLIGHTS}/dagRuns/r"
    server.answers["GET", f"{FLIGHTS}/dagRuns"] = [(200, {"dag_runs": [{"dag_run_id": "r"}]})]
    server.answers["GET", f"{run}/taskInstances"] = [(200, {"task_instances": []})]

    with pytest.raises(JobFailed, match="a run had no task"):
        driver.travel([itineraries(1)[0][:1]])
    assert changes(server)[-2:] == [("DELETE", run), ("POST", f"{FLIGHTS}/dagRuns")]


def test_after_a_silence_it_is_told_what_goes_on(
    server: Server, driver: Driver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(telling, "SILENCE_S", -1.0)
    run = f"{FLIGHTS}/dagRuns/r"
    waiting = [{"task_instances": [instance("running")]}, {"task_instances": [instance("success")]}]
    server.answers["GET", f"{run}/taskInstances"] = [(200, one) for one in waiting]
    lines = [{"event": "::group::"}, {"event": "an input is not there yet; 7164 s left"}, {"event": "::endgroup::"}]
    server.answers["GET", f"{run}/taskInstances/ingest/logs/1"] = [(200, {"content": lines})]

    replace(driver, watcher=telling.Talk()).travel([itineraries(1)[0][:1]])

    assert "ingest running: an input is not there yet; 7164 s left" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "record"), [(201, True), (409, True), (403, True), (404, False)])
def test_a_file_that_is_known_is_read_at_once(server: Server, driver: Driver, status: int, record: bool) -> None:
    server.answers["GET", FLIGHTS] = [(200, {"file_token": "a/b"}) if record else (404, {"detail": "none"})]
    server.answers["PUT", "/api/v2/parseDagFile/a%2Fb"] = [(status, None)]

    driver.refresh(itineraries(1)[0][0])

    assert changes(server) == ([("PUT", "/api/v2/parseDagFile/a%2Fb")] if record else [])


def test_a_failed_task_ends_it_with_the_end_of_its_log(server: Server, driver: Driver) -> None:
    lines = [{"event": f"line {number}"} for number in range(50)]
    run = f"{FLIGHTS}/dagRuns/r"
    server.answers["GET", run] = [(200, {"state": "failed"})]
    server.answers["GET", f"{run}/taskInstances"] = [(200, {"task_instances": [instance("failed")]})]
    server.answers["GET", f"{run}/taskInstances/ingest/logs/1"] = [(200, {"content": lines})]

    with pytest.raises(JobFailed, match="task ingest failed") as caught:
        driver.travel(itineraries(1))

    assert "line 49" in str(caught.value)
    assert "line 2\n" not in str(caught.value)
    assert ("POST", f"{INSIGHTS}/dagRuns") not in changes(server)


def test_of_several_failed_tasks_each_has_its_say(server: Server, driver: Driver) -> None:
    run = f"{FLIGHTS}/dagRuns/r"
    failed = [{**instance("failed"), "task_id": name, "map_index": index} for name, index in (("a", -1), ("b", 0))]
    server.answers["GET", run] = [(200, {"state": "failed"})]
    server.answers["GET", f"{run}/taskInstances"] = [(200, {"task_instances": failed})]
    for name in "ab":
        lines = [{"event": f"the last of {name}"}]
        server.answers["GET", f"{run}/taskInstances/{name}/logs/1"] = [(200, {"content": lines})]

    with pytest.raises(JobFailed) as caught:
        driver.travel(itineraries(1))

    assert "2 tasks failed: a, b[0]" in str(caught.value)
    assert "the last of a" in str(caught.value)
    assert "the last of b" in str(caught.value)


def test_a_dag_record_of_an_earlier_start_is_not_taken(server: Server, driver: Driver) -> None:
    old, new = "2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z"
    server.answers["GET", FLIGHTS] = [(200, {"last_parsed_time": old}), (200, {"last_parsed_time": new})]
    server.answers["GET", "/api/v2/importErrors"] = [(200, {"import_errors": []})]

    driver.await_dags({"flights.daily": "flights"}, since=NOW)

    assert len([path for _, path, _, _ in server.asked if path == FLIGHTS]) == 2


def test_a_dag_file_that_cannot_be_read_is_said(server: Server, driver: Driver) -> None:
    server.answers["GET", "/api/v2/importErrors"] = [(200, {"import_errors": [import_error("daily.py")]})]

    with pytest.raises(DefinitionError, match="NameError"):
        driver.await_dags({"flights.daily": "flights"}, since=NOW)


def import_error(file: str, at: str = "2026-01-01T00:00:01Z") -> dict[str, str]:
    return {"filename": file, "stack_trace": "Traceback\nNameError: name 'x' is not defined", "timestamp": at}


@pytest.mark.parametrize("error", [import_error("a/daily.py", "2025-12-31T00:00:00Z"), import_error("b/other.py")])
def test_an_old_error_and_that_of_another_file_stop_nobody(
    server: Server, driver: Driver, error: dict[str, str]
) -> None:
    server.answers["GET", FLIGHTS] = [(404, {"detail": "none"}), (200, {"last_parsed_time": "2026-01-01T00:00:02Z"})]
    server.answers["GET", "/api/v2/importErrors"] = [(200, {"import_errors": [error]})]

    driver.await_dags({"flights.daily": "flights"}, since=NOW, file="a/daily.py")

    assert ("GET", "/api/v2/importErrors") in [(method, path) for method, path, _, _ in server.asked]


def test_each_date_is_an_itinerary_of_its_own() -> None:
    found = itineraries(2)

    assert [[str(leg) for leg in legs] for legs in found] == [
        ["flights.daily 2013-01-01", "insights.daily 2013-01-01"],
        ["flights.daily 2013-01-02", "insights.daily 2013-01-02"],
    ]
