"""The two stores of a team as one: no path of one is ever looked up in the other."""

import pytest

from framework.cli.stores import WithLocalRuns
from framework.storage.memory import MemoryStore

LOCAL = "/flights/_local/delays.delays/20130101T000000Z/_log/0001.claim"
SHARED = "/flights/flights.daily/delays/20130101T000000Z/_log/0001.claim"
LOCAL_EVENTS = "/flights/+events/_local/delays.delays/20130101T000000Z/1.1-00000000.zstd"
SHARED_EVENTS = "/flights/+events/flights.daily/delays/20130101T000000Z/1.1-00000000.zstd"


@pytest.fixture
def both() -> WithLocalRuns:
    return WithLocalRuns(MemoryStore(), MemoryStore())


@pytest.mark.parametrize("path", [LOCAL, SHARED, LOCAL_EVENTS, SHARED_EVENTS])
def test_each_path_has_one_place(both: WithLocalRuns, path: str) -> None:
    both.put_if_absent(path, b"data")

    own, other = (both.local, both.shared) if path in {LOCAL, LOCAL_EVENTS} else (both.shared, both.local)
    found = both.stat(path)
    assert (own.read(path), other.read(path), both.read(path)) == (b"data", None, b"data")
    assert found is not None
    assert [entry.path for entry in both.list(path.rpartition("/")[0])] == [path]
    assert both.uri(path) == own.uri(path)


def test_a_team_has_its_own_dags_and_the_local_one(both: WithLocalRuns) -> None:
    both.put_if_absent(SHARED, b"")
    both.put_if_absent(LOCAL, b"")
    both.local.put_if_absent("/flights/foreign/x", b"")
    both.shared.put_if_absent("/flights/_local/x/y", b"")

    assert both.folders("/flights") == ("_local", "flights.daily")
    assert both.folders("/flights/_local") == ("delays.delays",)


def test_event_logs_of_both_are_found(both: WithLocalRuns) -> None:
    both.put_if_absent(SHARED_EVENTS, b"")
    both.put_if_absent(LOCAL_EVENTS, b"")
    both.local.put_if_absent("/flights/+events/foreign/x", b"")

    assert both.folders("/flights/+events") == ("_local", "flights.daily")
    assert both.folders("/flights") == ("+events",)


def test_data_files_are_settled_and_removed_where_they_are(both: WithLocalRuns) -> None:
    files = ["/flights/_local/a/b", "/flights/flights.daily/a/b"]
    for path in files:
        both.put_if_absent(path, b"12")

    both.settle((path, 2) for path in files)
    both.delete(files)

    assert [both.read(path) for path in files] == [None, None]
