from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.paths import RunRecord, run_segment, task_path
from framework.storage.posix import DirectoryStore
from framework.storage.runs import is_published, latest, runs_of
from tests.framework.storage.tries import KEY, Try, quick_log, run_try

DAY = datetime(2013, 1, 1, tzinfo=UTC)
MANUAL = run_segment(RunRecord("manual__1", run_after=DAY + timedelta(days=9)))


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Four published runs, one that is only claimed, one mapped, and folders that are no runs."""
    made: Store = MemoryStore() if request.param == "memory" else DirectoryStore(tmp_path)
    for segment in ("20130102T000000Z", "20130101T000000Z", "20130101T000000.000001Z", MANUAL, "key-eu"):
        run_try(made, Try.of(1), key=replace(KEY, run=segment))
    run_try(made, Try.of(1), key=replace(KEY, run="20130103T000000Z", map_index=0))
    quick_log(made, replace(KEY, run="20130104T000000Z")).claim(
        Try.of(1).epoch, clear_number=0, who="a test", seen=frozenset()
    )
    made.put_if_absent(f"{task_path(KEY.task)}/_table/default/part", b"x")
    made.put_if_absent(f"{task_path(KEY.task)}/20130105/notes", b"x")
    return made


def test_published_runs_come_oldest_first(store: Store) -> None:
    assert runs_of(store, KEY.task) == (
        "key-eu",
        "20130101T000000Z",
        "20130101T000000.000001Z",
        "20130102T000000Z",
        "20130103T000000Z",
        MANUAL,
    )


@pytest.mark.parametrize(
    ("moment", "strictly", "found"),
    [
        (DAY, False, "20130101T000000Z"),
        (DAY, True, None),
        (DAY - timedelta(microseconds=1), False, None),
        (DAY + timedelta(microseconds=1), False, "20130101T000000.000001Z"),
        (DAY + timedelta(microseconds=1), True, "20130101T000000Z"),
        (DAY + timedelta(days=1), True, "20130101T000000.000001Z"),
        (DAY + timedelta(days=100), False, "20130103T000000Z"),
    ],
)
def test_the_latest_is_the_newest_published_dated_run(
    store: Store, moment: datetime, strictly: bool, found: str | None
) -> None:
    assert latest(store, KEY.task, not_after=moment, strictly=strictly) == found


def test_a_retired_run_is_no_candidate(store: Store) -> None:
    quick_log(store, replace(KEY, run="20130102T000000Z")).retire(1, who="gc")

    assert not is_published(store, KEY.task, "20130102T000000Z")
    assert latest(store, KEY.task, not_after=DAY + timedelta(days=1)) == "20130101T000000.000001Z"


def test_a_task_nobody_ran_has_no_runs(store: Store) -> None:
    nobody = replace(KEY.task, task_id="nobody")

    assert runs_of(store, nobody) == ()
    assert latest(store, nobody, not_after=DAY) is None
