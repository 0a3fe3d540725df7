"""What a run's session has to be told of the stores it reads from and writes to."""

from framework.config import ExportedConfig
from framework.spark.stores import S3Endpoint
from framework.storage.base import Access
from framework.world import World

# What servers of one's own answer to, and where AWS sends on from: a bucket elsewhere needs its region in the team file.
_REGION = "us-east-1"


def endpoints(config: ExportedConfig, world: World) -> dict[str, S3Endpoint]:
    """By bucket, where Spark finds the S3 stores of this run; nothing for a run on directories.

    Raises: ConfigError, SetupError.
    """
    teams = {edge.team for edges in config.inputs.values() for edge in edges}
    if world.private is None:
        teams.add(config.key.team)
    found = world.accesses(sorted(teams))
    return {access.bucket: _endpoint(access) for access in found if access.scheme == "s3a"}


def _endpoint(access: Access) -> S3Endpoint:
    return S3Endpoint(access.region or _REGION, access.endpoint, path_style=access.path_style)
