"""A log that is whole is read, a log that is not is said to be so: never is an older or smaller table handed out."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from framework.errors import InputCorrupt
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from framework.storage.s3client import Bucket, connect
from framework.tables.actions import Commit, commit_bytes, parse_commit
from framework.tables.commit import commit_output
from framework.tables.log import TableLog
from framework.tables.proposal import proposal_of
from tests.contracts.faults import LaggingStore
from tests.framework.tables.runs import FIRST_DAY, OUTPUT, day, held, published, table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Tampers: TypeAlias = Callable[[str, bytes | None], None]
Spoil: TypeAlias = Callable[[int, bytes | None], None]
# Where it matters that the real thing says it: a store's own errors may be taken for an entry that is not there.
everywhere = pytest.mark.parametrize("place", ["memory", "directory", "s3"], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> tuple[Store, Tampers]:
    """A store, and how to put other bytes below a path of it, or none: its own verbs cannot, a log is never rewritten."""
    kind = getattr(request, "param", "memory")
    if kind == "s3":
        bucket: Bucket = request.getfixturevalue("s3_place")
        return request.getfixturevalue("s3_store"), partial(tamper_bucket, connect(bucket), bucket)
    if kind == "directory":
        local = DirectoryStore(request.getfixturevalue("tmp_path"))
        return local, partial(tamper_directory, local)
    memory = MemoryStore()
    return memory, partial(tamper_memory, memory)


def tamper_memory(store: MemoryStore, path: str, data: bytes | None) -> None:
    store._files.pop(path, None)
    if data is not None:
        store._files[path] = (data, 0.0)


def tamper_directory(store: DirectoryStore, path: str, data: bytes | None) -> None:
    store.local(path).unlink(missing_ok=True)
    if data is not None:
        store.local(path).write_bytes(data)


def tamper_bucket(client: "S3Client", bucket: Bucket, path: str, data: bytes | None) -> None:
    key = f"{bucket.prefix}{path}"
    if data is None:
        client.delete_object(Bucket=bucket.name, Key=key)
    else:
        client.put_object(Bucket=bucket.name, Key=key, Body=data)


@pytest.fixture
def store(place: tuple[Store, Tampers]) -> Store:
    """A table of five versions."""
    made, _ = place
    for number in range(5):
        commit_output(made, published(made, day(number), parts=2), OUTPUT)
    return made


@pytest.fixture
def spoil(place: tuple[Store, Tampers]) -> Spoil:
    """Put other bytes into an entry, or take it away."""
    made, tamper = place
    return lambda version, data: tamper(slot(made, version), data)


def slot(store: Store, version: int) -> str:
    return f"{table(store).place}/_delta_log/{version:020d}.json"


def entry(store: Store, version: int) -> bytes:
    found = store.read(slot(store, version))
    assert found is not None
    return found


@everywhere
@pytest.mark.parametrize("version", [0, 2, 3])
def test_a_missing_entry_is_told(store: Store, spoil: Spoil, version: int) -> None:
    spoil(version, None)

    with pytest.raises(InputCorrupt, match="an entry of a table's log is missing") as told:
        table(store).latest()
    assert f"{version:020d}.json" in str(told.value)


@everywhere
def test_nobody_commits_over_the_gap(store: Store, spoil: Spoil) -> None:
    before = entry(store, 3)
    spoil(3, None)

    with pytest.raises(InputCorrupt):
        commit_output(store, published(store, day(9)), OUTPUT)
    assert store.read(slot(store, 3)) is None

    spoil(3, before)
    commit_output(store, published(store, day(8)), OUTPUT)
    assert len(held(store)) == 18


def test_witness_by_names_alone_a_gap_is_an_older_table_and_is_written_over(store: Store, spoil: Spoil) -> None:
    spoil(3, None)
    blind = LaggingStore(store, lambda _: 1_000_000)  # nothing is ever listed

    found = TableLog(blind, table(store).place).latest()
    assert found is not None
    assert found.version == 2
    commit_output(blind, published(store, day(9)), OUTPUT)

    again = table(store).latest()
    assert again is not None
    assert "_runs/20130104T000000Z" not in {file.share for file in again.up_to(None)}  # day 3 was told it is there


@everywhere
@pytest.mark.parametrize("cut", ["", "half", "a line", "the first line"])
def test_a_torn_entry_is_told(store: Store, spoil: Spoil, cut: str) -> None:
    whole = entry(store, 2)
    lines = whole.splitlines(keepends=True)
    pieces = {"": b"", "half": whole[: len(whole) // 2], "a line": b"".join(lines[:-1]), "the first line": lines[0]}
    spoil(2, pieces[cut])

    with pytest.raises(InputCorrupt, match="torn") as told:
        table(store).latest()
    assert f"{2:020d}.json" in str(told.value)


def test_a_log_that_begins_without_columns_is_told(store: Store, spoil: Spoil) -> None:
    spoil(0, commit_bytes(Commit()))

    with pytest.raises(InputCorrupt, match="does not begin with its columns"):
        table(store).latest()


def test_a_file_removed_twice_is_told(store: Store, spoil: Spoil) -> None:
    commit_output(store, published(store, day(1), 2), OUTPUT)
    spoil(4, entry(store, 5))

    with pytest.raises(InputCorrupt, match="removes a file that is not in it"):
        table(store).latest()


def test_every_version_can_be_read_again(store: Store) -> None:
    commit_output(store, published(store, day(0), 2), OUTPUT)

    assert {file.run for file in table(store).at(1).up_to(None)} == {day(0).run, day(1).run}
    assert sorted(file.rows or 0 for file in table(store).at(4).up_to(None)) == [1] * 5 + [2] * 5
    with pytest.raises(InputCorrupt):
        table(store).at(6)


def test_rows_up_to_a_day_leave_the_future_out(store: Store) -> None:
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


def test_an_entry_is_read_as_it_was_written(store: Store, tmp_path: Path) -> None:
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
