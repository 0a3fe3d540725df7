"""Caches of several teams on this machine, before the stores that their team files name, for as long as a block lasts.

The team files say ``cache: {kind: alluxio}``; whoever runs a team's jobs finds its cache as that of any other team file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framework.cache.cluster import down, known, up
from framework.cache.looking import ailing
from framework.cache.parts import Wanted
from framework.errors import SetupError
from framework.jars.sync import Notice
from framework.servers.processes import in_use, only_one
from framework.tenancy.places import AlluxioPlace

MEMORY: Final = "256Mi"
"""What each of them holds: a day of the demo's outputs is some megabytes."""
PROCESSES_BYTES: Final = 700 * 2**20
"""What the three JVMs of one need besides what it holds (measured: 0.6 to 0.7 GB)."""
PLACE: Final = AlluxioPlace(kind="alluxio", memory=MEMORY)
_MEMINFO: Final = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Asked:
    """One cache, and the environment in which its store's credentials are found."""

    wanted: Wanted
    environ: Mapping[str, str]


@contextmanager
def running(home: Path, caches: Callable[[], Sequence[Asked]], *, notice: Notice) -> Iterator[None]:
    """They are up, and ended with the block; or another process of this workspace has them up, and keeps them.

    ``home`` is locked meanwhile. Raises: as ``up``; SetupError too when there is not the memory, or when one of these teams
    has its cache before another store.
    """
    if in_use(home):
        yield
        return
    home.mkdir(parents=True, exist_ok=True)
    with only_one(home, "the start of these caches"), ExitStack() as ended:
        asked = caches()
        require_free([one.wanted for one in asked])
        require_memory([one.wanted.memory_bytes for one in asked], available_bytes(_MEMINFO.read_text()))
        for one in asked:
            ended.callback(down, one.wanted.home)
            cluster = up(one.wanted, one.environ, notice=notice)
            notice(f"the cache of team {cluster.team} is up, before {cluster.store}")
        yield


def require_free(wanted: Sequence[Wanted]) -> None:
    """A cache that is up and well before another store is somebody's. Raises: SetupError."""
    found = {one.team: other for one in wanted if (other := _elsewhere(one)) is not None}
    if found:
        raise SetupError(
            "a team's cache of this machine is before another store",
            details=[f"{team}: {store}" for team, store in found.items()],
            next_step=f"end it: {'; '.join(f'teamspark cache down --team {team}' for team in found)}",
        )


def _elsewhere(wanted: Wanted) -> str | None:
    cluster = known(wanted.home)
    if cluster is None or cluster.store == wanted.store.root or ailing(cluster):
        return None
    return cluster.store


def require_memory(holds: Sequence[int], available: int) -> None:
    """Raises: SetupError when the caches that hold so many bytes each do not fit into what is ``available``."""
    needed = sum(holds) + len(holds) * PROCESSES_BYTES
    if needed > available:
        raise SetupError(
            f"there is not the memory for {len(holds)} cache(s)",
            got=f"{available // 2**20:,} MiB available",
            expected=f"{needed // 2**20:,} MiB: of each three JVMs, and what it holds",
            next_step="end something else, or run it without: --cache none",
        )


def available_bytes(meminfo: str) -> int:
    """What processes can get without swapping, from the text of ``/proc/meminfo``."""
    told = {name: words for name, _, words in (line.partition(":") for line in meminfo.splitlines())}
    return int(told["MemAvailable"].split()[0]) * 1024
