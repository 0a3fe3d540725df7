"""An Alluxio for each team before the stores of a site, as a team has one before its own."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from framework.servers.sites import Site, write_team_files
from framework.tenancy.load import load_teams
from framework.tenancy.render import with_cache
from framework.world import World

FOLDER: Final = "teams-cached"
_CREDENTIALS: Final = "AWS_"


@contextmanager
def cached(site: Site, workspace: Path, say: Callable[[str], None]) -> Iterator[Site]:
    """The same site, whose team files name a cache, each up until the block ends. Team files beside those without.

    Raises: SetupError when Java, jars, memory are missing or a team's cache is before another store; ServerFailed.
    """
    from framework.cache.caches import PLACE, Asked, running  # only now: nobody else pays for an HTTP client
    from framework.cache.opening import home_of
    from framework.cache.parts import Wanted

    teams = load_teams(workspace, site.team_files)
    told = write_team_files(
        site.team_files.with_name(FOLDER), [with_cache(team, PLACE) for team in teams.by_name.values()]
    )
    world = World.of(workspace, told, keys=site.keys)

    def caches() -> list[Asked]:
        return [
            Asked(
                Wanted(team, world.store(team), home_of(team, workspace), PLACE.memory_bytes, world.granted(team)),
                {**_without_keys(), **site.environment(team)},
            )
            for team in teams.by_name
        ]

    with running(site.team_files.with_name("caches"), caches, notice=say):
        yield replace(site, team_files=told)


def _without_keys() -> dict[str, str]:
    """This process's environment, without the credentials of whoever started it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_CREDENTIALS)}
