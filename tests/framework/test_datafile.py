"""Published files are read without Spark, wherever they are: footers, dictionaries, keys, sizes, hashes, differences."""

import io
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framework.cli.differences import Side, differences
from framework.datafile import DataFile, mapped, readable, size_of
from framework.errors import InputChanged, InputCorrupt, SetupError
from framework.hashing import hash_files
from framework.identity import Epoch, RunKey
from framework.manifest import FileEntry, Manifest, OutputEntry
from framework.schema.spec import Check, Column, SchemaSpec
from framework.spark.files import check_files
from framework.spark.footers import read_footers
from framework.spark.keys import unique_by_reading
from framework.spark.values import kept_by_values
from framework.storage.attempts import Published, published_files, stored_file
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog

CHECKS = (Check("carrier.pattern", "carrier", "pattern", "^[A-Z]+$"),)
SPEC = SchemaSpec("Flight", (Column("carrier", "string", False), Column("flight", "long", False)), ("flight",), CHECKS)
COUNT = 24


@pytest.fixture(params=["memory", "directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        found: Store = request.getfixturevalue("s3_store")
        return found
    return MemoryStore() if request.param == "memory" else DirectoryStore(tmp_path)


def parquet(rows: Iterable[tuple[str, int]]) -> bytes:
    carriers, flights = zip(*rows, strict=True)
    out = io.BytesIO()
    pq.write_table(pa.table({"carrier": carriers, "flight": flights}), out)
    return out.getvalue()


def kept(store: Store, number: int, rows: list[tuple[str, int]]) -> DataFile:
    data, path = parquet(rows), f"/flights/part-{number:03d}.parquet"
    store.put_if_absent(path, data)
    return stored_file(store, path, FileEntry(path=path[1:], bytes=len(data), rows=len(rows)))


def test_everything_known_without_spark_is_known_in_every_store(store: Store, tmp_path: Path) -> None:
    parts = [[("AA", 10 * number + row) for row in range(5)] for number in range(COUNT)]
    files = [kept(store, number, rows) for number, rows in enumerate(parts)]
    plain = tmp_path / "all.parquet"
    plain.write_bytes(parquet([row for rows in parts for row in rows]))

    check_files(files, where="a test")
    footers = read_footers(files)
    footers.leaves["carrier"].listed = True  # as it would be of what Spark wrote

    assert footers.rows == (5,) * COUNT
    assert (footers.leaves["flight"].low, footers.leaves["flight"].high) == (0, 10 * (COUNT - 1) + 4)
    assert kept_by_values(CHECKS, SPEC, files, footers) == {"carrier.pattern"}
    assert unique_by_reading(SPEC, files, footers)
    assert not unique_by_reading(SPEC, [*files, files[0]], read_footers([*files, files[0]]))
    assert hash_files(files, SPEC) == hash_files([plain], SPEC)
    assert [size_of(readable(file)) for file in files] == [file.bytes for file in files]


def test_what_is_not_as_recorded_is_named_in_every_store(store: Store) -> None:
    good, gone, broken = (kept(store, number, [("AA", number)]) for number in range(3))
    torn = DataFile(broken.uri, broken.bytes, 99, broken.opener)
    short = DataFile(broken.uri, 7, 1, broken.opener)
    store.delete(["/flights/part-001.parquet"])

    with pytest.raises(InputChanged, match="part-001") as told:
        check_files([good, gone], where="a test")
    assert "part-000" not in str(told.value)
    for file, words in ((torn, "1 rows, recorded 99"), (short, "recorded 7")):
        with pytest.raises(InputCorrupt, match=words):
            check_files([good, file], where="a test")


def test_what_is_no_parquet_is_named_in_every_store(store: Store) -> None:
    store.put_if_absent("/flights/part-0.parquet", b"PAR1 but no more")
    file = stored_file(store, "/flights/part-0.parquet", FileEntry(path="default/part-0", bytes=16, rows=1))

    with pytest.raises(InputCorrupt, match="footer cannot be read"):
        check_files([file], where="a test")


def publish(store: Store, key: RunKey, rows: list[tuple[str, int]]) -> Published:
    log, epoch = RunLog(store, key), Epoch("one", 1, 1)
    attempt = log.claim(epoch, clear_number=0, who="a test", seen=frozenset())
    data = parquet(rows)
    store.put_if_absent(f"{attempt.output_dir()}/part-0.parquet", data)
    file = FileEntry(path="default/part-0.parquet", bytes=len(data), rows=len(rows))
    output = OutputEntry(name="default", schema_=SPEC.to_json(), rows=len(rows), bytes=len(data), files=(file,))
    manifest = Manifest(
        key=key,
        attempt=attempt.number,
        token=attempt.token,
        epoch=epoch,
        clear_number=0,
        job="jobs.flights.delays:Delays",
        contract="0",
        outputs=(output,),
    )
    return log.publish(attempt, manifest)


def test_two_attempts_are_compared_across_stores(store: Store, tmp_path: Path) -> None:
    key, other = RunKey("flights", "flights.daily", "delays", "key-1"), DirectoryStore(tmp_path / "other")
    one = Side(store, publish(store, key, [("AA", 1), ("UA", 2)]))
    same = Side(other, publish(other, key, [("UA", 2), ("AA", 1)]))
    less = Side(other, publish(other, key, [("AA", 1), ("DL", 2)]))

    assert [found.same for found in differences(one, same)] == [True]
    [found] = differences(one, less)
    assert found.keys is not None
    assert found.keys.changed == (1, ("flight=2",))
    assert published_files(store, one.published)[0].rows == 2


def test_what_only_spark_can_open_is_said_to_be_so() -> None:
    file = DataFile("s3a://bucket/x", 1, 1)

    assert file.by_spark_only
    with pytest.raises(SetupError, match="by Spark only"):
        readable(file)


def test_order_is_kept_when_several_are_asked_at_once() -> None:
    files = [DataFile(f"s3a://bucket/{number}") for number in range(100)]

    assert mapped(lambda file: file.uri, files) == [file.uri for file in files]
