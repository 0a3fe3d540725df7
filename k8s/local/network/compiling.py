"""Policies, pods and namespaces as one script for nft, which puts our table in place of the last one in one transaction.

A pod's address leads by a map to what holds for it: ``return`` where no policy chooses it, else a chain of what is open that ends
in ``drop``. Pods of which the same holds share a chain; chains and sets are called by what is in them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from k8s.local.network.facts import Node, Pod, known_pods, labels_of
from k8s.local.network.ranges import EVERYBODY, Ranges, dotted
from k8s.local.network.reaching import Opening, Reach, reaches
from k8s.local.network.selecting import Ports, World
from k8s.render.objects import Obj

__all__ = ["TABLE", "Node", "Pod", "compiled"]

TABLE: Final = "inet teamspark"
_HEAD: Final = f"add table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n"

_HOOKS: Final = """\
  chain sources {{
    type filter hook prerouting priority raw; policy accept;
    iif "lo" accept
    meta nfproto ipv4 fib saddr . iif oif missing drop
  }}
  chain from_pod {{
    ip saddr . ip daddr @itself return
    ip saddr vmap @from_pods
    drop
  }}
  chain to_pod {{
    ip saddr . ip daddr @itself return
    ip daddr vmap @to_pods
    drop
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    meta nfproto ipv6 drop
    ip saddr {pods} jump from_pod
    ip daddr {pods} jump to_pod
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iif "lo" accept
    ct state established,related accept
    meta nfproto ipv6 drop
    ip saddr {pods} jump from_pod
  }}
"""


@dataclass(slots=True)
class _Parts:
    """Sets and chains so far, by name; names of sets by what is in them."""

    sets: dict[str, str] = field(default_factory=dict)
    chains: dict[str, str] = field(default_factory=dict)
    names: dict[Ranges | Ports, str] = field(default_factory=dict)


def compiled(policies: Iterable[Obj], pods: Iterable[Obj], namespaces: Iterable[Obj], node: Node) -> str:
    """The script, for ``nft -f -``. The same objects in another order give the same text."""
    spaces = {one["metadata"]["name"]: labels_of(one) for one in namespaces}
    world = World(known_pods(pods, node), spaces)
    return "".join(_script(reaches(policies, world), node))


def _script(found: tuple[Reach, ...], node: Node) -> Iterator[str]:
    parts = _Parts()
    addresses = [dotted((one.pod.address,) * 2) for one in found]
    out = [_verdict(one.egress, "out_", "daddr", parts) for one in found]
    into = [_verdict(one.ingress, "in_", "saddr", parts) for one in found]
    yield _HEAD
    yield _set("itself", "ipv4_addr . ipv4_addr", (f"{one} . {one}" for one in addresses))
    yield from (parts.sets[name] for name in sorted(parts.sets))
    yield from (f"  chain {name} {{\n{parts.chains[name]}  }}\n" for name in sorted(parts.chains))
    for name, verdicts in (("from_pods", out), ("to_pods", into)):
        pairs = (f"{one} : {verdict}" for one, verdict in zip(addresses, verdicts, strict=True))
        yield _set(name, "ipv4_addr : verdict", pairs, kind="map")
    yield _HOOKS.format(pods=dotted(node.pods))
    yield "}\n"


def _verdict(openings: tuple[Opening, ...] | None, prefix: str, theirs: str, parts: _Parts) -> str:
    if openings is None:
        return "return"
    body = "".join(f"    {_matches(one, theirs, parts)}return\n" for one in openings) + "    drop\n"
    name = _named(prefix, body)
    parts.chains[name] = body
    return f"goto {name}"


def _matches(one: Opening, theirs: str, parts: _Parts) -> str:
    peers = "" if one.peers == EVERYBODY else f"ip {theirs} @{_peers(one.peers, parts)} "
    return peers if one.ports is None else f"{peers}meta l4proto . th dport @{_ports(one.ports, parts)} "


def _peers(peers: Ranges, parts: _Parts) -> str:
    return parts.names.get(peers) or _new(peers, "ipv4_addr", [dotted(one) for one in peers], parts)


def _ports(ports: Ports, parts: _Parts) -> str:
    elements = [f"{protocol.lower()} . {first}-{last}" for protocol, first, last in ports]
    return parts.names.get(ports) or _new(ports, "inet_proto . inet_service", elements, parts)


def _new(content: Ranges | Ports, type_: str, elements: list[str], parts: _Parts) -> str:
    name = _named("set_", f"{type_}: {','.join(elements)}")
    parts.sets[name] = _set(name, type_, elements, flags="interval")
    parts.names[content] = name
    return name


def _named(prefix: str, content: str) -> str:
    return prefix + blake2b(content.encode(), digest_size=16).hexdigest()


def _set(name: str, type_: str, elements: Iterable[str], *, kind: str = "set", flags: str = "") -> str:
    inside = ", ".join(elements)
    lines = [
        f"type {type_}",
        *([f"flags {flags}"] if flags else []),
        *([f"elements = {{ {inside} }}"] if inside else []),
    ]
    return f"  {kind} {name} {{\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"
