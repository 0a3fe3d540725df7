"""What a session that reads through Alluxio gets: the client's jar, and how long it may try. Facts, no pyspark."""

from types import MappingProxyType
from typing import Final

from framework.spark.stores import Extra

JARS: Final = ("alluxio-client",)
_HADOOP: Final = MappingProxyType(
    {
        "spark.hadoop.fs.alluxio.impl": "alluxio.hadoop.FileSystem",
        "spark.hadoop.fs.AbstractFileSystem.alluxio.impl": "alluxio.hadoop.AlluxioFileSystem",
    }
)
# By itself the client tries for minutes; whoever falls back to the store wants to know within seconds. It takes its
# patience from properties of the JVM: the same words in Hadoop's configuration change nothing (a test waits).
_CLIENT: Final = MappingProxyType(
    {
        "alluxio.user.rpc.retry.max.duration": "3s",
        "alluxio.user.rpc.retry.max.sleep": "500ms",
        # A worker that is gone is not waited for: the store has what it had.
        "alluxio.user.block.read.retry.max.duration": "1s",
        "alluxio.user.block.read.retry.sleep.max": "250ms",
        "alluxio.user.streaming.data.read.timeout": "5s",
        # Who hangs answers no ping either; without one an answer is waited for without end.
        "alluxio.user.network.rpc.keepalive.time": "10s",
        "alluxio.user.network.rpc.keepalive.timeout": "5s",
        "alluxio.user.network.streaming.keepalive.time": "10s",
        "alluxio.user.network.streaming.keepalive.timeout": "5s",
        # A worker that hangs takes connections, and says nothing on them: by itself the client waits for its greeting for
        # 30 s, and then 60 s more for a polite end of what never began.
        "alluxio.network.connection.auth.timeout": "5s",
        "alluxio.network.connection.shutdown.graceful.timeout": "1s",
        "alluxio.network.connection.shutdown.timeout": "1s",
        # Reading is not worth a write to the master.
        "alluxio.user.update.file.accesstime.disabled": "true",
    }
)
# A worker that says it is on this machine: its files are then mapped, and no byte goes through a socket.
HOSTNAME: Final = "localhost"


def client_needs(*, local: bool) -> Extra:
    """What a session needs that reads ``alluxio://``; ``local``: from an Alluxio on this machine."""
    told = dict(_CLIENT) | ({"alluxio.user.hostname": HOSTNAME} if local else {})
    return Extra(_HADOOP, JARS, tuple(f"-D{key}={value}" for key, value in told.items()))
