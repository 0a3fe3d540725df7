"""The process that a team's cache in a cluster is: an Alluxio of its own before its store.

    python -m framework.cacheserver --team TEAM --home DIR --tier DIR --memory BYTES --host ADDRESS --team-files DIR

Its ports are Alluxio's usual ones. It ends when one of its parts does, so that whoever runs it starts it anew.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from framework.cache.parts import Wanted
from framework.cache.properties import PUBLIC_PORTS, Layout
from framework.cache.serving import serve
from framework.errors import TeamsparkError
from framework.tenancy.load import load_teams
from framework.world import World


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until something ends; the exit code."""
    told = _arguments().parse_args(argv)
    try:
        world = World.of_teams(load_teams(told.team_files, told.team_files))
        wanted = Wanted(told.team, world.store(told.team), told.home, told.memory, world.granted(told.team))
        layout = Layout(told.home, told.tier, PUBLIC_PORTS, told.memory, host=told.host, bind=told.host)
        serve(wanted, layout, os.environ, notice=partial(print, flush=True))
    except TeamsparkError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m framework.cacheserver", description=__doc__)
    parser.add_argument("--team", required=True, help="whose store it is before")
    parser.add_argument("--home", type=Path, required=True, help="a folder of its own")
    parser.add_argument("--tier", type=Path, required=True, help="a folder in memory, which holds what is hot")
    parser.add_argument("--memory", type=int, required=True, help="of that folder, in bytes")
    parser.add_argument("--host", required=True, help="the address that it listens on, and is known by")
    parser.add_argument("--team-files", type=Path, required=True, help="the folder of team files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
