"""Retention beside tables: what a table has, or may yet get, stays; what it will never have again goes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Published
from framework.storage.retention import steps_of
from framework.storage.sweep import carry_out, run_keys, store_now, survey
from framework.tables.commit import commit_output
from framework.tables.holding import holder
from tests.framework.storage.clocks import DAY_S, Clocked
from tests.framework.tables.runs import OUTPUT, TASK, claim, day, held, in_order, parquet, published, rows, table

GRACE_S = 7 * DAY_S


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Clocked:
    return Clocked(MemoryStore() if request.param == "memory" else DirectoryStore(tmp_path / "store"))


def gc(store: Store, holds: Callable[[Published], bool] | None = None) -> list[tuple[str, int | None]]:
    """All that is due, done."""
    now, done = store_now(store, TASK), list[tuple[str, int | None]]()
    for key in run_keys(store, TASK):
        for step in steps_of(survey(store, key, holds=holds or holder(store)), GRACE_S):
            if step.due <= now:
                carry_out(store, key, step, who="gc")
                done.append((step.action, step.attempt))
    return done


def all_there(store: Store, what: Published) -> bool:
    return all(store.stat(path) for path in what.paths(OUTPUT))


def test_what_the_table_has_is_never_touched(store: Clocked) -> None:
    first = published(store, day(1))
    commit_output(store, first, OUTPUT)
    second = published(store, day(1), 2)  # published, and never committed: its driver was killed
    store.pass_days(100)

    assert gc(store) == []
    assert held(store) == in_order(rows(day(1), 1))
    commit_output(store, second, OUTPUT)
    assert held(store) == in_order(rows(day(1), 2))


def test_witness_without_holding_the_table_names_files_that_are_gone(store: Clocked) -> None:
    commit_output(store, published(store, day(1)), OUTPUT)
    published(store, day(1), 2)
    for _ in range(2):
        store.pass_days(100)
        gc(store, lambda _: False)

    with pytest.raises(FileNotFoundError):
        held(store)


def test_what_left_the_table_goes_a_grace_period_after_it_left(store: Clocked) -> None:
    first = published(store, day(1))
    commit_output(store, first, OUTPUT)
    second = published(store, day(1), 2)
    store.pass_days(50)
    commit_output(store, second, OUTPUT)
    pinned = table(store).at(0)  # whoever pinned the version before has the grace period

    assert gc(store) == [("retire", 1)]
    store.pass_days(6.9)
    assert gc(store) == []
    assert all_there(store, first)
    assert [file.path for file in pinned.up_to(None)]
    store.pass_days(0.2)
    assert gc(store) == [("delete", 1)]
    assert not all_there(store, first)
    assert held(store) == in_order(rows(day(1), 2))


def test_what_was_never_published_goes_from_below_the_table(store: Clocked) -> None:
    commit_output(store, published(store, day(1)), OUTPUT)
    killed = claim(store, day(1), 2)
    path = f"{killed.output_dir(OUTPUT, table=True)}/part-0.parquet"
    store.put_if_absent(path, parquet([]))
    stray = f"{killed.output_dir(OUTPUT, table=True)[:-8]}deadbeef/part-0.parquet"
    store.put_if_absent(stray, parquet([]))
    store.pass_days(8)

    assert gc(store) == [("tombstone", 2), ("delete", None)]
    store.pass_days(8)
    assert gc(store) == [("delete", 2)]
    assert store.stat(path) is None
    assert store.stat(stray) is None
    assert held(store) == in_order(rows(day(1), 1))


def test_a_published_attempt_that_waits_for_its_commit_is_held(store: Clocked) -> None:
    waiting = published(store, day(1))
    store.pass_days(1000)

    assert gc(store) == []
    assert all_there(store, waiting)


def test_vacuum_of_another_program_finds_nothing(tmp_path: Path) -> None:
    from deltalake import DeltaTable

    store = DirectoryStore(tmp_path / "store")
    first = published(store, day(1))
    for what in (first, published(store, day(1), 2)):
        commit_output(store, what, OUTPUT)
    waiting = published(store, day(2))

    found = DeltaTable(str(store.local(table(store).place)))
    assert found.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True) == []
    assert all(all_there(store, what) for what in (first, waiting))


def test_witness_in_a_plain_folder_vacuum_deletes_what_is_published(tmp_path: Path) -> None:
    from deltalake import DeltaTable

    store = DirectoryStore(tmp_path / "store")
    commit_output(store, published(store, day(1)), OUTPUT)
    root = store.local(table(store).place)
    plain = root / "runs" / "a0001-00000000" / "part-0.parquet"
    plain.parent.mkdir(parents=True)
    plain.write_bytes(parquet([]))

    DeltaTable(str(root)).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    assert not plain.exists()
