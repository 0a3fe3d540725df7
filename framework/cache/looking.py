"""What an Alluxio says of itself: whether its parts answer, what they hold, what they count."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from framework.cache.alluxio import Address
from framework.cache.base import LOOK_S
from framework.cache.properties import MOUNT
from framework.cache.rest import Proxy
from framework.errors import CacheUnavailable


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


def ailing(cluster: Cluster) -> tuple[str, ...]:
    """The parts that do not answer."""
    silent = [name for name, url in cluster.webs.items() if _metrics(url) is None]
    return (*silent, *([] if _is_mounted(cluster) else ["proxy"]))


def counters(cluster: Cluster, part: str = "master") -> dict[str, int]:
    """Alluxio's own counters, as its parts have told them by now; none when the part does not answer."""
    found = (_metrics(cluster.webs[part]) or {}).get("counters", {})
    return {name: int(entry["count"]) for name, entry in found.items()}


def used(cluster: Cluster) -> tuple[int, int] | None:
    """Bytes held, and bytes there is room for; None when the master does not answer."""
    gauges = (_metrics(cluster.webs["master"]) or {}).get("gauges", {})
    found = [gauges.get(f"Cluster.Capacity{name}", {}).get("value") for name in ("Used", "Total")]
    return None if None in found else (int(found[0]), int(found[1]))


def unready(cluster: Cluster) -> Callable[[], list[str]]:
    """Who of it is not ready yet, asked each time."""

    def missing() -> Iterator[str]:
        yield from (name for name, url in cluster.webs.items() if _metrics(url) is None)
        if not (used(cluster) or (0, 0))[1]:
            yield "worker, known to the master"
        try:
            Proxy(cluster.proxy, within_s=LOOK_S).mounts()
        except CacheUnavailable:
            yield "proxy"

    return lambda: list(missing())


def _metrics(url: str) -> dict[str, Any] | None:
    try:
        with build_opener(ProxyHandler({})).open(f"{url}/metrics/json/", timeout=LOOK_S) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except (URLError, OSError, ValueError):
        return None


def _is_mounted(cluster: Cluster) -> bool:
    try:
        return MOUNT in Proxy(cluster.proxy, within_s=LOOK_S).mounts()
    except CacheUnavailable:
        return False
