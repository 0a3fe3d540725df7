"""What a session needs to reach S3 stores: settings that are applied last, and jars. Facts as tables; no secret is here.

Keys and tokens are never Spark settings, which the UI, the event log and ``spark.conf`` show: the JVM takes them from
the environment of its process, as boto3 does.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from framework.errors import ConfigError
from framework.jars.sync import Notice, ensure_jars

_LOG: Final = logging.getLogger("framework.spark")
_S3A: Final = "spark.hadoop.fs.s3a."
_AWS: Final = "https://s3.amazonaws.com"
_PROVIDERS: Final = (
    "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.WebIdentityTokenFileCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.ContainerCredentialsProvider",
    # No instance profile: the identity of a cluster's node is nobody's team.
)
# One part of each file is uploaded where it belongs and completed by the committer: no rename, which S3 does not have.
_COMMITTER: Final[Mapping[str, str]] = {
    "spark.hadoop.fs.s3a.committer.name": "magic",
    "spark.hadoop.fs.s3a.committer.magic.enabled": "true",
    "spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3a": "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory",
    "spark.sql.sources.commitProtocolClass": "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol",
    "spark.sql.parquet.output.committer.class": "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter",
}
_CLIENT: Final[Mapping[str, str]] = {
    "aws.credentials.provider": ",".join(_PROVIDERS),
    # One layer retries, not the SDK below it as well, and not for long: a dead store is told within seconds, a silent one
    # within minutes. Whoever launches decides whether to try again.
    "attempts.maximum": "0",
    "retry.limit": "4",
    "retry.interval": "250ms",
    "connection.establish.timeout": "15s",
    "connection.timeout": "30s",
    # "Slow down" is answered with more patience: 200 ms, doubled each time.
    "retry.throttle.limit": "5",
    "retry.throttle.interval": "200ms",
    # A file replaced between two reads of it is an error, not a mixture.
    "change.detection.mode": "server",
    "change.detection.source": "etag",
    # On disk: four parts of 64 MB a file in memory are more than an executor's overhead has room for.
    "fast.upload.buffer": "disk",
    "buffer.dir": "${env.SPARK_LOCAL_DIRS:-${java.io.tmpdir}}/s3a-${user.name}",
    # More connections than threads that want one at a time.
    "threads.max": "64",
    "connection.maximum": "200",
}


@dataclass(frozen=True, slots=True)
class S3Endpoint:
    """Where buckets are. ``endpoint`` None is AWS itself; ``path_style`` names the bucket in the path, not the host."""

    region: str
    endpoint: str | None = None
    path_style: bool = False


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """What sessions get for their stores: ``conf``, which nobody overrides, ``jars``, and ``java_options`` of the driver
    and of executors. Empty for directories.
    """

    conf: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    jars: tuple[Path, ...] = ()
    java_options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extra:
    """What a session needs besides, as whoever asks for it says: settings, sets of jars by name, options of its JVMs."""

    conf: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    jar_sets: tuple[str, ...] = ()
    java_options: tuple[str, ...] = ()


def s3a_settings(default: S3Endpoint, buckets: Mapping[str, S3Endpoint] = MappingProxyType({})) -> dict[str, str]:
    """Every setting of a session that reaches ``default``, and the ``buckets`` that are elsewhere.

    Raises: ConfigError for an endpoint that is no address.
    """
    settings = {**_COMMITTER, **{f"{_S3A}{key}": value for key, value in _CLIENT.items()}, **_place(_S3A, default)}
    for name, endpoint in buckets.items():
        settings |= _place(f"{_S3A}bucket.{name}.", endpoint)
    return settings


def store_settings(buckets: Mapping[str, S3Endpoint]) -> dict[str, str]:
    """Every setting of a session that reaches ``buckets``; none where there is none. Raises: ConfigError."""
    return s3a_settings(next(iter(buckets.values())), buckets) if buckets else {}


def store_access(
    buckets: Mapping[str, S3Endpoint],
    extra: Extra | None = None,
    *,
    jars: tuple[str, ...] = (),
    notice: Notice = _LOG.warning,
) -> StoreAccess:
    """What ``SessionSettings.stores`` is for a run: nothing where no store is S3 and nothing ``extra`` is wanted.

    Jars that are missing are fetched first.

    ``jars``: sets that are needed besides.

    Raises: ConfigError; SetupError or StoreUnavailable when jars are missing and cannot be had.
    """
    more = extra or Extra()
    sets = (*(("s3a",) if buckets else ()), *jars, *more.jar_sets)
    paths = ensure_jars(*sets, notice=notice) if sets else ()
    return StoreAccess({**store_settings(buckets), **more.conf}, paths, more.java_options)


def _place(prefix: str, at: S3Endpoint) -> dict[str, str]:
    address = at.endpoint or _AWS
    return {
        f"{prefix}endpoint": address,
        f"{prefix}endpoint.region": at.region,
        f"{prefix}path.style.access": _flag(at.path_style),
        f"{prefix}connection.ssl.enabled": _flag(_scheme(address) == "https"),
    }


def _scheme(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ConfigError(
            "not an S3 endpoint", got=address, expected="http(s)://host[:port], without user and password"
        )
    return parts.scheme


def _flag(value: bool) -> str:
    return "true" if value else "false"
