"""Finding the route: the team's cache is asked for each published input when a run is planned, and answers within seconds."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as finished
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from framework.cache.base import LOOK_S, Cache, Held, store_location
from framework.errors import CacheUnavailable, TeamsparkError
from framework.plan import Plan, RunInput, TableInput
from framework.runner.narrow import chunks_of, wasteful
from framework.runner.route import Leg, Route, TableLeg
from framework.storage.attempts import published_files
from framework.world import World

_LATE: Final = f"the cache did not answer within {LOOK_S:.0f} s"
_LOOKS: Final = 8

T = TypeVar("T")


def find_route(plan: Plan, world: World) -> Route:
    """Ask the team's cache for each published input. Never raises, and takes no longer than a few seconds."""
    cache = world.cache(plan.config.key.team)
    legs = [leg for planned in plan.inputs if isinstance(planned, RunInput) for leg in _legs(planned, world, cache)]
    tables = [
        leg for planned in plan.inputs if isinstance(planned, TableInput) for leg in _tables(planned, world, cache)
    ]
    if any(leg.location.cached for leg in legs):
        answers = _within(LOOK_S, [partial(_decided, cache, leg) for leg in legs])
        legs = [answer or leg.past(_LATE) for leg, answer in zip(legs, answers, strict=True)]
    if any(leg.location.cached for leg in tables):
        tables = _heated(cache, tables)
    told = [leg.location for leg in legs] + [leg.location for leg in tables]
    remarks = tuple(dict.fromkeys(one.why for one in told if one.why))
    return _probed(Route(cache, tuple(legs), tuple(tables), remarks))


def _legs(planned: RunInput, world: World, cache: Cache) -> Iterator[Leg]:
    port = planned.port
    for read in planned.reads:
        store = world.store(read.published.key.team)
        folder = read.published.output_dir(read.output)
        location = store_location(store, folder) if port.cache == "bypass" else cache.resolve(store, folder)
        yield Leg(port.name, read, store, location, port.schema.names, pin=port.cache == "pin")


def _tables(planned: TableInput, world: World, cache: Cache) -> Iterator[TableLeg]:
    port = planned.port
    for table in planned.tables:
        store = world.store(table.task.team)
        past = port.cache == "bypass"
        location = store_location(store, table.path) if past else cache.resolve(store, table.path)
        yield TableLeg(port.name, table, store, location)


def _decided(cache: Cache, leg: Leg) -> Leg:
    """The leg with what the cache holds of it; past the cache where that is not what was published."""
    if not leg.location.cached:
        return leg
    try:
        held = leg.held(cache)
    except CacheUnavailable as error:
        return leg.past(f"{error.what} ({error.got})")
    files = zip(leg.paths, leg.read.published.files(leg.read.output), strict=True)
    odd = [path for path, file in files if path not in held or held[path].bytes != file.bytes or not held[path].sound]
    if odd:
        return leg.past(f"the cache knows {len(odd)} file(s) other than they were published: {odd[0]}")
    cold = {path: held[path].bytes - held[path].hot for path in leg.paths if held[path].hot < held[path].bytes}
    if cold and not leg.pin and _is_narrow(leg, cold):
        return leg.past()
    return replace(leg, cold=tuple(cold))


def _is_narrow(leg: Leg, cold: Mapping[str, int]) -> bool:
    """Whether its port wants few of the columns, so that the store delivers them cheaper than whole files.

    The largest cold file speaks for all of one schema. What cannot be asked is fetched: a reader will find out.
    """
    wanted, written = set(leg.columns), set(leg.read.schema.names)
    if written <= wanted:
        return False
    by_path = dict(zip(leg.paths, published_files(leg.store, leg.read.published, leg.read.output), strict=True))
    try:
        share = chunks_of(by_path[max(cold, key=lambda path: cold[path])]).share(wanted & written)
    except (TeamsparkError, OSError, ValueError):  # pyarrow's own errors are one or the other
        return False
    return wasteful(sum(cold.values()), wanted=share * leg.bytes)


def _heated(cache: Cache, legs: list[TableLeg]) -> list[TableLeg]:
    """Each with the files that the cache holds whole. An attempt's folder is complete once a log names it: it is asked by
    folder, since of a table's own folder a cache remembers what it once found there.
    """
    folders = {
        (at, path.rpartition("/")[0]) for at, leg in enumerate(legs) if leg.location.cached for path in leg.sizes
    }
    asked = sorted(folders)
    try:
        answers = _within(LOOK_S, [partial(cache.status, legs[at].store, folder) for at, folder in asked])
    except CacheUnavailable as error:
        return [leg.past(f"{error.what} ({error.got})") for leg in legs]
    hot: list[set[str]] = [set() for _ in legs]
    for (at, _), answer in zip(asked, answers, strict=True):
        hot[at] |= {held.path for held in answer or () if _is_whole(held, legs[at].sizes)}
    return [replace(leg, hot=frozenset(found)) for leg, found in zip(legs, hot, strict=True)]


def _is_whole(held: Held, sizes: Mapping[str, int]) -> bool:
    return held.sound and held.hot == held.bytes == sizes.get(held.path)


def _within(limit_s: float, questions: list[Callable[[], T]]) -> list[T | None]:
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
    files += [(leg.sizes[path], path, leg.store) for leg in route.tables for path in leg.hot]
    if not files:
        return route
    _, path, store = min(files, key=lambda one: one[:2])
    try:
        route.cache.probe(store, path)
    except CacheUnavailable as error:
        return route.past(f"{error.what} ({error.got})")
    return route
