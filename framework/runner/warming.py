"""Filling the team's cache: with a run's inputs while its session starts, with its outputs once they are published."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Final

from framework.errors import CacheUnavailable
from framework.runner.route import Leg, Route
from framework.storage.publish import Published
from framework.world import World

WARM_S: Final = 30.0
"""How long a run may keep its outputs' files warm after they are published; nobody's result waits longer for it."""
FETCH_S: Final = 10.0
"""How long one file may take to be fetched before the job reads it."""
_LOADS: Final = 2


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
