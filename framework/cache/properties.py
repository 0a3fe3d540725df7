"""What the processes of an Alluxio are told, as text of their files. Pure.

The journal is none: a cache that starts empty is a cache, and what is written down nowhere cannot be read by others. The
store's keys are in the processes' environment and in no file, option or log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framework.cache.settings import HOSTNAME
from framework.servers.ports import HOST

PORTS: Final = ("master", "master-web", "worker", "worker-web", "proxy")
# Alluxio's own defaults: what a client that was told a host only asks (Alluxio 2.9, "Configuration Properties").
PUBLIC_PORTS: Final[Mapping[str, int]] = dict(zip(PORTS, (19998, 19999, 29999, 30000, 39999), strict=True))
MOUNT: Final = "/store"
GRANTED: Final = "/granted-"
_RETRY: Final = "3s"

# To what the process prints, which is its log: whoever waits for it is shown the end.
LOG4J2: Final = """\
status = error
appender.c.type = Console
appender.c.name = C
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = %d{ISO8601} %-5p %c{1} - %m%n
rootLogger.level = warn
rootLogger.appenderRef.c.ref = C
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """One Alluxio: its state directory, the directory of its memory, its ports by name, its size; what its host is called, and
    the address that it listens on, by default this machine alone.
    """

    home: Path
    tier: Path
    ports: Mapping[str, int]
    memory_bytes: int
    host: str = HOSTNAME
    bind: str = HOST

    @property
    def conf(self) -> Path:
        return self.home / "conf"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def root(self) -> Path:
        """What Alluxio's own root is in front of: an empty folder, with the mounts below."""
        return self.home / "root"

    @property
    def folders(self) -> tuple[Path, ...]:
        return (self.home, self.conf, self.logs, self.root, self.home / "tmp", self.tier)


def site_properties(layout: Layout) -> str:
    """``alluxio-site.properties`` of master, worker and proxy."""
    settings = {**_names(layout), **_places(layout), **_BEHAVIOUR}
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _names(layout: Layout) -> dict[str, object]:
    """One name for a worker's machine wherever it is said: a client maps files of its own host."""
    ports = layout.ports
    named = {f"alluxio.{part}.hostname": layout.host for part in ("master", "worker", "proxy", "user")}
    bound = {
        f"alluxio.{part}.bind.host": layout.bind
        for part in ("master", "worker", "master.web", "worker.web", "proxy.web")
    }
    return (
        named
        | bound
        | {
            "alluxio.master.rpc.port": ports["master"],
            "alluxio.master.web.port": ports["master-web"],
            "alluxio.worker.rpc.port": ports["worker"],
            "alluxio.worker.web.port": ports["worker-web"],
            "alluxio.proxy.web.port": ports["proxy"],
        }
    )


def _places(layout: Layout) -> dict[str, object]:
    tier = "alluxio.worker.tieredstore.level0."
    return {
        "alluxio.work.dir": layout.home,
        "alluxio.tmp.dirs": layout.home / "tmp",
        "alluxio.master.mount.table.root.ufs": layout.root,
        "alluxio.worker.ramdisk.size": layout.memory_bytes,
        "alluxio.worker.tieredstore.levels": 1,
        f"{tier}alias": "MEM",
        f"{tier}dirs.path": layout.tier,
        f"{tier}dirs.mediumtype": "MEM",
        f"{tier}dirs.quota": layout.memory_bytes,
        "alluxio.worker.data.folder.permissions": "rwx------",
    }


_BEHAVIOUR: Final[Mapping[str, object]] = {
    "alluxio.master.journal.type": "NOOP",
    "alluxio.master.metastore": "HEAP",
    "alluxio.master.worker.connect.wait.time": "0",
    # A dead worker's blocks are believed to be there until it is missed.
    "alluxio.master.worker.timeout": "10s",
    "alluxio.master.lost.worker.detection.interval": "2s",
    "alluxio.master.update.check.enabled": "false",
    # An attempt's path is absent until it is written, and may have been asked for before: absences are not remembered.
    "alluxio.master.ufs.path.cache.capacity": "0",
    "alluxio.exit.collect.info": "false",
    "alluxio.web.ui.enabled": "false",
    "alluxio.security.authorization.permission.enabled": "true",
    # With it on, the proxy answers everything but S3 with nothing.
    "alluxio.proxy.s3.v2.version.enabled": "false",
    # The proxy is a client too, and whoever asks it waits.
    "alluxio.user.rpc.retry.max.duration": _RETRY,
    "alluxio.user.rpc.retry.max.sleep": "500ms",
    "alluxio.user.block.read.retry.max.duration": _RETRY,
    "alluxio.user.block.read.retry.sleep.max": "500ms",
    # A worker's first read of a bucket takes it some seconds. Whoever asks the proxy has a limit of its own.
    "alluxio.user.streaming.data.read.timeout": "10s",
}


def s3_properties(endpoint: str | None, region: str | None) -> dict[str, str]:
    """Of a mount of a bucket: its place. Its keys come from the environment of master and worker."""
    told = {"alluxio.underfs.s3.inherit.acl": "false"}
    if endpoint is not None:
        told |= {"alluxio.underfs.s3.endpoint": endpoint, "alluxio.underfs.s3.disable.dns.buckets": "true"}
    if region is not None:
        told |= {"alluxio.underfs.s3.endpoint.region": region}
    return told
