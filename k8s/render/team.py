"""Everything that a team is in a cluster, in the order in which it is applied."""

from collections.abc import Iterator, Sequence

from framework.errors import ConfigError
from framework.tenancy.model import Team
from k8s.platform import Platform
from k8s.render.admission import admission, definition, parameters
from k8s.render.amounts import airflow_amounts, spark_amounts
from k8s.render.cache import cache
from k8s.render.network import policies
from k8s.render.objects import Obj
from k8s.render.space import accounts, namespaces, roles
from k8s.render.volume import has_volume, volume


def cluster_objects() -> tuple[Obj, ...]:
    """What is one for all teams. The kind of the parameters first: policies name it."""
    return definition(), *admission()


def team_objects(team: Team, platform: Platform, granting: Sequence[Team] = ()) -> tuple[Obj, ...]:
    """What is the team's alone. Limits stand before rights: at no moment is somebody let in without them. ``granting``: teams that
    let it read of theirs, whose folders its cache is before, too.

    Raises: ConfigError for a team that has no part of a cluster.
    """
    return tuple(_objects(team, platform, granting))


def _objects(team: Team, platform: Platform, granting: Sequence[Team]) -> Iterator[Obj]:
    if team.quota is None or team.limits is None:
        raise ConfigError(
            "this team has no part of a cluster",
            where=f"{team.team}.yaml",
            expected="quota, limits and images",
            next_step="add them to the team file",
        )
    yield from namespaces(team.team, platform)
    yield from policies(team.team, platform)
    yield from parameters(team, platform, team.limits)
    yield from spark_amounts(team, team.quota, team.limits, platform.scratch, volume=has_volume(team, platform))
    yield from airflow_amounts(team.team, team.airflow.pool_slots, platform.scratch)
    yield from volume(team, platform)
    yield from accounts(team.team, cached=platform.caches(team))
    yield from roles(team.team)
    yield from cache(team, platform, granting)
