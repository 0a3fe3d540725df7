"""NetworkPolicy in the words of its documentation, one sentence after the other: slow, and by nobody's code but its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

Obj = dict[str, Any]


class Flow(NamedTuple):
    """Somebody opens a connection."""

    source: str
    target: str
    protocol: str
    port: int


@dataclass(frozen=True)
class Cluster:
    """All objects of one, and the addresses of its pods."""

    policies: Sequence[Obj]
    pods: Sequence[Obj]
    namespaces: Sequence[Obj]
    cidr: str = "10.214.0.0/24"

    def pod_at(self, address: str) -> Obj | None:
        return next((pod for pod in self.pods if pod["status"]["podIP"] == address), None)


def allows(cluster: Cluster, flow: Flow) -> bool:
    """For a connection to be allowed, both the egress policies of its source and the ingress policies of its target allow it."""
    if flow.source == flow.target:  # "a Pod cannot block access to itself"
        return True
    for address in (flow.source, flow.target):  # ours: who is unknown is closed
        if ip_address(address) in ip_network(cluster.cidr) and cluster.pod_at(address) is None:
            return False
    return _way_allows(cluster, flow, "Egress") and _way_allows(cluster, flow, "Ingress")


def _way_allows(cluster: Cluster, flow: Flow, way: str) -> bool:
    """Not isolated is open; isolated is what the union of the policies' rules allows."""
    subject = cluster.pod_at(flow.source if way == "Egress" else flow.target)
    if subject is None:
        return True
    isolating = [policy for policy in cluster.policies if _isolates(policy, subject, way)]
    if not isolating:
        return True
    return any(
        _peer_matches(cluster, policy, rule, flow, way) and _port_matches(cluster, rule, flow)
        for policy in isolating
        for rule in policy["spec"].get(way.lower(), [])
    )


def _isolates(policy: Obj, pod: Obj, way: str) -> bool:
    spec = policy["spec"]
    default = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    return (
        policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
        and way in spec.get("policyTypes", default)
        and _selects(spec["podSelector"], pod["metadata"].get("labels", {}))
    )


def _selects(selector: Obj, labels: dict[str, str]) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if key not in labels or labels[key] != value:
            return False
    for one in selector.get("matchExpressions", []):
        there = one["key"] in labels
        met = {
            "In": there and labels.get(one["key"]) in one.get("values", []),
            "NotIn": not there or labels[one["key"]] not in one.get("values", []),
            "Exists": there,
            "DoesNotExist": not there,
        }[one["operator"]]
        if not met:
            return False
    return True


def _peer_matches(cluster: Cluster, policy: Obj, rule: Obj, flow: Flow, way: str) -> bool:
    told = rule.get("to" if way == "Egress" else "from", [])
    other = flow.target if way == "Egress" else flow.source
    return not told or any(_is_peer(cluster, policy, one, other) for one in told)


def _is_peer(cluster: Cluster, policy: Obj, peer: Obj, address: str) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return ip_address(address) in ip_network(block["cidr"]) and not any(
            ip_address(address) in ip_network(one) for one in block.get("except", [])
        )
    pod = cluster.pod_at(address)
    if pod is None:
        return False
    if "namespaceSelector" not in peer:
        if pod["metadata"]["namespace"] != policy["metadata"]["namespace"]:
            return False
    else:
        name = pod["metadata"]["namespace"]
        space = next((one for one in cluster.namespaces if one["metadata"]["name"] == name), None)
        if space is None or not _selects(peer["namespaceSelector"], space["metadata"].get("labels", {})):
            return False
    return "podSelector" not in peer or _selects(peer["podSelector"], pod["metadata"].get("labels", {}))


def _port_matches(cluster: Cluster, rule: Obj, flow: Flow) -> bool:
    return not rule.get("ports") or any(_is_port(cluster, one, flow) for one in rule["ports"])


def _is_port(cluster: Cluster, told: Obj, flow: Flow) -> bool:
    if told.get("protocol", "TCP") != flow.protocol:
        return False
    port = told.get("port")
    if port is None:
        return True
    if isinstance(port, int):
        return bool(port <= flow.port <= told.get("endPort", port))
    target = cluster.pod_at(flow.target)
    return target is not None and any(
        (one.get("name"), one.get("protocol", "TCP"), one["containerPort"]) == (port, flow.protocol, flow.port)
        for container in target["spec"]["containers"]
        for one in container.get("ports", [])
    )
