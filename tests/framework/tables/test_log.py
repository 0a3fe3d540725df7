"""A log that is whole is read, a log that is not is said to be so: never is an older or smaller table handed out."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from framework.errors import InputCorrupt
from framework.storage.memory import MemoryStore
from framework.tables.actions import Commit, commit_bytes, parse_commit
from framework.tables.commit import commit_output
from framework.tables.log import TableLog
from framework.tables.proposal import proposal_of
from tests.contracts.faults import LaggingStore
from tests.framework.tables.runs import FIRST_DAY, OUTPUT, day, held, published, table


@pytest.fixture
def store() -> MemoryStore:
    """A table of five versions."""
    made = MemoryStore()
    for number in range(5):
        commit_output(made, published(made, day(number), parts=2), OUTPUT)
    return made


def slot(store: MemoryStore, version: int) -> str:
    return f"{table(store).place}/_delta_log/{version:020d}.json"


def spoil(store: MemoryStore, version: int, data: bytes | None) -> None:
    """Put other bytes into an entry, or take it away: nobody here can do that by the store's own verbs."""
    path = slot(store, version)
    if data is None:
        del store._files[path]
    else:
        store._files[path] = (data, 0.0)


def entry(store: MemoryStore, version: int) -> bytes:
    found = store.read(slot(store, version))
    assert found is not None
    return found


@pytest.mark.parametrize("version", [0, 2, 3])
def test_a_missing_entry_is_told(store: MemoryStore, version: int) -> None:
    spoil(store, version, None)

    with pytest.raises(InputCorrupt, match="an entry of a table's log is missing") as told:
        table(store).latest()
    assert f"{version:020d}.json" in str(told.value)


def test_nobody_commits_over_the_gap(store: MemoryStore) -> None:
    before = entry(store, 3)
    spoil(store, 3, None)

    with pytest.raises(InputCorrupt):
        commit_output(store, published(store, day(9)), OUTPUT)
    assert store.read(slot(store, 3)) is None

    spoil(store, 3, before)
    commit_output(store, published(store, day(8)), OUTPUT)
    assert len(held(store)) == 18


def test_witness_by_names_alone_a_gap_is_an_older_table_and_is_written_over(store: MemoryStore) -> None:
    spoil(store, 3, None)
    blind = LaggingStore(store, lambda _: 1_000_000)  # nothing is ever listed

    found = TableLog(blind, table(store).place).latest()
    assert found is not None
    assert found.version == 2
    commit_output(blind, published(store, day(9)), OUTPUT)

    again = table(store).latest()
    assert again is not None
    assert "_runs/20130104T000000Z" not in {file.share for file in again.up_to(None)}  # day 3 was told it is there


@pytest.mark.parametrize("cut", ["", "half", "a line", "the first line"])
def test_a_torn_entry_is_told(store: MemoryStore, cut: str) -> None:
    whole = entry(store, 2)
    lines = whole.splitlines(keepends=True)
    pieces = {"": b"", "half": whole[: len(whole) // 2], "a line": b"".join(lines[:-1]), "the first line": lines[0]}
    spoil(store, 2, pieces[cut])

    with pytest.raises(InputCorrupt, match="torn") as told:
        table(store).latest()
    assert f"{2:020d}.json" in str(told.value)


def test_a_log_that_begins_without_columns_is_told(store: MemoryStore) -> None:
    spoil(store, 0, commit_bytes(Commit()))

    with pytest.raises(InputCorrupt, match="does not begin with its columns"):
        table(store).latest()


def test_a_file_removed_twice_is_told(store: MemoryStore) -> None:
    commit_output(store, published(store, day(1), 2), OUTPUT)
    spoil(store, 4, entry(store, 5))

    with pytest.raises(InputCorrupt, match="removes a file that is not in it"):
        table(store).latest()


def test_every_version_can_be_read_again(store: MemoryStore) -> None:
    commit_output(store, published(store, day(0), 2), OUTPUT)

    assert {file.run for file in table(store).at(1).up_to(None)} == {day(0).run, day(1).run}
    assert sorted(file.rows or 0 for file in table(store).at(4).up_to(None)) == [1] * 5 + [2] * 5
    with pytest.raises(InputCorrupt):
        table(store).at(6)


def test_rows_up_to_a_day_leave_the_future_out(store: MemoryStore) -> None:
    found = table(store).latest()
    assert found is not None
    assert {file.run for file in found.up_to(FIRST_DAY)} == {day(0).run}
    assert found.up_to(FIRST_DAY - timedelta(1)) == ()
    assert len(found.up_to(None)) == 10


ADD: dict[str, Any] = {
    "path": "_runs/20130101T000000Z/a0001-00000000/part-0.parquet",
    "partitionValues": {"_run": "20130101T000000Z"},
    "size": 1,
}


@pytest.mark.parametrize(
    "action",
    [
        {"add": {**ADD, "deletionVector": {"storageType": "u"}}},
        {"add": {**ADD, "path": "part-0.parquet"}},
        {"add": {**ADD, "path": "_runs/20130101T000000Z/../../../other/_runs/x/a0001-00000000/part-0"}},
        {"add": {**ADD, "path": "s3://elsewhere/part-0.parquet"}},
        {"add": {**ADD, "partitionValues": {"_run": "20130102T000000Z"}}},
        {"add": {**ADD, "partitionValues": {}}},
        {"metaData": {"id": "x", "schemaString": "{}", "partitionColumns": []}},
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}},
        {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}},
        {"cdc": {"path": "x"}},
        {"sidecar": {}},
        [],
        {},
        "add",
    ],
)
def test_what_this_version_does_not_know_is_refused(action: object) -> None:
    with pytest.raises(InputCorrupt):
        parse_commit((json.dumps(action) + "\n").encode(), where="a test")


def test_an_entry_is_read_as_it_was_written(store: MemoryStore, tmp_path: Path) -> None:
    for version in range(5):
        commit = parse_commit(entry(store, version), where="a test")
        assert commit_bytes(commit) == entry(store, version)


def test_line_separators_inside_texts_are_no_ends_of_lines() -> None:
    data = '{"commitInfo":{"engineInfo":"another","userMetadata":"a\u2028b\x85c"}}\n'.encode()

    assert parse_commit(data, where="a test").info["userMetadata"] == "a\u2028b\x85c"


def test_a_proposal_says_whose_it_is() -> None:
    store = MemoryStore()
    wanted = proposal_of(published(store, day(1, 4), map_count=5), OUTPUT)

    assert wanted.app == "/flights/flights.daily/delays/20130102T000000Z/map-4"
    assert {file.share for file in wanted.files} == {wanted.share} == {"_runs/20130102T000000Z/map-4"}
    assert {file.map_index for file in wanted.files} == {4}
