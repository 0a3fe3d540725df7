"""Deliveries of files: whole or not to be seen, in the attempts' order, whoever is killed or late. On every depot."""

import io
import json
import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq
import pytest

from framework.destinations.files import Marker, deliver_files, folder_of, foremost
from framework.errors import ConfigError, InputCorrupt, StoreUnavailable
from framework.identity import RunKey
from framework.storage.base import Depot
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from tests.framework.destinations.made import KEY, SPEC, delivery, publish, sums
from tests.framework.storage.stage import Actor, Gated

FOLDER = folder_of(KEY)


@pytest.fixture(params=["memory", "directory", "s3"])
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Depot:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "directory":
        return DirectoryStore(tmp_path / "there")
    found: Depot = request.getfixturevalue("s3_store")
    return found


def seen(depot: Depot) -> list[str] | None:
    """The names that a reader gets who does as the README says; None: there is nothing whole."""
    marker = foremost(depot, FOLDER)
    if marker is None:
        return None
    rows: list[str] = []
    for file in marker.files:
        data = depot.read(f"{FOLDER}/{file.path}")
        assert data is not None, "the marker names a file that is not there"
        assert len(data) == file.bytes
        rows += pq.read_table(io.BytesIO(data)).column("name").to_pylist()
    assert len(rows) == marker.rows
    return rows


def names(version: str, parts: int = 2) -> list[str]:
    return [name for part in sums(version, parts) for name in part["name"]]


def test_an_attempt_arrives_whole_with_its_marker(depot: Depot) -> None:
    store = MemoryStore()
    published = publish(store, sums("one"))

    assert deliver_files(depot, delivery(store, published)) == "delivered"

    assert seen(depot) == names("one")
    marker = foremost(depot, FOLDER)
    assert marker is not None
    assert (marker.key, marker.attempt, marker.digest) == (KEY, 1, published.digest)
    assert marker.columns == SPEC.to_json()
    home = published.directory.rpartition("/")[2]
    assert [entry.path.removeprefix(f"{FOLDER}/") for entry in depot.list("/")] == [
        "_teamspark.0001.json", f"{home}/part-00000.parquet", f"{home}/part-00001.parquet"
    ]  # fmt: skip


def test_an_output_without_files_is_delivered_too(depot: Depot) -> None:
    store = MemoryStore()

    assert deliver_files(depot, delivery(store, publish(store, []))) == "delivered"
    assert seen(depot) == []


def test_again_is_the_same_as_once(depot: Depot) -> None:
    store = MemoryStore()
    one = delivery(store, publish(store, sums("one")))
    deliver_files(depot, one)
    before = depot.list("/")

    assert deliver_files(depot, one) == "already there"
    assert depot.list("/") == before


def test_a_newer_attempt_is_what_readers_take_and_an_older_one_never_again(depot: Depot) -> None:
    store = MemoryStore()
    one = delivery(store, publish(store, sums("one")))
    two = delivery(store, publish(store, sums("two"), try_number=2))
    deliver_files(depot, one)

    assert deliver_files(depot, two) == "delivered"
    assert seen(depot) == names("two")
    assert deliver_files(depot, one) == "overtaken"
    assert seen(depot) == names("two")


def test_an_older_attempt_that_was_on_its_way_ends_below(depot: Depot) -> None:
    """It looked before the newer one came: its marker is put last, and nobody takes it."""
    store = MemoryStore()
    one = delivery(store, publish(store, sums("one")))
    two = delivery(store, publish(store, sums("two"), try_number=2))

    class Late:
        def __getattr__(self, name: str) -> Any:
            return getattr(depot, name)

        def settle(self, files: Any) -> None:
            depot.settle(files)
            assert deliver_files(depot, two) == "delivered"

    assert deliver_files(Late(), one) == "overtaken"
    assert seen(depot) == names("two")


def test_with_one_pointer_for_all_the_late_one_would_win(depot: Depot) -> None:
    """The witness: whoever puts its bytes under one name last is what readers take."""
    store = MemoryStore()
    markers = [Marker.of(delivery(store, publish(store, sums(v), try_number=n))) for n, v in ((1, "one"), (2, "two"))]

    for marker in reversed(markers):
        depot.put_file("/pointer.json", partial(io.BytesIO, marker.to_bytes()))

    data = depot.read("/pointer.json")
    assert data is not None
    assert Marker.model_validate_json(data).attempt == 1


class Cut(Exception):
    pass


def cut_after(depot: Depot, files: int) -> Any:
    """The depot of a run that is killed after so many files."""
    left = [files]

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(depot, name)

        def put_file(self, path: str, opened: Callable[[], IO[bytes]]) -> None:
            if left[0] == 0:
                raise Cut
            left[0] -= 1
            depot.put_file(path, opened)

    return Dying()


@pytest.mark.parametrize("files", [0, 1, 2])
def test_half_a_delivery_is_not_seen_and_the_next_try_brings_the_rest(depot: Depot, tmp_path: Path, files: int) -> None:
    store = DirectoryStore(tmp_path / "store")  # files of this machine go one by one
    one = delivery(store, publish(store, sums("one", parts=3)))

    with pytest.raises(Cut):
        deliver_files(cut_after(depot, files), one)
    assert seen(depot) is None
    brought: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(depot, name)

        def put_file(self, path: str, opened: Callable[[], IO[bytes]]) -> None:
            brought.append(path)
            depot.put_file(path, opened)

    assert deliver_files(Counting(), one) == "delivered"
    assert len(brought) == 3 - files
    assert seen(depot) == names("one", parts=3)


def test_a_reader_without_the_marker_would_see_half(depot: Depot, tmp_path: Path) -> None:
    """The witness: what a listing shows is no whole delivery."""
    store = DirectoryStore(tmp_path / "store")
    one = delivery(store, publish(store, sums("one", parts=3)))

    with pytest.raises(Cut):
        deliver_files(cut_after(depot, 1), one)

    listed = [entry.path for entry in depot.list(FOLDER)]
    assert len(listed) == 1
    assert seen(depot) is None


def test_another_tasks_place_is_refused_before_anything_is_brought(depot: Depot) -> None:
    store = MemoryStore()
    other = RunKey("tester", "tester.daily", "others", KEY.run)
    deliver_files(depot, delivery(store, publish(store, sums("one"))))
    before = depot.list("/")

    with pytest.raises(ConfigError, match="of another task"):
        deliver_files(depot, delivery(store, publish(store, sums("two"), key=other)))
    assert depot.list("/") == before


def test_a_store_that_forgot_its_history_is_told_so(depot: Depot) -> None:
    before, after = MemoryStore(), MemoryStore()
    deliver_files(depot, delivery(before, publish(before, sums("one"))))

    with pytest.raises(ConfigError, match="does not know") as stop:
        deliver_files(depot, delivery(after, publish(after, sums("two"))))
    assert "remove this run's folder" in str(stop.value)
    assert seen(depot) == names("one")


def test_a_marker_that_is_none_is_told(depot: Depot) -> None:
    store = MemoryStore()
    depot.put_if_absent(f"{FOLDER}/_teamspark.0007.json", b"{}")

    with pytest.raises(InputCorrupt, match="not a delivery's marker"):
        deliver_files(depot, delivery(store, publish(store, sums("one"))))


def test_runs_and_indices_lie_beside_each_other(depot: Depot) -> None:
    store = MemoryStore()
    keys = [KEY, replace(KEY, run="20130102T000000Z"), replace(KEY, map_index=3)]

    for key in keys:
        assert deliver_files(depot, delivery(store, publish(store, sums(str(key.map_index)), key=key))) == "delivered"

    assert [folder_of(key) for key in keys] == ["/20130101T000000Z", "/20130102T000000Z", "/20130101T000000Z/map-3"]
    assert all(foremost(depot, folder_of(key)) for key in keys)


def test_a_large_file_goes_in_parts_and_arrives_as_it_was(depot: Depot) -> None:
    data = random.Random(1).randbytes(17 << 20)

    depot.put_file("/large", partial(io.BytesIO, data))

    assert depot.read("/large") == data


class GatedDepot(Gated):
    def put_file(self, path: str, opened: Callable[[], IO[bytes]]) -> None:
        self._pause(f"file {path}")
        inner: Any = self.inner
        inner.put_file(path, opened)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_two_attempts_and_kills_do_a_reader_sees_whole_ones_in_order(seed: int, tmp_path: Path) -> None:
    lots, store, depot = random.Random(seed), DirectoryStore(tmp_path / "store"), MemoryStore()
    work = [delivery(store, publish(store, sums(v), try_number=n)) for n, v in ((1, "one"), (2, "two"))]
    whole = [None, names("one"), names("two")]

    def started(number: int) -> Actor:
        return Actor(lambda place: deliver_files(place, work[number]), depot, GatedDepot)

    actors, latest, kills = [started(0), started(1)], 0, 3
    while any(not actor.over for actor in actors):
        number = lots.randrange(2)
        if kills and not actors[number].over and lots.random() < 0.1:
            actors[number].kill()
            actors[number], kills = started(number), kills - 1
        actors[number].step()
        now = whole.index(seen(depot))
        assert now >= latest
        latest = now

    assert [actor.error for actor in actors] == [None, None]
    assert latest == 2
    assert actors[1].result in ("delivered", "already there")


def test_a_refused_marker_is_an_error_and_no_delivery() -> None:
    store, depot = MemoryStore(), MemoryStore()

    class Refusing:
        def __getattr__(self, name: str) -> Any:
            return getattr(depot, name)

        def put_if_absent(self, path: str, data: bytes) -> None:
            raise StoreUnavailable("no")

    with pytest.raises(StoreUnavailable):
        deliver_files(Refusing(), delivery(store, publish(store, sums("one"))))
    assert seen(depot) is None


def test_a_marker_is_json_that_says_what_it_is() -> None:
    store = MemoryStore()

    told = json.loads(Marker.of(delivery(store, publish(store, sums("one")))).to_bytes())

    assert told["version"] == 1
    assert told["key"]["dag_id"] == "tester.daily"
    assert [sorted(file) for file in told["files"]] == [["bytes", "path"]] * 2
