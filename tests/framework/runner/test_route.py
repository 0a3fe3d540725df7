"""The way to a run's inputs: through the cache where it has what was published, past it wherever there is a doubt."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pytest

from framework import Frame, Input, Job, Schema
from framework.cache.base import LOOK_S, Held
from framework.cache.memory import MemoryCache
from framework.config import EdgeRef, ExportedConfig, RunFacts
from framework.errors import CacheUnavailable
from framework.identity import Epoch, RunKey
from framework.job import contract_of
from framework.manifest import FileEntry, Manifest, OutputEntry
from framework.plan import Plan, PlanRequest, make_plan
from framework.runner.route import Heat
from framework.runner.warming import is_cached, prefetching, warm_outputs
from framework.runner.wayfinding import find_route
from framework.schema.model import schema_spec
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.publish import Published, RunLog
from framework.tenancy.model import Team, Teams
from framework.tenancy.places import DirectoryStore
from framework.world import World
from tests.framework.test_plan import DAY, segment
from tests.waiting import comes

HANGS_S = 60


class Row(Schema):
    name: str


class Auto(Job):
    def transform(self, rows: Frame[Row]) -> Frame[Row]:
        return rows


class Bypass(Job):
    def transform(self, rows: Annotated[Frame[Row], Input(cache="bypass")]) -> Frame[Row]:
        return rows


class Pin(Job):
    def transform(self, rows: Annotated[Frame[Row], Input(cache="pin")]) -> Frame[Row]:
        return rows


class Broken(MemoryCache):
    """A cache of which ``broken`` verbs fail, ``slow`` ones hang, and ``odd`` changes what it says of a file."""

    def __init__(
        self,
        broken: Sequence[str] = (),
        slow: Sequence[str] = (),
        odd: Callable[[Held], Held | None] = lambda held: held,
    ) -> None:
        super().__init__()
        self.broken, self.slow, self.odd = broken, slow, odd
        self.go_on = threading.Event()

    def _suffer(self, verb: str) -> None:
        if verb in self.slow:
            self.go_on.wait(HANGS_S)
        if verb in self.broken:
            raise CacheUnavailable(f"the cache did not {verb}", got="a fault of the test")

    def status(self, store: Store, path: str) -> tuple[Held, ...]:
        self._suffer("status")
        return tuple(odd for held in super().status(store, path) if (odd := self.odd(held)) is not None)

    def probe(self, store: Store, path: str) -> None:
        self._suffer("probe")

    def warm(self, store: Store, paths: Iterable[str], *, within_s: float) -> int:
        self._suffer("warm")
        return super().warm(store, paths, within_s=within_s)


@dataclass(frozen=True, slots=True)
class Place:
    """A world of one team with a producer's run of two files, and the plan of its consumer."""

    world: World
    store: Store
    cache: MemoryCache
    published: Published
    plan: Plan

    @property
    def paths(self) -> tuple[str, ...]:
        return self.published.paths()


def place(cache: MemoryCache | None = None, job: type[Job] = Auto) -> Place:
    store, before = MemoryStore(), cache or MemoryCache()
    team = Team(team="flights", owners=("a@example.org",), store=DirectoryStore(kind="directory", root="x"))
    world = World(Teams(Path("/nowhere"), {"flights": team}), lambda _: store, cache=lambda _: before)
    published = publish(store)
    edge = EdgeRef(team="flights", dag_id="flights.daily", task_id="ingest", same_dag=True)
    config = ExportedConfig(
        key=RunKey("flights", "flights.daily", "use", segment(10)),
        epoch=Epoch("consumer", 1, 1),
        job="jobs.flights.x:X",
        inputs={"rows": (edge,)},
        run=RunFacts(run_id="r", run_after=DAY, logical_date=DAY),
        workspace="/nowhere",
    )
    return Place(world, store, before, published, make_plan(PlanRequest(config, contract_of(job)), world))


def publish(store: Store) -> Published:
    key = RunKey("flights", "flights.daily", "ingest", segment(10))
    log = RunLog(store, key)
    attempt = log.claim(Epoch("producer", 1, 1), clear_number=0, who="a test", seen=None)
    files = tuple(FileEntry(path=f"default/part-{n}", bytes=100 * n, rows=n) for n in (1, 2))
    for file in files:
        store.put_if_absent(f"{attempt.directory}/{file.path}", b"x" * file.bytes)
    output = OutputEntry(name="default", schema_=schema_spec(Row).to_json(), rows=3, bytes=300, files=files)
    manifest = Manifest(
        key=key,
        attempt=attempt.number,
        token=attempt.token,
        epoch=Epoch("producer", 1, 1),
        clear_number=0,
        job="jobs.flights.x:X",
        contract="0",
        outputs=(output,),
    )
    return log.publish(attempt, manifest)


def test_what_the_cache_has_as_published_is_read_through_it_hot_or_not() -> None:
    here = place()
    here.cache.warm(here.store, here.paths[:1], within_s=9)

    route = find_route(here.plan, here.world)

    (leg,) = route.through
    assert leg.cold == here.paths[1:]
    assert route.heat() == Heat(hot=100, cold=200)
    assert route.remarks == ()


def test_a_port_may_ask_to_be_read_past_the_cache() -> None:
    here = place(job=Bypass)
    here.cache.warm(here.store, here.paths, within_s=9)

    route = find_route(here.plan, here.world)

    assert route.through == ()
    assert route.heat() == Heat(hot=0, cold=300)
    assert route.remarks == ()


ODD: dict[str, Callable[[Held], Held | None]] = {
    "unknown": lambda held: None if held.path.endswith("part-2") else held,
    "another size": lambda held: replace(held, bytes=held.bytes + 1),
    "lost": lambda held: replace(held, sound=False),
}


@pytest.mark.parametrize("odd", list(ODD))
def test_what_the_cache_has_otherwise_is_read_from_the_store(odd: str) -> None:
    here = place(Broken(odd=ODD[odd]))

    route = find_route(here.plan, here.world)

    assert route.through == ()
    assert "other than they were published" in route.remarks[0]


@pytest.mark.parametrize("verb", ["status", "probe"])
def test_a_cache_that_fails_when_the_run_is_planned_is_not_used(verb: str) -> None:
    here = place(Broken(broken=[verb]))

    route = find_route(here.plan, here.world)

    assert route.through == ()
    assert route.remarks == (f"the cache did not {verb} (a fault of the test)",)


def test_a_cache_that_hangs_is_waited_for_some_seconds() -> None:
    cache = Broken(slow=["status"])
    here = place(cache)
    began = time.monotonic()

    route = find_route(here.plan, here.world)

    assert LOOK_S <= time.monotonic() - began < HANGS_S / 2
    assert route.through == ()
    assert "did not answer within" in route.remarks[0]
    cache.go_on.set()


def test_what_is_cold_is_fetched_while_the_session_starts() -> None:
    here = place()
    route = find_route(here.plan, here.world)
    assert route.heat() == Heat(0, 300)

    with prefetching(route):
        assert comes(lambda: route.heat() == Heat(300, 0))


def test_what_is_to_stay_is_pinned() -> None:
    here = place(job=Pin)

    with prefetching(find_route(here.plan, here.world)):
        assert comes(lambda: all(held.pinned for held in here.cache.status(here.store, here.published.directory)))


def test_nobody_waits_for_what_is_fetched() -> None:
    cache = Broken(slow=["warm"])
    here = place(cache)
    began = time.monotonic()

    with prefetching(find_route(here.plan, here.world)):
        pass

    assert time.monotonic() - began < HANGS_S / 2
    cache.go_on.set()


def test_past_is_the_same_without_the_cache() -> None:
    here = place()
    here.cache.warm(here.store, here.paths, within_s=9)
    route = find_route(here.plan, here.world)

    past = route.past("it died")

    assert (past.through, past.remarks, past.heat()) == ((), ("it died",), Heat(0, 300))
    assert [leg.location.uri for leg in past.legs] == [here.store.uri(f"{here.published.directory}/default")]


def test_outputs_are_warmed_once_they_are_published() -> None:
    here = place()
    assert is_cached(here.published, here.world)

    assert warm_outputs(here.published, here.world) == ()

    assert all(held.hot == held.bytes for held in here.cache.status(here.store, here.published.directory))


def test_a_cache_that_cannot_be_filled_is_a_remark() -> None:
    here = place(Broken(broken=["warm"]))

    (remark,) = warm_outputs(here.published, here.world)

    assert "the outputs are not in the cache" in remark
