"""What a run's session has to be told of the stores it reads from and writes to."""

from framework.errors import ConfigError
from framework.plan import PlanRequest
from framework.sources import connections_of, load_sources, source_buckets
from framework.spark.stores import S3Endpoint
from framework.storage.base import Access
from framework.tenancy.places import DEFAULT_REGION
from framework.world import World


def endpoints(request: PlanRequest, world: World) -> dict[str, S3Endpoint]:
    """By bucket, where Spark finds the S3 stores and sources of this run; nothing for a run on directories.

    Raises: ConfigError, SetupError; ConfigError too for one bucket's name that means two places.
    """
    config = request.config
    teams = {edge.team for edges in config.inputs.values() for edge in edges}
    if world.private is None:
        teams.add(config.key.team)
    sources = source_buckets(_sources(request), world.teams, config.key.team)
    found = (*world.accesses(sorted(teams)), *sources)
    _require_one_place(found)
    return {access.bucket: _endpoint(access) for access in found if access.scheme == "s3a"}


def jar_sets(request: PlanRequest) -> tuple[str, ...]:
    """The sets of jars that this run's sources need besides. Raises: ConfigError."""
    return ("postgres",) if _asks_a_database(request) else ()


def _asks_a_database(request: PlanRequest) -> bool:
    names = _sources(request)
    return bool(names and connections_of(load_sources(request.config.key.team), names))


def _sources(request: PlanRequest) -> list[str]:
    ports = (port for port in request.contract.inputs if port.name not in request.fixtures)
    return [port.source for port in ports if port.source]


def _require_one_place(found: tuple[Access, ...]) -> None:
    """Spark's settings are by a bucket's name: two of one name on two servers would be taken for one."""
    places: dict[str, Access] = {}
    for access in found:
        other = places.setdefault(access.bucket, access)
        if access.bucket and (_endpoint(other), other.scheme) != (_endpoint(access), access.scheme):
            raise ConfigError(
                "one bucket is said to be in two places",
                where=access.bucket,
                got=f"{_endpoint(other)} and {_endpoint(access)}",
                expected="one endpoint and region",
                next_step="say the same in sources.yaml and in the team files",
            )


def _endpoint(access: Access) -> S3Endpoint:
    return S3Endpoint(access.region or DEFAULT_REGION, access.endpoint, path_style=access.path_style)
