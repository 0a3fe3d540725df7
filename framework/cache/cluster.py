"""A small Alluxio of one team on this machine: master, worker and proxy, started, looked at, and ended.

It outlives whoever starts it, and is found again by its state directory, which is its user's alone. Nothing in it is
needed: it starts empty, and what a killed one leaves is removed by the next ``up``.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from framework.cache.alluxio import Address, canonical
from framework.cache.base import LOOK_S
from framework.cache.properties import GRANTED, LOG4J2, MOUNT, PORTS, Layout, s3_properties, site_properties
from framework.cache.rest import Proxy
from framework.errors import CacheUnavailable
from framework.jars.sync import Notice, ensure_jars
from framework.java import find_java
from framework.servers.ports import HOST, free_ports
from framework.servers.private import private_folder, write_private
from framework.servers.processes import Program, Started, await_ready, end_leftovers, only_one, remember, start
from framework.storage.base import Store

READY_S: Final = 120.0
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  memory, not a temporary file: a folder of this user's own in it
_MAIN: Final[Mapping[str, tuple[str, ...]]] = {
    "master": ("alluxio.master.AlluxioMaster", "-Xmx256m"),
    "worker": ("alluxio.worker.AlluxioWorker", "-Xmx256m", "-XX:MaxDirectMemorySize=512m"),
    "proxy": ("alluxio.proxy.AlluxioProxy", "-Xmx128m"),
}
# All that a credentials chain reads, in boto3 and in Java.
_CREDENTIALS: Final = ("AWS_",)
_FACTS: Final = "cluster.json"
_LEADERS: Final = "processes.json"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running one: of which team, before which store, where its state is and where it is asked."""

    team: str
    store: str
    home: str
    master: str
    proxy: str
    webs: Mapping[str, str]
    tier: str

    @property
    def address(self) -> Address:
        return Address(self.master, self.proxy, local=True)


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


def up(wanted: Wanted, environ: Mapping[str, str], *, notice: Notice) -> Cluster:
    """Start it, unless it is up already and well.

    Raises: SetupError when Java, jars or memory are missing, or another ``up`` is at it; ServerFailed with the end of a log
    when a part does not start; CacheUnavailable when the store cannot be mounted.
    """
    private_folder(wanted.home)
    with only_one(wanted.home, f"the start of the cache of team {wanted.team}"):
        running = known(wanted.home)
        if running is not None and running.store == wanted.store.root and not ailing(running):
            return running
        down(wanted.home)
        return _started(wanted, environ, notice)


def down(home: Path) -> bool:
    """End it, and remove what it held; whether there was anything to end."""
    running = known(home)
    (home / _FACTS).unlink(missing_ok=True)
    ended = end_leftovers(home / _LEADERS)
    for folder in (_tier(home), Path(running.tier) if running else _tier(home), home / "root", home / "tmp"):
        shutil.rmtree(folder, ignore_errors=True)
    return ended > 0


def known(home: Path) -> Cluster | None:
    """What the last ``up`` wrote down; it may have died since."""
    try:
        return Cluster(**json.loads((home / _FACTS).read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None


def ailing(cluster: Cluster) -> tuple[str, ...]:
    """The parts that do not answer."""
    silent = [name for name, url in cluster.webs.items() if _metrics(url) is None]
    return (*silent, *([] if _mounted(cluster) else ["proxy"]))


def counters(cluster: Cluster, part: str = "master") -> dict[str, int]:
    """Alluxio's own counters, as its parts have told them by now; none when the part does not answer."""
    found = (_metrics(cluster.webs[part]) or {}).get("counters", {})
    return {name: int(entry["count"]) for name, entry in found.items()}


def used(cluster: Cluster) -> tuple[int, int] | None:
    """Bytes held, and bytes there is room for; None when the master does not answer."""
    gauges = (_metrics(cluster.webs["master"]) or {}).get("gauges", {})
    found = [gauges.get(f"Cluster.Capacity{name}", {}).get("value") for name in ("Used", "Total")]
    return None if None in found else (int(found[0]), int(found[1]))


def _metrics(url: str) -> dict[str, Any] | None:
    try:
        with build_opener(ProxyHandler({})).open(f"{url}/metrics/json/", timeout=LOOK_S) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except (URLError, OSError, ValueError):
        return None


def _mounted(cluster: Cluster) -> bool:
    try:
        return MOUNT in Proxy(cluster.proxy, within_s=LOOK_S).mounts()
    except CacheUnavailable:
        return False


def _started(wanted: Wanted, environ: Mapping[str, str], notice: Notice) -> Cluster:
    java = find_java(environ)
    jars = ensure_jars("alluxio-server", notice=notice)
    layout = Layout(wanted.home, _tier_with_room(wanted, notice), free_ports(PORTS), wanted.memory_bytes)
    _write(layout, jars)
    parts: list[Started] = []
    for name in _MAIN:
        parts.append(start(_program(name, layout, java.executable, wanted, environ)))
        remember(wanted.home / _LEADERS, parts)
    cluster = _facts(wanted, layout)
    try:
        await_ready(parts, _unready(cluster), within_s=READY_S)
        _mount_all(Proxy(cluster.proxy, within_s=30), wanted, notice)
    except BaseException:
        down(wanted.home)
        for part in parts:  # ended, and ours to bury
            part.process.wait()
        raise
    write_private(wanted.home / _FACTS, json.dumps(asdict(cluster)))
    _let_go(parts)
    return cluster


def _let_go(parts: Iterable[Started]) -> None:
    """They outlive this process, which found them ready: nobody here waits for them, and Python need not warn of that."""
    for part in parts:
        part.process.returncode = 0


def _facts(wanted: Wanted, layout: Layout) -> Cluster:
    def at(port: str) -> str:
        return f"http://{HOST}:{layout.ports[port]}"

    webs = {name: at(f"{name}-web") for name in ("master", "worker")}
    master = f"{HOST}:{layout.ports['master']}"
    return Cluster(
        team=wanted.team,
        store=wanted.store.root,
        home=str(wanted.home),
        master=master,
        proxy=at("proxy"),
        webs=webs,
        tier=str(layout.tier),
    )


def _unready(cluster: Cluster) -> Callable[[], list[str]]:
    def missing() -> Iterator[str]:
        yield from (name for name, url in cluster.webs.items() if _metrics(url) is None)
        if not (used(cluster) or (0, 0))[1]:
            yield "worker, known to the master"
        try:
            Proxy(cluster.proxy, within_s=LOOK_S).mounts()
        except CacheUnavailable:
            yield "proxy"

    return lambda: list(missing())


def _mount_all(proxy: Proxy, wanted: Wanted, notice: Notice) -> None:
    """The team's own folder of its store, which is all that its role may list, or the whole while that is not there yet; then
    what it was granted. A mount shows at its first listing whether it is one.
    """
    own = wanted.store
    if own.access.scheme == "file" or not _mounts(proxy, MOUNT, own, f"/{wanted.team}"):
        _mount(proxy, MOUNT, own)
        proxy.files(MOUNT, recursive=False)
    for number, (store, path) in enumerate(wanted.granted):
        if (store.access.scheme, store.access.endpoint) != (own.access.scheme, own.access.endpoint):
            continue
        if not _mounts(proxy, f"{GRANTED}{number}", store, path):
            notice(
                f"not before {store.uri(path)}: nothing is there yet, or it may not be listed; it is read from the store"
            )


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


def _write(layout: Layout, jars: tuple[Path, ...]) -> None:
    for folder in layout.folders:
        private_folder(folder)
    write_private(layout.conf / "alluxio-site.properties", site_properties(layout))
    write_private(layout.conf / "log4j2.properties", LOG4J2)
    # In a file: two hundred jars are more than a process list should show.
    path = ":".join(map(str, (layout.conf, *jars)))
    write_private(layout.conf / "classpath", f'-cp "{path}"\n')


def _program(name: str, layout: Layout, java: Path, wanted: Wanted, environ: Mapping[str, str]) -> Program:
    main, *options = _MAIN[name]
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
    environment = _environment(wanted.store, environ)
    log = layout.logs / f"{name}.log"
    return Program(f"cache {name}", command, environment, log, layout.home, wanted.dies_with_us)


def _environment(store: Store, environ: Mapping[str, str]) -> dict[str, str]:
    """Of the caller's only what finds the store's credentials, and that only where the store asks for any."""
    kept = {name: environ[name] for name in ("HOME", "TMPDIR") if name in environ}
    if store.access.scheme != "file":
        kept |= {name: value for name, value in environ.items() if name.startswith(_CREDENTIALS)}
        # The identity of a machine is nobody's team.
        kept["AWS_EC2_METADATA_DISABLED"] = "true"
    return {"PATH": environ.get("PATH", os.defpath), **kept}


def _tier(home: Path) -> Path:
    """A folder in memory of this state directory's own."""
    return _SHARED_MEMORY / f"teamspark-{os.getuid()}-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]}"


def _tier_with_room(wanted: Wanted, notice: Notice) -> Path:
    """In memory, where there is room for all of it; else on the state directory's disk."""
    try:
        if shutil.disk_usage(_SHARED_MEMORY).free >= wanted.memory_bytes:
            return _tier(wanted.home)
    except OSError:
        pass
    notice(f"{_SHARED_MEMORY} has no room for {wanted.memory_bytes:,} bytes: the cache is in files of {wanted.home}")
    return wanted.home / "tier"
