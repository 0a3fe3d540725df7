"""One contract for every cache: in memory, none at all, and a real Alluxio before a directory and before a bucket."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from framework.cache.base import Cache, Held
from framework.cache.memory import MemoryCache
from framework.cache.none import NoCache
from framework.errors import CacheUnavailable
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from tests.framework.storage.test_paths import HOSTILE
from tests.servers.alluxio import Alluxio
from tests.waiting import comes


@dataclass(frozen=True, slots=True)
class Subject:
    """A cache and a store before which it is, with a folder of this test's own."""

    cache: Cache
    store: Store
    folder: str

    def file(self, name: str, data: bytes = b"some bytes") -> str:
        """A file as an attempt leaves it: written once."""
        path = f"{self.folder}/{name}"
        self.store.put_if_absent(path, data)
        return path

    def warm(self, *paths: str) -> int:
        return self.cache.warm(self.store, paths, within_s=30)

    def held(self, path: str) -> Held:
        (held,) = self.cache.status(self.store, path)
        return held

    def soon(self, path: str, *, hot: int) -> bool:
        """A cache learns of its workers' blocks by their heartbeats."""
        return comes(lambda: self.held(path).hot == hot)


def _memory(request: pytest.FixtureRequest) -> tuple[Cache, Store]:
    return MemoryCache(), MemoryStore()


def _directory(request: pytest.FixtureRequest) -> tuple[Cache, Store]:
    alluxio: Alluxio = request.getfixturevalue("alluxio")
    return alluxio.cache(alluxio.directory), alluxio.directory


def _bucket(request: pytest.FixtureRequest) -> tuple[Cache, Store]:
    request.getfixturevalue("s3_place")  # the server's keys, for what the test itself asks of the bucket
    alluxio: Alluxio = request.getfixturevalue("alluxio")
    return alluxio.cache(alluxio.bucket), alluxio.bucket


KINDS: dict[str, Callable[[pytest.FixtureRequest], tuple[Cache, Store]]] = {
    "memory": _memory,
    "alluxio before a directory": _directory,
    "alluxio before a bucket": _bucket,
}


@pytest.fixture(params=list(KINDS))
def subject(request: pytest.FixtureRequest) -> Subject:
    cache, store = KINDS[request.param](request)
    return Subject(cache, store, f"/flights/{secrets.token_hex(6)}")


def test_what_is_warmed_is_hot_and_nothing_else_is(subject: Subject) -> None:
    warmed, left = subject.file("a/1", b"x" * 70_000), subject.file("a/2", b"y" * 300)

    assert subject.warm(warmed) == 70_000

    assert subject.soon(warmed, hot=70_000)
    assert subject.held(left) == Held(left, 300, 0)


def test_status_is_of_the_files_below_and_ends_at_the_segment(subject: Subject) -> None:
    wanted = [subject.file(f"run/{name}") for name in ("a/1", "a/2", "z")]
    subject.file("run2/x")

    assert [held.path for held in subject.cache.status(subject.store, f"{subject.folder}/run")] == wanted
    assert subject.cache.status(subject.store, wanted[0]) == (Held(wanted[0], 10, 0),)


def test_what_is_absent_is_held_by_nobody_and_can_be_let_go_of(subject: Subject) -> None:
    subject.file("there")

    for path in (f"{subject.folder}/none", f"{subject.folder}/none/at/all"):
        assert subject.cache.status(subject.store, path) == ()
        subject.cache.free(subject.store, [path])


def test_an_absence_is_not_remembered(subject: Subject) -> None:
    """A run's folder may be asked for before anything is published there."""
    path = f"{subject.folder}/run/attempt/part"
    assert subject.cache.status(subject.store, path) == ()
    assert subject.cache.status(subject.store, f"{subject.folder}/run") == ()

    subject.file("run/attempt/part")

    assert subject.held(path).bytes == 10
    assert subject.warm(path) == 10


def test_pinned_files_say_so_until_they_are_unpinned(subject: Subject) -> None:
    path, other = subject.file("1"), subject.file("2")
    subject.warm(path)

    subject.cache.pin(subject.store, [path])
    assert (subject.held(path).pinned, subject.held(other).pinned) == (True, False)

    subject.cache.unpin(subject.store, [path])
    assert not subject.held(path).pinned
    assert subject.soon(path, hot=10)


def test_free_lets_go_of_a_folder_pinned_or_not(subject: Subject) -> None:
    pinned, plain, kept = subject.file("a/1"), subject.file("a/b/2"), subject.file("ab/3")
    subject.warm(pinned, plain, kept)
    subject.cache.pin(subject.store, [pinned])
    assert all(subject.soon(path, hot=10) for path in (pinned, plain, kept))

    subject.cache.free(subject.store, [f"{subject.folder}/a"])

    assert subject.soon(pinned, hot=0)
    assert subject.soon(plain, hot=0)
    assert subject.held(kept).hot == 10
    assert not subject.held(pinned).pinned


def test_no_verb_changes_the_store(subject: Subject) -> None:
    paths = [subject.file(name) for name in ("a", "b/c")]
    before = subject.store.list(subject.folder)

    subject.cache.resolve(subject.store, subject.folder)
    subject.cache.probe(subject.store, paths[0])
    subject.warm(*paths)
    subject.cache.pin(subject.store, paths)
    subject.cache.unpin(subject.store, paths)
    subject.cache.free(subject.store, [subject.folder])

    assert subject.store.list(subject.folder) == before
    assert [subject.store.read(path) for path in paths] == [b"some bytes"] * 2


def test_a_location_ends_in_the_path_and_is_the_caches(subject: Subject) -> None:
    """In the path below the team, whose folder may be all that is mounted."""
    location = subject.cache.resolve(subject.store, f"{subject.folder}/x/y")

    assert location.cached
    assert location.uri.endswith(f"/{subject.folder.rpartition('/')[2]}/x/y")


def test_warming_stops_when_its_time_is_up(subject: Subject) -> None:
    paths = [subject.file(str(number)) for number in range(3)]

    assert subject.cache.warm(subject.store, paths, within_s=-1) == 0
    assert not any(subject.held(path).hot for path in paths)


def test_every_encoded_id_is_a_path_of_the_cache_too(subject: Subject) -> None:
    """What ids become is asked of, and delivered by, every client on the way, un-escaped by none."""
    from framework.storage.paths import encode

    paths = {subject.file(f"{encode(text)}/part-0", repr(text).encode()): repr(text) for text in HOSTILE}

    assert subject.warm(*paths) == sum(len(text.encode()) for text in paths.values())

    assert {held.path for held in subject.cache.status(subject.store, subject.folder)} == set(paths)
    assert all(subject.soon(path, hot=len(text.encode())) for path, text in paths.items())


@pytest.mark.parametrize("size", [0, 70_000, 3_000_000])
def test_a_file_is_fetched_whole(subject: Subject, tmp_path: Path, size: int) -> None:
    path = subject.file("a/part-0.parquet", b"x" * size)
    subject.warm(path)

    subject.cache.fetch(subject.store, path, tmp_path / "file", within_s=30)

    assert (tmp_path / "file").read_bytes() == b"x" * size
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_what_is_absent_is_not_fetched(subject: Subject, tmp_path: Path) -> None:
    with pytest.raises(CacheUnavailable):
        subject.cache.fetch(subject.store, f"{subject.folder}/absent", tmp_path / "file", within_s=30)

    assert not list(tmp_path.iterdir()), "nor the beginning of it"


def test_no_cache_holds_nothing_and_names_the_stores_own_place() -> None:
    store, cache = MemoryStore(), NoCache()
    store.put_if_absent("/flights/a", b"x")

    assert cache.warm(store, ["/flights/a"], within_s=1) == 0
    cache.probe(store, "/flights/a")
    cache.pin(store, ["/flights/a"])
    cache.free(store, ["/flights/a"])

    with pytest.raises(CacheUnavailable):
        cache.fetch(store, "/flights/a", Path("/nowhere"), within_s=1)

    assert cache.status(store, "/flights/a") == ()
    location = cache.resolve(store, "/flights")
    assert (location.uri, location.cached, location.why) == (store.uri("/flights"), False, None)
