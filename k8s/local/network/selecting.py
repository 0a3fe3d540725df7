"""What a policy's words choose: labels, peers, ports."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from k8s.local.network.facts import TCP, Labels, Pod
from k8s.local.network.ranges import EVERYBODY, Range, Ranges, merged, network, without
from k8s.render.objects import Obj

Ports: TypeAlias = tuple[tuple[str, int, int], ...]
"""Protocol, first and last: merged, sorted."""

_LAST: Final = 65_535


@dataclass(frozen=True, slots=True)
class World:
    """Pods, and the labels of namespaces by name."""

    pods: tuple[Pod, ...]
    spaces: Mapping[str, Labels]


def chosen(selector: Obj, labels: Labels) -> bool:
    """Whether a label selector chooses who has ``labels``; an empty one chooses everybody."""
    exact = selector.get("matchLabels") or {}
    further = selector.get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in exact.items()) and all(_meets(labels, one) for one in further)


def _meets(labels: Labels, wanted: Obj) -> bool:
    value, values = labels.get(wanted["key"]), wanted.get("values") or ()
    match wanted["operator"]:
        case "In":
            return value in values
        case "NotIn":  # who lacks the key meets it
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def peers(told: Sequence[Obj], space: str, world: World) -> Ranges:
    """Addresses of a rule's ``from`` or ``to`` in a policy of ``space``; without any it is everybody."""
    return merged(one for peer in told for one in _peer(peer, space, world)) if told else EVERYBODY


def _peer(peer: Obj, space: str, world: World) -> Iterator[Range]:
    if peer.get("ipBlock") is not None:
        yield from _block(peer["ipBlock"])
        return
    pods, spaces = peer.get("podSelector"), peer.get("namespaceSelector")
    if pods is None and spaces is None:
        return
    near = {space} if spaces is None else {name for name, labels in world.spaces.items() if chosen(spaces, labels)}
    for pod in world.pods:
        if pod.namespace in near and chosen(pods or {}, pod.labels):
            yield pod.address, pod.address


def _block(block: Obj) -> Iterator[Range]:
    """Nobody, when the block or an exception to it cannot be read. An IPv6 exception takes nothing from an IPv4 block."""
    whole = network(block["cidr"])
    taken = [network(one) for one in block.get("except") or () if ":" not in one]
    if whole is None or None in taken:
        return
    yield from without(whole, merged(one for one in taken if one))


def numbered(told: Iterable[Obj]) -> Iterator[tuple[str, int, int]]:
    """Ports that a rule gives by number, and whole protocols."""
    for one in told:
        protocol, port = one.get("protocol") or TCP, one.get("port")
        if port is None:
            yield protocol, 0, _LAST
        elif isinstance(port, int):
            yield protocol, port, one.get("endPort") or port


def named(told: Iterable[Obj], pod: Pod) -> Iterator[tuple[str, int, int]]:
    """What the names that a rule gives mean on a pod."""
    wanted = {(one["port"], one.get("protocol") or TCP) for one in told if isinstance(one.get("port"), str)}
    for name, protocol, number in pod.ports:
        if (name, protocol) in wanted:
            yield protocol, number, number


def merged_ports(ports: Iterable[tuple[str, int, int]]) -> Ports:
    found: dict[str, list[Range]] = {}
    for protocol, first, last in ports:
        found.setdefault(protocol, []).append((first, last))
    return tuple((protocol, *one) for protocol in sorted(found) for one in merged(found[protocol]))
