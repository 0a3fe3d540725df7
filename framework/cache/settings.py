"""What a session that reads through Alluxio gets: the client's jar, and how long it may try. Facts, no pyspark."""

from types import MappingProxyType
from typing import Final

from framework.spark.stores import Extra

JARS: Final = ("alluxio-client",)
_HADOOP: Final = "spark.hadoop."
# By itself the client tries for minutes. Whoever falls back to the store wants to know within seconds.
_CLIENT: Final = MappingProxyType(
    {
        "fs.alluxio.impl": "alluxio.hadoop.FileSystem",
        "fs.AbstractFileSystem.alluxio.impl": "alluxio.hadoop.AlluxioFileSystem",
        "alluxio.user.block.read.retry.max.duration": "5s",
        "alluxio.user.block.read.retry.sleep.max": "500ms",
        "alluxio.user.rpc.retry.max.duration": "5s",
        "alluxio.user.rpc.retry.max.sleep": "500ms",
        "alluxio.user.streaming.data.read.timeout": "5s",
        # A master that hangs answers no ping either; without one its answer is waited for without end.
        "alluxio.user.network.rpc.keepalive.time": "10s",
        "alluxio.user.network.rpc.keepalive.timeout": "5s",
        # Reading is not worth a write to the master.
        "alluxio.user.update.file.accesstime.disabled": "true",
    }
)
# A worker that says it is on this machine: its files are then mapped, and no byte goes through a socket.
HOSTNAME: Final = "localhost"


def client_needs(*, local: bool) -> Extra:
    """Settings and jars of a session that reads ``alluxio://``; ``local``: from an Alluxio on this machine."""
    settings = dict(_CLIENT) | ({"alluxio.user.hostname": HOSTNAME} if local else {})
    return Extra({f"{_HADOOP}{key}": value for key, value in settings.items()}, JARS)
