"""Objects as tests write them, and generated ones."""

from random import Random
from typing import Any

from tests.k8s.local.network.model import Cluster, Flow, Obj

NODE = "10.213.0.2"
OUTSIDE = "10.213.0.1"
ADDRESSES = [f"10.214.0.{last}" for last in range(2, 9)]
PORTS = (80, 8080, 9000)
SPACES = ("red", "green", "blue")
_KEYS = ("app", "tier")
_VALUES = ("a", "b")


def space(name: str, **labels: str) -> Obj:
    return {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}}}


def pod(namespace: str, name: str, address: str, *, ports: tuple[Obj, ...] = (), **labels: str) -> Obj:
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": labels,
            "creationTimestamp": "2026-11-26T00:00:00Z",
        },
        "spec": {"containers": [{"name": "main", "ports": list(ports)}]},
        "status": {"phase": "Running", "podIP": address},
    }


def policy(namespace: str, name: str = "one", **spec: Any) -> Obj:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"podSelector": {}, **spec}}


def generated(seed: int) -> Cluster:
    """Some pods, up to five policies, every feature now and then."""
    rng = Random(seed)
    pods = [
        pod(rng.choice(SPACES), f"p{number}", address, ports=_container_ports(rng), **_labels(rng))
        for number, address in enumerate(ADDRESSES[: rng.randint(2, 5)])
    ]
    policies = [policy(rng.choice(SPACES), f"n{number}", **_spec(rng)) for number in range(rng.randint(1, 5))]
    return Cluster(policies, pods, [space(name, **_labels(rng)) for name in SPACES])


def flows(protocols: tuple[str, ...] = ("TCP", "UDP", "SCTP"), ports: tuple[int, ...] = (*PORTS, 85)) -> list[Flow]:
    """From each pod and from outside to each, to the node and to outside; unknown pods among them."""
    ends = [*ADDRESSES[:6], OUTSIDE]
    return [
        Flow(source, target, protocol, port)
        for source in ends
        for target in (*ends, NODE)
        if source != target and {source, target} != {OUTSIDE, NODE}
        for protocol in protocols
        for port in ports
    ]


def _labels(rng: Random) -> dict[str, str]:
    return {key: rng.choice(_VALUES) for key in _KEYS if rng.random() < 0.6}


def _container_ports(rng: Random) -> tuple[Obj, ...]:
    named = ("web", "admin")
    told: list[Obj] = [{"name": name, "containerPort": rng.choice(PORTS)} for name in named if rng.random() < 0.7]
    return tuple({**one, "protocol": "UDP"} if rng.random() < 0.3 else one for one in told)


def _spec(rng: Random) -> Obj:
    spec: Obj = {"podSelector": _selector(rng)}
    if rng.random() < 0.8:
        spec["policyTypes"] = rng.choice([["Ingress"], ["Egress"], ["Ingress", "Egress"]])
    for way, word in (("ingress", "from"), ("egress", "to")):
        if rng.random() < 0.7:
            spec[way] = [_rule(rng, word) for _ in range(rng.randint(0, 2))]
    return spec


def _rule(rng: Random, word: str) -> Obj:
    rule: Obj = {}
    if rng.random() < 0.8:
        rule[word] = [_peer(rng) for _ in range(rng.randint(0, 2))]
    if rng.random() < 0.6:
        rule["ports"] = [_port(rng) for _ in range(rng.randint(0, 3))]
    return rule


def _peer(rng: Random) -> Obj:
    match rng.randrange(4):
        case 0:
            return {"podSelector": _selector(rng)}
        case 1:
            return {"namespaceSelector": _selector(rng)}
        case 2:
            return {"podSelector": _selector(rng), "namespaceSelector": _selector(rng)}
    cidr = rng.choice(["0.0.0.0/0", "10.214.0.0/24", "10.213.0.0/30", "10.214.0.4/31", "2001:db8::/32"])
    block: Obj = {"cidr": cidr}
    if cidr.endswith(("/0", "/24")):
        block["except"] = rng.sample(["10.214.0.2/32", "10.214.0.4/30", "10.214.0.3/32"], rng.randint(0, 3))
    return {"ipBlock": block}


def _selector(rng: Random) -> Obj:
    selector: Obj = {}
    if rng.random() < 0.4:
        selector["matchLabels"] = _labels(rng)
    if rng.random() < 0.4:
        operator = rng.choice(["In", "NotIn", "Exists", "DoesNotExist"])
        one: Obj = {"key": rng.choice(_KEYS), "operator": operator}
        if operator in {"In", "NotIn"}:
            one["values"] = rng.sample(_VALUES, rng.randint(1, 2))
        selector["matchExpressions"] = [one]
    return selector


def _port(rng: Random) -> Obj:
    told: Obj = {"protocol": rng.choice(["TCP", "UDP", "SCTP"])} if rng.random() < 0.6 else {}
    match rng.randrange(4):
        case 0:
            return told
        case 1:
            return {**told, "port": rng.choice(["web", "admin", "nobody"])}
        case 2:
            return {**told, "port": rng.choice(PORTS)}
    return {**told, "port": 80, "endPort": rng.choice([80, 90, 8080])}
