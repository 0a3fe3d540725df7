"""What an Alluxio says once something changed behind it, way by way; and why that touches no run.

A run reads published attempts only: their files are written once, and asked for after they were published. Where somebody
breaks that, the store is asked for size and rows of each file before Spark reads it, and has the last word.
"""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError

import pytest

from framework.cache.alluxio import AlluxioCache
from framework.datafile import DataFile
from framework.errors import InputChanged, InputCorrupt
from framework.spark.files import check_files
from framework.tables.commit import commit_tables
from tests.framework.cache.test_cluster import content
from tests.framework.tables.runs import claim, day, publish, rows, table
from tests.servers.alluxio import Alluxio
from tests.waiting import comes

BYTES = b"0123456789"


class Behind:
    """A folder of the directory before which an Alluxio is, and what it says of files there."""

    def __init__(self, alluxio: Alluxio) -> None:
        self.alluxio, self.store = alluxio, alluxio.directory
        self.cache: AlluxioCache = alluxio.cache(self.store)
        self.folder = f"/flights/{secrets.token_hex(6)}"

    def put(self, name: str, data: bytes = BYTES) -> str:
        path = f"{self.folder}/{name}"
        self.store.put_if_absent(path, data)
        return path

    def hot(self, path: str) -> None:
        self.cache.warm(self.store, [path], within_s=30)
        assert comes(lambda: self.cache.status(self.store, path)[0].hot == len(BYTES))

    def let_go(self, path: str) -> None:
        """Of its bytes; that it is there, and how long, is remembered."""
        self.cache.free(self.store, [path])
        assert comes(lambda: self.cache.status(self.store, path)[0].hot == 0)

    def file(self, path: str) -> Path:
        return self.store.local(path)

    def listed(self) -> list[str]:
        return [held.path for held in self.cache.status(self.store, self.folder)]

    def content(self, path: str) -> bytes:
        return content(self.alluxio, f"/files{path}")

    def afresh(self, path: str) -> None:
        """What a person does: the store is asked again."""
        self.alluxio.proxy.files(f"/files{path}", now=True)

    def published(self, path: str) -> None:
        """What a run asks of the store before Spark reads: whether this is the file that was published."""
        there = DataFile(f"alluxio://x{path}", len(BYTES), None, lambda: self.store.readable(path))
        check_files([there], where="a port")


@pytest.fixture
def behind(alluxio: Alluxio) -> Iterator[Behind]:
    yield Behind(alluxio)


def test_a_new_file_of_a_folder_that_was_listed_is_known_by_its_name_only(behind: Behind) -> None:
    first = behind.put("a")
    assert behind.listed() == [first]

    second = behind.put("b")

    assert behind.listed() == [first]
    # An attempt's folder is asked for once it is complete, a table's files by the folders that its log names.
    assert behind.content(second) == BYTES
    assert behind.listed() == [first, second]


def test_a_file_that_was_asked_for_while_it_was_absent_is_found_once_it_is_there(behind: Behind) -> None:
    path = f"{behind.folder}/late"
    with pytest.raises(HTTPError):
        behind.content(path)

    behind.put("late")

    assert behind.content(path) == BYTES


def test_a_file_that_is_replaced_while_it_is_hot_is_served_as_it_was(behind: Behind) -> None:
    path = behind.put("a")
    behind.hot(path)

    behind.file(path).write_bytes(b"new")

    assert behind.content(path) == BYTES
    with pytest.raises(InputCorrupt, match="not what was published"):
        behind.published(path)
    behind.afresh(path)
    assert behind.content(path) == b"new"


def test_a_file_that_became_shorter_is_an_error_or_cut(behind: Behind) -> None:
    path = behind.put("a")
    behind.hot(path)
    behind.let_go(path)

    behind.file(path).write_bytes(b"new")

    with suppress(HTTPError, OSError):
        assert behind.content(path) != BYTES
    with pytest.raises(InputCorrupt, match="not what was published"):
        behind.published(path)


def test_a_file_that_became_longer_is_cut_to_its_old_length_without_a_word(behind: Behind) -> None:
    path = behind.put("a")
    behind.hot(path)
    behind.let_go(path)

    behind.file(path).write_bytes(b"abcdefghijklmno")

    assert behind.content(path) == b"abcdefghij"
    with pytest.raises(InputCorrupt, match="not what was published"):
        behind.published(path)


def test_a_file_that_is_gone_is_still_there_while_it_is_hot(behind: Behind) -> None:
    path = behind.put("a")
    behind.hot(path)

    behind.file(path).unlink()

    assert behind.listed() == [path]
    assert behind.content(path) == BYTES
    with pytest.raises(InputChanged, match="gone"):
        behind.published(path)


def test_none_of_it_happens_to_a_file_that_nobody_changes(behind: Behind) -> None:
    path = behind.put("a")
    behind.hot(path)
    behind.let_go(path)

    assert behind.content(path) == BYTES
    behind.published(path)


@pytest.mark.e2e
def test_a_table_that_grows_behind_it_is_always_read_as_it_is_now(behind: Behind) -> None:
    """Its log is read from the store; its files, by the folders that the log names."""
    log, store, cache = table(behind.store), behind.store, behind.cache
    before = log.latest()
    start = 0 if before is None else before.version + 1
    cache.status(store, log.place)

    for number in range(100):
        made = publish(store, claim(store, day(number)), rows(day(number), 1))
        assert commit_tables(store, made)["history"].version == start + number

        newest = log.latest()
        assert newest is not None
        assert newest.version == start + number
        known = {held.path for held in cache.status(store, made.output_dir("history"))}
        assert known == set(made.paths("history"))
    # The witness: the folder of the log, once it was listed, is the same for ever.
    stale = {held.path for held in cache.status(store, f"{log.place}/_delta_log")}
    behind.cache.status(store, f"{log.place}/_delta_log")
    publish(store, claim(store, day(100)), rows(day(100), 1))
    commit_tables(store, publish(store, claim(store, day(101)), rows(day(101), 1)))
    assert {held.path for held in cache.status(store, f"{log.place}/_delta_log")} == stale
