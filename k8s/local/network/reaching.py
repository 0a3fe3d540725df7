"""What each pod may take and open, by all policies together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from k8s.local.network.facts import Pod
from k8s.local.network.ranges import Range, Ranges, holds, merged
from k8s.local.network.selecting import Ports, World, chosen, merged_ports, named, numbered, peers
from k8s.render.objects import Obj

INGRESS: Final = "Ingress"
EGRESS: Final = "Egress"


@dataclass(frozen=True, slots=True)
class Opening:
    """Connections with whom and to which ports; ``ports`` is None for every protocol."""

    peers: Ranges
    ports: Ports | None


@dataclass(frozen=True, slots=True)
class Reach:
    """All that is open to a pod; None where no policy chooses it: everything is."""

    pod: Pod
    ingress: tuple[Opening, ...] | None
    egress: tuple[Opening, ...] | None


Openings: TypeAlias = Callable[[Pod], Iterable[Opening]]


@dataclass(frozen=True, slots=True)
class _Half:
    """One direction of a policy, for the pods it chooses."""

    space: str
    selector: Obj
    openings: Openings

    def of(self, pod: Pod) -> bool:
        return pod.namespace == self.space and chosen(self.selector, pod.labels)


def reaches(policies: Iterable[Obj], world: World) -> tuple[Reach, ...]:
    """One for each pod of ``world``, in its order."""
    ordered = sorted(policies, key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"]))
    into = [_half(one, _taken(one, world)) for one in ordered if INGRESS in _ways(one)]
    out = [_half(one, _opened(one, world)) for one in ordered if EGRESS in _ways(one)]
    return tuple(Reach(pod, _together(into, pod), _together(out, pod)) for pod in world.pods)


def _ways(policy: Obj) -> Sequence[str]:
    spec = policy["spec"]
    told: Sequence[str] = spec.get("policyTypes") or ()
    return told or (INGRESS, *([EGRESS] if spec.get("egress") else []))


def _half(policy: Obj, openings: Openings) -> _Half:
    return _Half(policy["metadata"]["namespace"], policy["spec"].get("podSelector") or {}, openings)


def _together(halves: Iterable[_Half], pod: Pod) -> tuple[Opening, ...] | None:
    mine = [one for one in halves if one.of(pod)]
    if not mine:
        return None
    return tuple(dict.fromkeys(opening for one in mine for opening in one.openings(pod) if opening.peers))


def _taken(policy: Obj, world: World) -> Openings:
    """A port's name means what it is called on the pod that is chosen."""
    space, rules = policy["metadata"]["namespace"], policy["spec"].get("ingress") or ()
    found = [(peers(rule.get("from") or (), space, world), rule.get("ports") or ()) for rule in rules]

    def openings(pod: Pod) -> Iterator[Opening]:
        for whom, ports in found:
            if not ports:
                yield Opening(whom, None)
            elif mine := merged_ports([*numbered(ports), *named(ports, pod)]):
                yield Opening(whom, mine)

    return openings


def _opened(policy: Obj, world: World) -> Openings:
    """A port's name means what it is called on the pod at the other end: no matter who opens."""
    space, rules = policy["metadata"]["namespace"], policy["spec"].get("egress") or ()
    found = tuple(
        opening
        for rule in rules
        for opening in _towards(peers(rule.get("to") or (), space, world), rule.get("ports") or (), world)
    )
    return lambda _: found


def _towards(whom: Ranges, ports: Sequence[Obj], world: World) -> Iterator[Opening]:
    if not ports:
        yield Opening(whom, None)
    if fixed := merged_ports(numbered(ports)):
        yield Opening(whom, fixed)
    called: dict[Ports, list[Range]] = {}
    for pod in world.pods:
        if (theirs := merged_ports(named(ports, pod))) and holds(whom, pod.address):
            called.setdefault(theirs, []).append((pod.address, pod.address))
    for theirs, addresses in called.items():
        yield Opening(merged(addresses), theirs)
