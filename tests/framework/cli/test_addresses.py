"""Tasks, runs and attempts as people type them; hostile ones are refused or encoded, never joined as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.cli.addresses import parse_attempt, parse_output, parse_parts, parse_run, parse_task
from framework.errors import ConfigError, FinalError, TeamsparkError
from framework.identity import RunKey, TaskKey
from framework.storage.paths import run_path

KEY = RunKey("flights", "flights.daily", "ingest", "20130101T000000Z")


@pytest.mark.parametrize(
    "text",
    [
        "flights/flights.daily/ingest/2013-01-01",
        "flights/flights.daily/ingest/2013-01-01T00:00",
        "flights/flights.daily/ingest/2013-01-01T01:00+01:00",
        "flights/flights.daily/ingest/20130101T000000Z",
        "/flights/flights.daily/ingest/20130101T000000Z",
        "/flights/flights.daily/ingest/20130101T000000Z/",
    ],
)
def test_a_run_has_many_spellings(text: str) -> None:
    assert parse_attempt(text).key == KEY


def test_an_attempt_and_a_map_index_are_named_behind_the_run() -> None:
    found = parse_attempt("flights/flights.daily/ingest/2013-01-01/map-3@2")

    assert (found.key.map_index, found.attempt) == (3, 2)
    assert str(found) == "flights/flights.daily/ingest/20130101T000000Z[3]@2"


@pytest.mark.parametrize(
    ("text", "output"),
    [("flights/flights.daily/ingest", "default"), ("flights/flights.daily/ingest:rejects", "rejects")],
)
def test_an_output_is_named_behind_the_task(text: str, output: str) -> None:
    found = parse_output(text)

    assert (found.task, found.output) == (TaskKey("flights", "flights.daily", "ingest"), output)


ids = st.text(st.characters(codec="utf-8", exclude_characters="/@"), min_size=1, max_size=20)


@given(ids, ids)
def test_the_path_that_a_report_prints_is_an_address(dag_id: str, task_id: str) -> None:
    key = RunKey("flights", dag_id, task_id, "20130101T000000Z")

    assert parse_attempt(run_path(key)).key == key


@given(st.text(max_size=60))
def test_anything_else_is_an_error_of_ours(text: str) -> None:
    for parse in (parse_task, parse_output, parse_attempt, parse_run, lambda one: parse_parts(one, 3)):
        try:
            parse(text)
        except TeamsparkError as error:
            assert isinstance(error, FinalError)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "flights",
        "flights/flights.daily",
        "flights//ingest/2013-01-01",
        "flights/flights.daily/ingest",
        "flights/flights.daily/ingest/yesterday",
        "flights/flights.daily/ingest/2013-13-01",
        "flights/flights.daily/ingest/../2013-01-01",
        "flights/flights.daily/ingest/2013-01-01/3",
        "flights/flights.daily/ingest/2013-01-01/map-1/x",
        "Flights/flights.daily/ingest/2013-01-01",
        "../flights.daily/ingest/2013-01-01",
        "/flights/%2e%2e/ingest/20130101T000000Z",
    ],
)
def test_what_names_no_run_is_refused(text: str) -> None:
    with pytest.raises(TeamsparkError):
        parse_attempt(text)


def test_a_hostile_id_stays_below_its_team() -> None:
    found = parse_attempt("flights/../ingest\n/2013-01-01")

    assert run_path(found.key) == "/flights/!2e!2e/ingest!0a/20130101T000000Z"


def test_a_task_of_too_few_parts_says_what_a_task_is() -> None:
    with pytest.raises(ConfigError) as stop:
        parse_task("flights/daily")

    assert "flights/flights.daily/ingest" in str(stop.value)
