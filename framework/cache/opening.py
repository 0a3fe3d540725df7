"""The cache that a team file describes, and where one of this machine keeps its state."""

from pathlib import Path
from typing import Final

from framework.cache.base import Cache
from framework.cache.none import NoCache
from framework.errors import SetupError
from framework.storage.base import Store
from framework.tenancy.model import Team

STATE: Final = ".teamspark/cache"


def home_of(team: str, workspace: Path) -> Path:
    """The state directory of a team's cache on this machine."""
    return workspace / STATE / team


def open_cache(team: Team, store: Store, *, workspace: Path) -> Cache:
    """The cache before ``store``, the team's; nothing is asked of it yet. Raises: SetupError."""
    place = team.cache
    if place is None:
        return NoCache()
    try:
        from framework.cache.alluxio import Address, AlluxioCache  # only now: nobody else pays for an HTTP client
        from framework.cache.cluster import known
    except ModuleNotFoundError as error:
        raise SetupError(
            "a cache needs the package alluxio",
            where=f"team {team.team}",
            got=str(error),
            next_step="run this where jobs run, or install teamspark[jobs]",
        ) from error
    if place.master is not None and place.proxy is not None:
        return AlluxioCache(Address(place.master, place.proxy), store.access)
    running = known(home_of(team.team, workspace))
    if running is None:
        return NoCache(why=f"the cache is not up: teamspark cache up --team {team.team}")
    return AlluxioCache(running.address, store.access)
