"""The processes of an Alluxio: what each is told, and the stores that are mounted in them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framework.cache.alluxio import canonical
from framework.cache.looking import Cluster
from framework.cache.properties import GRANTED, LOG4J2, MOUNT, Layout, s3_properties, site_properties
from framework.cache.rest import Proxy
from framework.errors import CacheUnavailable
from framework.servers.private import private_folder, write_private
from framework.servers.processes import Program
from framework.storage.base import Store

MAIN: Final[Mapping[str, tuple[str, ...]]] = {
    "master": ("alluxio.master.AlluxioMaster", "-Xmx256m"),
    "worker": ("alluxio.worker.AlluxioWorker", "-Xmx256m", "-XX:MaxDirectMemorySize=512m"),
    "proxy": ("alluxio.proxy.AlluxioProxy", "-Xmx128m"),
}
# All that a credentials chain reads, in boto3 and in Java.
_CREDENTIALS: Final = ("AWS_",)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be started: ``home`` is the state directory. ``granted``: folders of other teams' stores that are mounted, too,
    where they are there. ``dies_with_us``: for tests, which leave nothing.
    """

    team: str
    store: Store
    home: Path
    memory_bytes: int
    granted: Sequence[tuple[Store, str]] = ()
    dies_with_us: bool = False


def facts_of(wanted: Wanted, layout: Layout) -> Cluster:
    """Of one of this layout, once it is up."""

    def at(port: str) -> str:
        return f"http://{layout.bind}:{layout.ports[port]}"

    webs = {name: at(f"{name}-web") for name in ("master", "worker")}
    master = f"{layout.bind}:{layout.ports['master']}"
    return Cluster(
        team=wanted.team,
        store=wanted.store.root,
        home=str(wanted.home),
        master=master,
        proxy=at("proxy"),
        webs=webs,
        tier=str(layout.tier),
    )


def own_folder(own: Store, team: str) -> str:
    """The team's own folder, which in a bucket is all that its role may list."""
    return "/" if own.access.scheme == "file" else f"/{team}"


def mount_own(proxy: Proxy, own: Store, team: str) -> None:
    """The team's own folder of its store, or the whole while that is not there yet. A mount shows at its first listing whether it
    is one. Raises: CacheUnavailable.
    """
    folder = own_folder(own, team)
    if folder == "/" or not _mounts(proxy, MOUNT, own, folder):
        _mount(proxy, MOUNT, own)
        proxy.files(MOUNT, recursive=False)


def points_of(wanted: Wanted) -> dict[str, tuple[Store, str]]:
    """Where the folders go that the team was granted; only what is reached as its own store is."""
    own = wanted.store.access
    return {
        f"{GRANTED}{number}": (store, path)
        for number, (store, path) in enumerate(wanted.granted)
        if (store.access.scheme, store.access.endpoint) == (own.scheme, own.endpoint)
    }


def mount_each(proxy: Proxy, points: Mapping[str, tuple[Store, str]]) -> dict[str, tuple[Store, str]]:
    """Those of ``points`` that cannot be mounted: nothing is there yet, or it may not be listed."""
    return {point: (store, path) for point, (store, path) in points.items() if not _mounts(proxy, point, store, path)}


def _mounts(proxy: Proxy, point: str, store: Store, path: str) -> bool:
    try:
        _mount(proxy, point, store, path)
    except CacheUnavailable:
        return False
    return True


def _mount(proxy: Proxy, point: str, store: Store, path: str = "/") -> None:
    access, uri = store.access, canonical(store.uri(path))
    if access.scheme == "file":
        if path == "/":  # what is not there cannot be mounted, and a store's first put makes its root
            Path(store.root).mkdir(parents=True, exist_ok=True)
        proxy.mount(point, uri.removeprefix("file://"), {})
        return
    proxy.mount(point, f"{uri}/", s3_properties(access.endpoint, access.region))


def write_files(layout: Layout, jars: tuple[Path, ...]) -> None:
    """Its folders, and what its processes read when they start."""
    for folder in layout.folders:
        private_folder(folder)
    write_private(layout.conf / "alluxio-site.properties", site_properties(layout))
    write_private(layout.conf / "log4j2.properties", LOG4J2)
    # In a file: two hundred jars are more than a process list should show.
    path = ":".join(map(str, (layout.conf, *jars)))
    write_private(layout.conf / "classpath", f'-cp "{path}"\n')


def program(name: str, layout: Layout, java: Path, wanted: Wanted, environment: Mapping[str, str]) -> Program:
    """``environment`` is all of it."""
    main, *options = MAIN[name]
    places = {"home": layout.home, "conf.dir": layout.conf, "logs.dir": layout.logs, "logger.name": name}
    command = [
        str(java),
        f"@{layout.conf / 'classpath'}",
        *options,
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Djava.net.preferIPv4Stack=true",
        *(f"-Dalluxio.{key}={value}" for key, value in places.items()),
        main,
    ]
    log = layout.logs / f"{name}.log"
    return Program(f"cache {name}", command, environment, log, layout.home, wanted.dies_with_us)


def environment_of(store: Store, environ: Mapping[str, str]) -> dict[str, str]:
    """Of the caller's only what finds the store's credentials, and that only where the store asks for any."""
    kept = {name: environ[name] for name in ("HOME", "TMPDIR") if name in environ}
    if store.access.scheme != "file":
        kept |= {name: value for name, value in environ.items() if name.startswith(_CREDENTIALS)}
        # The identity of a machine is nobody's team.
        kept["AWS_EC2_METADATA_DISABLED"] = "true"
    return {"PATH": environ.get("PATH", os.defpath), **kept}
