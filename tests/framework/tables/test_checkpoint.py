"""Checkpoints save requests and decide nothing: the table is the same with them, without them, and with broken ones."""

from collections import Counter
from typing import Any

import pytest

from framework.errors import InputCorrupt
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from framework.tables.checkpoint import EVERY
from framework.tables.commit import commit_output
from framework.tables.log import TableLog
from tests.contracts.faults import LaggingStore, Wrapped
from tests.framework.tables.runs import OUTPUT, day, published, table

COMMITS = 2 * EVERY + 5


class Counting(Wrapped):
    """Counts what is read by name."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.reads: Counter[str] = Counter()

    def read(self, path: str) -> bytes | None:
        self.reads[path] += 1
        return super().read(path)


@pytest.fixture
def store() -> MemoryStore:
    """A table of more than two checkpoints, with second attempts among its runs."""
    made = MemoryStore()
    for number in range(COMMITS):
        again = number % 7 == 3
        commit_output(made, published(made, day(number - again), 2 if again else 1, parts=2), OUTPUT)
    return made


def checkpoints(store: MemoryStore) -> list[str]:
    return [entry.path for entry in store.list("/") if entry.path.endswith(".checkpoint.parquet")]


def without_checkpoints(store: MemoryStore) -> MemoryStore:
    bare = MemoryStore()
    bare._files = {path: kept for path, kept in store._files.items() if not path.endswith(".checkpoint.parquet")}
    return bare


def state(store: Store) -> tuple[Any, ...]:
    found = TableLog(store, table(store).place).latest()
    assert found is not None
    plain = {path: (file.path, file.bytes, file.stats, file.run) for path, file in found.files.items()}
    return found.version, plain, dict(found.txns), found.meta.to_json(), found.protocol, sorted(found.removed)


def test_they_are_written_and_the_table_is_the_same(store: MemoryStore) -> None:
    assert [path[-38:-19] for path in checkpoints(store)] == [f"{EVERY:020d}"[1:], f"{2 * EVERY:020d}"[1:]]
    assert state(store) == state(without_checkpoints(store))


def test_few_entries_are_asked_for(store: MemoryStore) -> None:
    counting, bare = Counting(store), Counting(without_checkpoints(store))

    assert state(counting) == state(bare)
    assert sum(counting.reads.values()) <= EVERY + 1
    assert sum(bare.reads.values()) == COMMITS + 1


def test_entries_below_a_checkpoint_may_be_gone(store: MemoryStore) -> None:
    whole = state(store)
    for version in range(2 * EVERY):
        del store._files[f"{table(store).place}/_delta_log/{version:020d}.json"]

    assert state(store) == whole
    commit_output(store, published(store, day(99)), OUTPUT)
    with pytest.raises(InputCorrupt, match="missing"):
        table(store).at(EVERY - 1)


@pytest.mark.parametrize("how", ["empty", "half", "noise", "another table"])
def test_one_that_cannot_be_read_is_passed_over(store: MemoryStore, how: str) -> None:
    whole = state(without_checkpoints(store))
    newest = max(checkpoints(store))
    data = store.read(newest) or b""
    other = b"PAR1" + data[4 : len(data) // 2] + data[-200:]
    spoilt = {"empty": b"", "half": data[: len(data) // 2], "noise": b"\0" * 5000, "another table": other}
    store._files[newest] = (spoilt[how], 0.0)

    assert state(store) == whole


def test_a_listing_that_shows_none_costs_only_requests(store: MemoryStore) -> None:
    assert state(LaggingStore(store)) == state(store)


def test_the_first_one_stays() -> None:
    store = MemoryStore()
    commit_output(store, published(store, day(0)), OUTPUT)
    snapshot = table(store).latest()
    assert snapshot is not None
    store.put_if_absent(f"{table(store).place}/_delta_log/{0:020d}.checkpoint.parquet", b"first")

    table(store).save(snapshot)

    assert checkpoints(store) == [f"{table(store).place}/_delta_log/{0:020d}.checkpoint.parquet"]
    assert store.read(checkpoints(store)[0]) == b"first"


def test_deltalake_reads_the_table_from_our_checkpoint(store: MemoryStore, tmp_path: Any) -> None:
    from deltalake import DeltaTable

    directory = DirectoryStore(tmp_path / "store")
    for path, (data, _) in store._files.items():
        if not (path.endswith(".json") and int(path[-25:-5]) < 2 * EVERY):
            directory.put_if_absent(path, data)

    found = DeltaTable(str(directory.local(table(directory).place)))

    version, files, txns, *_ = state(store)
    assert found.version() == version
    assert sorted(found.get_add_actions(flatten=True).column("path").to_pylist()) == sorted(files)
    assert {app: found.transaction_version(app) for app in txns} == txns
    assert found.to_pyarrow_table().num_rows == 3 * len(found.partitions())


def test_a_checkpoint_of_deltalake_is_read(store: MemoryStore, tmp_path: Any) -> None:
    from deltalake import DeltaTable

    directory = DirectoryStore(tmp_path / "store")
    for path, (data, _) in without_checkpoints(store)._files.items():
        directory.put_if_absent(path, data)
    DeltaTable(str(directory.local(table(directory).place))).create_checkpoint()

    read = table(directory).latest()
    assert read is not None
    assert read.checkpoint == COMMITS - 1
    assert state(directory)[:5] == state(store)[:5]
