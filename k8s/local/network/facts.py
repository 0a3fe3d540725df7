"""What matters of a node, its pods and the namespaces, out of objects as the API server tells them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from framework.errors import ConfigError
from k8s.local.network.ranges import Range, network, number
from k8s.render.objects import Obj

Labels: TypeAlias = Mapping[str, str]

TCP: Final = "TCP"
_FINISHED: Final = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Node:
    """``pod_cidr``: the addresses of its pods. ``address``: its own, which pods on its network have too.

    Raises: ConfigError when these are no IPv4 network and no IPv4 address.
    """

    pod_cidr: str
    address: str

    def __post_init__(self) -> None:
        if network(self.pod_cidr) is None:
            raise ConfigError("not an IPv4 network", got=self.pod_cidr, expected="such as 10.214.0.0/24")
        if number(self.address) is None:
            raise ConfigError("not an IPv4 address", got=self.address, expected="such as 10.213.0.2")

    @property
    def pods(self) -> Range:
        found = network(self.pod_cidr)
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Pod:
    """One that has an address of its own. ``ports``: name, protocol and number of those that have a name."""

    namespace: str
    name: str
    labels: Labels
    address: int
    ports: tuple[tuple[str, str, int], ...] = ()


def labels_of(one: Obj) -> Labels:
    return one["metadata"].get("labels") or {}


def known_pods(objects: Iterable[Obj], node: Node) -> tuple[Pod, ...]:
    """Pods that run or begin to, by address. Not: finished ones, and those on the node's network.

    Of two with one address the younger has it, whose sandbox got it when the other's was gone.
    """
    found = {pod.address: pod for one in sorted(objects, key=_age) for pod in _known(one, node)}
    return tuple(found[address] for address in sorted(found))


def _age(one: Obj) -> tuple[Any, ...]:
    told = one["metadata"]
    return (not told.get("deletionTimestamp"), told.get("creationTimestamp") or "", told["namespace"], told["name"])


def _known(one: Obj, node: Node) -> Iterator[Pod]:
    spec, status = one.get("spec") or {}, one.get("status") or {}
    if spec.get("hostNetwork") or status.get("phase") in _FINISHED:
        return
    told = one["metadata"]
    ports = tuple(_ports(spec))
    for address in _addresses(status, node):
        yield Pod(told["namespace"], told["name"], labels_of(one), address, ports)


def _addresses(status: Obj, node: Node) -> set[int]:
    first, last = node.pods
    told = [status.get("podIP"), *(one.get("ip") for one in status.get("podIPs") or ())]
    numbers = {number(one) for one in told if one and one != node.address}
    return {one for one in numbers if one is not None and first <= one <= last}


def _ports(spec: Obj) -> Iterator[tuple[str, str, int]]:
    """Init containers that go on beside the others are sidecars."""
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name"):
                yield port["name"], port.get("protocol") or TCP, port["containerPort"]
