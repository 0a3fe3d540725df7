"""Whether a whole run fits: driver and all executors, against what the team's quota leaves. Pure.

A driver that starts without room for its executors holds room that others need, and waits for room that those hold. So free
is the quota less the full size of every driver that has not ended, whether its executors are there yet or not.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from framework.launch.base import Resources, Share
from framework.tenancy.quantities import cpu_text, memory_text, millis, octets
from k8s.launch.naming import DRIVER, EXECUTOR, LAUNCH, NEEDS, ROLE
from k8s.render.objects import Obj

_ENDED: Final = ("Succeeded", "Failed")
_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Needs:
    """Thousandths of a core, bytes, pods."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0

    @classmethod
    def of(cls, resources: Resources) -> "Needs":
        return cls.share(resources.driver) + cls.share(resources.executor, resources.executors)

    @classmethod
    def share(cls, share: Share, count: int = 1) -> "Needs":
        return cls(count * millis(share.cpu), count * octets(share.memory), count)

    def __add__(self, other: "Needs") -> "Needs":
        return Needs(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)

    def __sub__(self, other: "Needs") -> "Needs":
        return Needs(self.cpu - other.cpu, self.memory - other.memory, self.pods - other.pods)

    def within(self, other: "Needs") -> bool:
        return self.cpu <= other.cpu and self.memory <= other.memory and self.pods <= other.pods

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def amounts(self) -> dict[str, str]:
        """As people say them."""
        return {
            "CPU": cpu_text(max(0, self.cpu)),
            "memory": memory_text(max(0, self.memory) // 1024 * 1024) if self.memory >= 1024 else "0",
            "pods": str(max(0, self.pods)),
        }


@dataclass(frozen=True, slots=True)
class Fits:
    """It may be started."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Until others end. ``why``: for the task's log."""

    why: str


@dataclass(frozen=True, slots=True)
class Never:
    """It is more than the whole quota."""

    why: str


Answer = Fits | Waits | Never


def room_for(needs: Needs, quota: Needs, pods: Iterable[Obj], *, own: str | None = None) -> Answer:
    """``pods``: all of the namespace; the driver called ``own`` is the one that asks, and does not count."""
    if short := _short(needs, quota):
        return Never(f"needs {short}; the team's quota has no more")
    holders = dict(_holders(pods, own))
    free = quota
    for held in holders.values():
        free = free - held
    if short := _short(needs, free):
        return Waits(f"needs {short}; held by {_told(holders)}")
    return Fits()


def quota_of(quota: Obj) -> Needs:
    """Of a ResourceQuota: the smaller of what it says of requests and of limits."""
    hard: Mapping[str, str] = quota["spec"]["hard"]
    return Needs(
        min(_millis(hard[f"{kind}.cpu"]) for kind in ("requests", "limits")),
        min(_octets(hard[f"{kind}.memory"]) for kind in ("requests", "limits")),
        int(hard["pods"]),
    )


def _short(needs: Needs, free: Needs) -> str:
    """The amounts that are not there, in words; nothing when all are."""
    words = {"cpu": "CPU", "memory": "memory", "pods": "pods"}
    return ", ".join(
        f"{needs.amounts[word]} {word}, {free.amounts[word]} free"
        for name, word in words.items()
        if getattr(needs, name) > getattr(free, name)
    )


def _holders(pods: Iterable[Obj], own: str | None) -> Iterator[tuple[str, Needs]]:
    """Who holds how much, by name: a driver all that its run may have, everybody else what their pods have."""
    living = [one for one in pods if one.get("status", {}).get("phase") not in _ENDED]
    drivers = {_label(one, LAUNCH): one for one in living if _label(one, ROLE) == DRIVER}
    for name, one in drivers.items():
        if name != own:
            yield name, _declared(one)
    for one in living:
        role, launch = _label(one, ROLE), _label(one, LAUNCH)
        if role != DRIVER and not (role == EXECUTOR and launch in drivers):
            yield one["metadata"]["name"], actual(one)


def _declared(driver: Obj) -> Needs:
    """What it says of itself; never less than what it has, whatever it says."""
    has = actual(driver)
    try:
        said = Needs(**json.loads(driver["metadata"]["annotations"][NEEDS]))
        return said if has.within(said) else has
    except (KeyError, TypeError, ValueError):
        return has


def executors_of(driver: Obj) -> int:
    """How many executors its run may have."""
    return _declared(driver).pods - 1


def actual(pod: Obj) -> Needs:
    """The limits of its containers together."""
    limits = [one.get("resources", {}).get("limits", {}) for one in pod["spec"]["containers"]]
    return Needs(
        sum(_millis(one.get("cpu", "0")) for one in limits), sum(_octets(one.get("memory", "0")) for one in limits), 1
    )


def _label(pod: Obj, name: str) -> str:
    return str((pod["metadata"].get("labels") or {}).get(name, ""))


def _millis(text: Any) -> int:
    return millis(str(text))


def _octets(text: Any) -> int:
    """As the server may write it: also a plain number of bytes."""
    return int(text) if str(text).isdigit() else octets(str(text))


def _told(holders: Mapping[str, Needs]) -> str:
    largest = sorted(holders, key=lambda name: (-holders[name].cpu, name))
    rest = f" and {len(largest) - _TOLD} more" if len(largest) > _TOLD else ""
    return ", ".join(largest[:_TOLD]) + rest
