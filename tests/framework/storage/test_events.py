"""Event logs of runs: where they are, who finds them, and what else may lie there."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import StoreUnavailable
from framework.identity import Epoch, RunKey
from framework.storage.base import Store
from framework.storage.events import (
    is_gone,
    log_name,
    log_of_attempt,
    log_path,
    logged_dags,
    logs_below,
    logs_of,
    put_log,
)
from framework.storage.memory import MemoryStore
from framework.storage.paths import EVENTS, events_path, run_path, task_path
from framework.storage.runs import task_keys
from framework.tenancy.load import load_teams
from framework.tenancy.reach import reach_of
from tests.contracts.faults import LostReplyStore, lose_in_turn
from tests.framework.storage.clocks import Clocked
from tests.framework.storage.tries import KEY, Try, quick_log, run_try

FIRST, SECOND = Epoch("one", 1, 1), Epoch("one", 1, 2)
IDS = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable())


def all_logs(
    store: Store, team: str, dag_id: str | None = None, task_id: str | None = None
) -> list[tuple[RunKey, str]]:
    return [
        (log.key, log.name) for dag in logged_dags(store, team, dag_id) for log in logs_below(store, dag, team, task_id)
    ]


@given(dag_id=IDS, task_id=IDS, index=st.none() | st.integers(0, 999), launch=st.integers(1, 99))
def test_every_log_is_found_under_its_own_run(dag_id: str, task_id: str, index: int | None, launch: int) -> None:
    store, key, epoch = MemoryStore(), RunKey("flights", dag_id, task_id, KEY.run, index), Epoch("one", 1, launch)

    put_log(store, key, epoch, b"events")

    assert all_logs(store, "flights") == [(key, log_name(epoch))]
    assert [log.path for log in logs_of(store, key)] == [log_path(key, log_name(epoch))]
    assert all_logs(store, "flights", dag_id, task_id) == all_logs(store, "flights", dag_id) == [(key, log_name(epoch))]
    assert all_logs(store, "flights", f"{dag_id}x") == all_logs(store, "flights", dag_id, f"{task_id}x") == []


def test_no_task_and_no_run_is_seen_in_them() -> None:
    store = MemoryStore()
    run_try(store, Try.of(1))

    put_log(store, KEY, FIRST, b"events")

    assert list(task_keys(store, "flights")) == [KEY.task]
    assert events_path(KEY) == f"/flights/{EVENTS}{run_path(KEY).removeprefix('/flights')}"


def test_a_grant_of_the_task_does_not_open_them(tmp_path: Path) -> None:
    (tmp_path / "k8s/teams").mkdir(parents=True)
    grants = {"flights": [{"to": "insights", "read": [f"{KEY.dag_id}/{KEY.task_id}"]}], "insights": []}
    for name, given_away in grants.items():
        store = {"kind": "s3", "bucket": "data"}
        team = {"team": name, "owners": ["a@example.org"], "store": store, "grants": given_away}
        (tmp_path / f"k8s/teams/{name}.yaml").write_text(json.dumps(team))
    teams = load_teams(tmp_path)
    insights, flights = (reach_of(teams, name, task_path) for name in ("insights", "flights"))
    assert insights is not None
    assert flights is not None

    log, rows = log_path(KEY, log_name(FIRST))[1:], f"{run_path(KEY)[1:]}/a0001-00000000/default/part-0"

    assert [any(place.covers("data", key) for place in insights.readable) for key in (log, rows)] == [False, True]
    assert flights.own.covers("data", log)


def test_the_newest_by_the_stores_clock_comes_last() -> None:
    store = Clocked(MemoryStore())
    for epoch in (SECOND, Epoch("two", 1, 1), FIRST):
        put_log(store, KEY, epoch, b"events")
        store.pass_days(1)

    assert [log.name for log in logs_of(store, KEY)] == [log_name(e) for e in (SECOND, Epoch("two", 1, 1), FIRST)]


def test_an_index_has_logs_of_its_own() -> None:
    store, mapped = MemoryStore(), replace(KEY, map_index=3)
    put_log(store, KEY, FIRST, b"plain")
    put_log(store, mapped, FIRST, b"mapped")

    assert [store.read(log.path) for key in (KEY, mapped) for log in logs_of(store, key)] == [b"plain", b"mapped"]


def test_the_log_of_an_attempt_is_that_of_the_launch_which_claimed_it() -> None:
    store = MemoryStore()
    published = run_try(store, Try(FIRST))
    put_log(store, KEY, FIRST, b"first")
    put_log(store, KEY, SECOND, b"second, which claimed nothing")

    found = log_of_attempt(store, KEY, published.number)

    assert found is not None
    assert store.read(found.path) == b"first"
    assert log_of_attempt(store, KEY, 2) is None


@pytest.mark.parametrize("lost", ["taken", "silence"])
def test_a_lost_reply_is_no_lost_log(lost: str) -> None:
    store = LostReplyStore(MemoryStore(), lose_in_turn(lost))

    put_log(store, KEY, FIRST, b"events")

    assert [log.entry.bytes for log in logs_of(store, KEY)] == [6]


def test_a_store_that_does_not_take_it_says_so() -> None:
    store = LostReplyStore(MemoryStore(), lose_in_turn("request"))

    with pytest.raises(StoreUnavailable):
        put_log(store, KEY, FIRST, b"events")


@pytest.mark.parametrize(
    "name",
    ["notes", "1.1-0000000.zstd", "x/1.1-00000000.zstd", "20130101T000000Z/1.1-00000000", "20130101T000000Z/map-x/1.1-00000000.zstd"],
)  # fmt: skip
def test_what_is_no_log_is_none(name: str) -> None:
    store = MemoryStore()
    folder = f"/flights/{EVENTS}/{KEY.dag_id}/{KEY.task_id}"
    store.put_if_absent(f"{folder}/{name}", b"x")
    store.put_if_absent(f"/flights/{EVENTS}/NoId/x/{KEY.run}/1.1-00000000.zstd", b"x")

    assert all_logs(store, "flights") == []

    # Witness: the same name with a run before it.
    put_log(store, KEY, FIRST, b"x")
    assert all_logs(store, "flights") == [(KEY, log_name(FIRST))]


def test_a_run_is_gone_when_it_has_no_records() -> None:
    store = MemoryStore()
    put_log(store, KEY, FIRST, b"of a run that failed before it claimed")
    assert is_gone(store, KEY)

    quick_log(store).claim(FIRST, clear_number=0, who="a test", seen=None)
    assert not is_gone(store, KEY)
