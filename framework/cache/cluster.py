"""A small Alluxio of one team on this machine: master, worker and proxy, started, looked at, and ended.

It outlives whoever starts it, and is found again by its state directory, which is its user's alone. Nothing in it is
needed: it starts empty, and what a killed one leaves is removed by the next ``up``.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from framework.cache.looking import Cluster, ailing, unready
from framework.cache.parts import (
    MAIN,
    Wanted,
    environment_of,
    facts_of,
    mount_each,
    mount_own,
    points_of,
    program,
    write_files,
)
from framework.cache.properties import PORTS, Layout
from framework.cache.rest import Proxy
from framework.jars.sync import Notice, ensure_jars
from framework.java import find_java
from framework.servers.ports import free_ports
from framework.servers.private import private_folder, write_private
from framework.servers.processes import Started, await_ready, end_leftovers, only_one, remember, start

READY_S: Final = 120.0
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  memory, not a temporary file: a folder of this user's own in it
_FACTS: Final = "cluster.json"
_LEADERS: Final = "processes.json"


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


def _started(wanted: Wanted, environ: Mapping[str, str], notice: Notice) -> Cluster:
    java = find_java(environ)
    jars = ensure_jars("alluxio-server", notice=notice)
    layout = Layout(wanted.home, _tier_with_room(wanted, notice), free_ports(PORTS), wanted.memory_bytes)
    write_files(layout, jars)
    environment = environment_of(wanted.store, environ)
    parts: list[Started] = []
    for name in MAIN:
        parts.append(start(program(name, layout, java.executable, wanted, environment)))
        remember(wanted.home / _LEADERS, parts)
    cluster = facts_of(wanted, layout)
    try:
        await_ready(parts, unready(cluster), within_s=READY_S)
        _mount_all(Proxy(cluster.proxy, within_s=30), wanted, notice)
    except BaseException:
        down(wanted.home)
        for part in parts:  # ended, and ours to bury
            part.process.wait()
        raise
    write_private(wanted.home / _FACTS, json.dumps(asdict(cluster)))
    _let_go(parts)
    return cluster


def _mount_all(proxy: Proxy, wanted: Wanted, notice: Notice) -> None:
    mount_own(proxy, wanted.store, wanted.team)
    for store, path in mount_each(proxy, points_of(wanted)).values():
        notice(
            f"not before {store.uri(path)}: nothing is there yet, or it may not be listed; it is read from the store"
        )


def _let_go(parts: Iterable[Started]) -> None:
    """They outlive this process, which found them ready: nobody here waits for them, and Python need not warn of that."""
    for part in parts:
        part.process.returncode = 0


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
