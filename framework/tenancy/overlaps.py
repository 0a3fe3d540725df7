"""Team files that contradict each other: places that are in each other's way. Pure."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from framework.tenancy.model import Team
from framework.tenancy.places import BucketStore, key_prefix

_S3: Final = "s3://"


def overlaps(teams: Iterable[Team]) -> Iterator[tuple[str, str, str]]:
    """Team, key of its file, and what is wrong with it.

    Compared without case: there are stores that compare so. What another team publishes is read by its grant, never as a place
    outside the platform.
    """
    found = sorted(teams, key=lambda team: team.team)
    for one, other in combinations(found, 2):
        if _meets(mine := _root(one), theirs := _root(other)):
            yield other.team, "store", f"{theirs} is inside the place of '{one.team}', or around it: {mine}"
    for team in found:
        for other in found:
            root = _root(other)
            for key, patterns in (("reads", team.reads), ("writes", team.writes)):
                for pattern in patterns:
                    if _names(pattern.lower(), root):
                        yield team.team, key, f"{pattern} is where '{other.team}' publishes: ask its owners for a grant"


def _root(team: Team) -> str | None:
    """``bucket/prefix/team/``, in small letters; None for a store that is in no bucket."""
    store = team.store
    return f"{store.bucket}/{key_prefix(store, team.team)}".lower() if isinstance(store, BucketStore) else None


def _names(pattern: str, root: str | None) -> bool:
    """Whether a place outside is in ``root``, or around it: a folder, or one key."""
    if root is None or not pattern.startswith(_S3):
        return False
    place = pattern.removeprefix(_S3)
    return _meets(place.removesuffix("*"), root) if place.endswith("/*") else place.startswith(root)


def _meets(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and (one.startswith(other) or other.startswith(one))
