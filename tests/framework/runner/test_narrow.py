"""An input of which little is wanted is not fetched whole: what its footer says, and what is made of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framework import Frame, Input, Job, Schema, Table
from framework.cache.base import Held
from framework.cache.memory import MemoryCache
from framework.datafile import DataFile
from framework.runner.narrow import Chunks, chunks_of, wasteful
from framework.runner.route import Heat, Route
from framework.runner.warming import prefetching
from framework.runner.wayfinding import find_route
from framework.storage.memory import MemoryStore
from framework.storage.publish import Published
from framework.tables.commit import commit_tables
from framework.world import World
from tests.framework.runner.test_route import Broken
from tests.framework.tables.runs import FIRST_DAY, SPEC, Delay, claim, day, publish
from tests.framework.tables.test_plan import edge, planned, store, world
from tests.waiting import comes

__all__ = ["store", "world"]


class Few(Schema):
    n: int


class FewWanted(Job):
    def transform(self, history: Frame[Few]) -> Frame[Few]:
        return history


class FewPinned(Job):
    def transform(self, history: Annotated[Frame[Few], Input(cache="pin")]) -> Frame[Few]:
        return history


class AllWanted(Job):
    def transform(self, history: Frame[Delay]) -> Frame[Few]:
        return history


def test_a_column_takes_what_its_footer_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("narrow") / "part.parquet"
    table = pa.table({"little": [1] * 5000, "much": [f"{n * 7919 % 10007:x}" * 8 for n in range(5000)]})
    pq.write_table(table, file, row_group_size=1000)

    chunks = chunks_of(DataFile(f"file://{file}"))

    assert set(chunks.bytes) == {"little", "much"}
    assert chunks.share(["little"]) < 0.05
    assert chunks.share(["little", "much"]) == 1.0
    assert sum(chunks.bytes.values()) <= file.stat().st_size


def test_columns_of_a_structure_are_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("narrow") / "part.parquet"
    pq.write_table(pa.table({"a": [{"x": 1, "y": "b"}], "c": [2]}), file)

    assert set(chunks_of(DataFile(f"file://{file}")).bytes) == {"a", "c"}


@pytest.mark.parametrize(
    ("cold", "wanted", "told"),
    [(100, 100, False), (200, 100, False), (201, 100, True), (1, 0, True), (0, 0, False)],
)
def test_twice_what_is_wanted_may_be_fetched(cold: int, wanted: float, told: bool) -> None:
    assert wasteful(cold, wanted=wanted) is told


def test_of_a_file_without_rows_nothing_is_little() -> None:
    assert Chunks({}).share(["a"]) == 1.0


def laid(store: MemoryStore, number: int = 0) -> Published:
    """A run of three columns; ``carrier`` is nearly all of it."""
    content = [{"carrier": f"{n * 7919 % 10007:x}" * 40, "n": n % 2, "note": None} for n in range(2000)]
    made = publish(store, claim(store, day(number)), content, parts=2)
    commit_tables(store, made)
    return made


def found(world: World, job: type[Job], cache: MemoryCache) -> Route:
    return find_route(planned(world, job, edge()), replace(world, cache=lambda _: cache))


def test_few_columns_of_a_cold_input_are_read_from_the_store(store: MemoryStore, world: World) -> None:
    made = laid(store)
    cache = MemoryCache()

    route = found(world, FewWanted, cache)

    assert (route.through, route.remarks) == ((), ())
    with prefetching(route):
        pass
    assert all(held.hot == 0 for held in cache.status(store, made.output_dir("history")))
    # The witness: who wants all of it reads the same cold files through the cache.
    assert len(found(world, AllWanted, MemoryCache()).through) == 1


def test_what_is_hot_is_read_hot_however_little_is_wanted(store: MemoryStore, world: World) -> None:
    made, cache = laid(store), MemoryCache()
    cache.warm(store, made.paths("history"), within_s=9)

    route = found(world, FewWanted, cache)

    assert len(route.through) == 1
    assert route.heat() == Heat(made.output("history").bytes, 0)


def test_what_is_to_stay_is_fetched_however_little_is_wanted(store: MemoryStore, world: World) -> None:
    made, cache = laid(store), MemoryCache()

    with prefetching(found(world, FewPinned, cache)):
        assert comes(lambda: all(held.hot for held in cache.status(store, made.output_dir("history"))))


def test_a_footer_that_cannot_be_read_decides_nothing(store: MemoryStore, world: World) -> None:
    content = [{"carrier": "a", "n": 1, "note": None}]
    made = publish(store, claim(store, day(0)), content)
    commit_tables(store, made)
    (path,) = made.paths("history")
    torn = TornStore(store, path)

    route = found(replace(world, store=lambda _: torn), FewWanted, MemoryCache())

    assert len(route.through) == 1


class TornStore(MemoryStore):
    """The same store, of which one file has lost its end, and says that it has not."""

    def __init__(self, whole: MemoryStore, torn: str) -> None:
        super().__init__()
        for entry in whole.list("/"):
            data = whole.read(entry.path) or b""
            self.put_if_absent(entry.path, b"x" * len(data) if entry.path == torn else data)


class TableWanted(Job):
    def transform(self, history: Table[Delay]) -> Frame[Few]:
        return history


class TablePast(Job):
    def transform(self, history: Annotated[Table[Delay], Input(cache="bypass")]) -> Frame[Few]:
        return history


def test_of_a_table_the_hot_files_are_read_through_the_cache(store: MemoryStore, world: World) -> None:
    cold, hot = laid(store, 0), laid(store, 1)
    cache = MemoryCache()
    cache.warm(store, hot.paths("history"), within_s=9)

    route = find_route(
        planned(world, TableWanted, edge(), date=FIRST_DAY.replace(day=2)), replace(world, cache=lambda _: cache)
    )

    (leg,) = route.tables
    assert leg.hot == set(hot.paths("history"))
    assert route.heat() == Heat(hot.output("history").bytes, cold.output("history").bytes)
    assert len(leg.files) == 4
    assert route.past("it died").heat() == Heat(0, leg.table.bytes)


ODD: dict[str, Callable[[Held], Held | None]] = {
    "unknown": lambda held: None,
    "another size": lambda held: replace(held, bytes=held.bytes + 1, hot=held.hot + 1),
    "in part": lambda held: replace(held, hot=held.hot - 1),
    "lost": lambda held: replace(held, sound=False),
}


@pytest.mark.parametrize("odd", list(ODD))
def test_a_tables_file_that_the_cache_has_otherwise_is_read_from_the_store(
    store: MemoryStore, world: World, odd: str
) -> None:
    made = laid(store)
    cache = Broken(odd=ODD[odd])
    MemoryCache.warm(cache, store, made.paths("history"), within_s=9)

    (leg,) = found(world, TableWanted, cache).tables

    assert leg.hot == frozenset()
    assert SPEC.names == leg.table.schema.names


@pytest.mark.parametrize(("job", "broken"), [(TablePast, ()), (TableWanted, ("status",)), (TableWanted, ("probe",))])
def test_a_table_is_read_past_a_cache_that_fails_or_is_not_wanted(
    store: MemoryStore, world: World, job: type[Job], broken: tuple[str, ...]
) -> None:
    made = laid(store)
    cache = Broken(broken=broken)
    MemoryCache.warm(cache, store, made.paths("history"), within_s=9)

    route = found(world, job, cache)

    assert [leg.hot for leg in route.tables] == [frozenset()]
    assert len(route.remarks) == len(broken)
