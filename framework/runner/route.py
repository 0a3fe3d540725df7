"""The way to a run's published inputs: through the team's cache, where it has them and delivers, else from the stores.

Decided when a run is planned, within seconds. That a cache fails later is told by ``CacheUnavailable``, and ``past`` is
then the way without it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as finished
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from threading import Event
from typing import Final, NamedTuple

from framework.cache.base import LOOK_S, Cache, Held, Location, store_location
from framework.cache.none import NoCache
from framework.edges import PinnedRun
from framework.errors import CacheUnavailable
from framework.plan import Plan, RunInput
from framework.spark.stores import Extra
from framework.storage.base import Store
from framework.storage.publish import Published
from framework.world import World

WARM_S: Final = 30.0
"""How long a run may keep its outputs' files warm after they are published; nobody's result waits longer for it."""
FETCH_S: Final = 10.0
"""How long one file may take to be fetched before the job reads it."""
_LATE: Final = f"the cache did not answer within {LOOK_S:.0f} s"
_LOOKS: Final = 8
_LOADS: Final = 2


class Heat(NamedTuple):
    """Bytes of a run's published inputs that its cache held when they began to be read, and all others."""

    hot: int = 0
    cold: int = 0


@dataclass(frozen=True, slots=True)
class Leg:
    """One pinned output behind a port, where it is read, and the files of it that the cache does not hold whole."""

    port: str
    read: PinnedRun
    store: Store
    location: Location
    pin: bool = False
    cold: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return self.read.published.output_dir(self.read.output)

    @property
    def paths(self) -> tuple[str, ...]:
        return self.read.published.paths(self.read.output)

    @property
    def bytes(self) -> int:
        return self.read.published.output(self.read.output).bytes


@dataclass(frozen=True)
class Route:
    """Where a run reads each published output.

    ``remarks``: why not through the cache, where somebody expects that. ``failed``: it did not deliver.
    """

    cache: Cache = field(default_factory=NoCache)
    legs: tuple[Leg, ...] = ()
    remarks: tuple[str, ...] = ()
    failed: bool = False

    @cached_property
    def _by_port(self) -> Mapping[tuple[str, str], Leg]:
        return {(leg.port, leg.folder): leg for leg in self.legs}

    def leg(self, port: str, read: PinnedRun) -> Leg:
        """Of one planned read. Raises: KeyError."""
        return self._by_port[port, read.published.output_dir(read.output)]

    @property
    def through(self) -> tuple[Leg, ...]:
        """What is read through the cache."""
        return tuple(leg for leg in self.legs if leg.location.cached)

    @property
    def needs(self) -> Extra:
        """What the session needs for it."""
        return next((leg.location.needs for leg in self.through), Extra())

    def past(self, why: str) -> "Route":
        """The same inputs, all of them from the stores, since the cache has failed."""
        return replace(self, legs=tuple(map(_past, self.legs)), remarks=(*self.remarks, why), failed=True)

    def heat(self) -> Heat:
        """As the cache says it now."""
        total, hot = sum(leg.bytes for leg in self.legs), 0
        for leg in self.through:
            if not leg.cold:
                hot += leg.bytes
                continue
            try:
                hot += sum(held.hot for held in _held(self.cache, leg).values())
            except CacheUnavailable:
                return Heat(0, total)  # whoever reads will find out
        return Heat(hot, total - hot)


def find_route(plan: Plan, world: World) -> Route:
    """Ask the team's cache for each published input. Never raises, and takes no longer than a few seconds."""
    cache = world.cache(plan.config.key.team)
    legs = [leg for planned in plan.inputs if isinstance(planned, RunInput) for leg in _legs(planned, world, cache)]
    if any(leg.location.cached for leg in legs):
        answers = _within(LOOK_S, [partial(_decided, cache, leg) for leg in legs])
        legs = [answer or _past(leg, _LATE) for leg, answer in zip(legs, answers, strict=True)]
    remarks = tuple(dict.fromkeys(leg.location.why for leg in legs if leg.location.why))
    return _probed(Route(cache, tuple(legs), remarks))


def _legs(planned: RunInput, world: World, cache: Cache) -> Iterator[Leg]:
    for read in planned.reads:
        store = world.store(read.published.key.team)
        folder = read.published.output_dir(read.output)
        past = planned.port.cache == "bypass"
        location = store_location(store, folder) if past else cache.resolve(store, folder)
        yield Leg(planned.port.name, read, store, location, pin=planned.port.cache == "pin")


def _decided(cache: Cache, leg: Leg) -> Leg:
    """The leg with what the cache holds of it; past the cache where that is not what was published."""
    if not leg.location.cached:
        return leg
    try:
        held = _held(cache, leg)
    except CacheUnavailable as error:
        return _past(leg, f"{error.what} ({error.got})")
    files = zip(leg.paths, leg.read.published.files(leg.read.output), strict=True)
    odd = [path for path, file in files if path not in held or held[path].bytes != file.bytes or not held[path].sound]
    if odd:
        return _past(leg, f"the cache knows {len(odd)} file(s) other than they were published: {odd[0]}")
    return replace(leg, cold=tuple(path for path in leg.paths if held[path].hot < held[path].bytes))


def _held(cache: Cache, leg: Leg) -> dict[str, Held]:
    return {held.path: held for held in cache.status(leg.store, leg.folder)}


def _past(leg: Leg, why: str | None = None) -> Leg:
    return replace(leg, location=store_location(leg.store, leg.folder, why), cold=())


def _within(limit_s: float, questions: list[Callable[[], Leg]]) -> list[Leg | None]:
    """The answers there are when time is up."""
    pool = ThreadPoolExecutor(_LOOKS, thread_name_prefix="teamspark-cache")
    asked = [pool.submit(question) for question in questions]
    finished(asked, timeout=limit_s)
    pool.shutdown(wait=False, cancel_futures=True)
    return [one.result() if one.done() and not one.cancelled() else None for one in asked]


def _probed(route: Route) -> Route:
    """A master that answers says nothing of its workers: the smallest file is asked for as a reader would."""
    files = [
        (file.bytes, path, leg.store)
        for leg in route.through
        for path, file in zip(leg.paths, leg.read.published.files(leg.read.output), strict=True)
    ]
    if not files:
        return route
    _, path, store = min(files, key=lambda one: one[:2])
    try:
        route.cache.probe(store, path)
    except CacheUnavailable as error:
        return route.past(f"{error.what} ({error.got})")
    return route


@contextmanager
def prefetching(route: Route) -> Iterator[None]:
    """While the block lasts, what is cold is brought into the cache, and what is to stay there is pinned.

    What is under way at its end goes on by itself, for a few seconds.
    """
    enough = Event()
    work = [
        *((leg, path, True) for leg in route.through if leg.pin for path in leg.paths),
        *((leg, path, False) for leg in route.through for path in leg.cold),
    ]
    if not work:
        yield
        return

    def fetch(leg: Leg, path: str, pin: bool) -> None:
        if enough.is_set():
            return
        if pin:
            route.cache.pin(leg.store, [path])
        else:
            route.cache.warm(leg.store, [path], within_s=FETCH_S)

    pool = ThreadPoolExecutor(_LOADS, thread_name_prefix="teamspark-prefetch")
    for one in work:
        pool.submit(fetch, *one)  # what fails is read cold
    try:
        yield
    finally:
        enough.set()
        pool.shutdown(wait=False, cancel_futures=True)


def is_cached(published: Published, world: World) -> bool:
    """Whether the team's cache is before the place of what was published; it never is before a private one."""
    key = published.key
    return (
        world.private is None
        and world.cache(key.team).resolve(world.output_store(key.team), published.directory).cached
    )


def warm_outputs(published: Published, world: World) -> tuple[str, ...]:
    """Bring what was just published into the team's cache; a line if that failed. Never raises."""
    store, cache = world.output_store(published.key.team), world.cache(published.key.team)
    paths = [path for output in published.manifest.outputs for path in published.paths(output.name)]
    began = time.monotonic()
    try:
        cache.warm(store, paths, within_s=WARM_S)
    except CacheUnavailable as error:
        return (f"the outputs are not in the cache: {error.what} ({error.got})",)
    if time.monotonic() - began > WARM_S:
        return (f"the outputs are not all in the cache after {WARM_S:.0f} s",)
    return ()
