"""Generated policies: what is compiled is what the documentation says, and nft takes it."""

import subprocess
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.errors import ConfigError
from k8s.local.network.compiling import compiled
from k8s.local.network.facts import Node, known_pods, labels_of
from k8s.local.network.ranges import EVERYBODY, dotted, holds, merged, network, number, without
from k8s.local.network.reaching import Opening, Reach, reaches
from k8s.local.network.selecting import World, peers
from tests.k8s.local.network.model import Cluster, Flow, allows
from tests.k8s.local.network.wires import needed
from tests.k8s.local.network.worlds import NODE, flows, generated, pod, policy, space

HERE = Node("10.214.0.0/24", NODE)
FLOWS = flows()
SEEDS = st.integers(0, 2**32)


def decided(cluster: Cluster, asked: list[Flow]) -> list[bool]:
    """What the values behind the script say."""
    spaces = {one["metadata"]["name"]: labels_of(one) for one in cluster.namespaces}
    found = reaches(cluster.policies, World(known_pods(cluster.pods, HERE), spaces))
    known = {one.pod.address: one for one in found}
    return [_decided(known, flow) for flow in asked]


def _decided(known: dict[int, Reach], flow: Flow) -> bool:
    source, target = (number(one) for one in (flow.source, flow.target))
    assert source and target
    out, into = known.get(source), known.get(target)
    first, last = HERE.pods
    if any(first <= one <= last and one not in known for one in (source, target)):
        return False
    return (out is None or _open(out.egress, target, flow)) and (into is None or _open(into.ingress, source, flow))


def _open(openings: tuple[Opening, ...] | None, other: int, flow: Flow) -> bool:
    return openings is None or any(
        holds(one.peers, other)
        and (one.ports is None or any(p == flow.protocol and a <= flow.port <= b for p, a, b in one.ports))
        for one in openings
    )


@settings(max_examples=200, deadline=None)
@given(seed=SEEDS)
def test_compiled_is_what_the_documentation_says(seed: int) -> None:
    cluster = generated(seed)
    wrong = [flow for flow, found in zip(FLOWS, decided(cluster, FLOWS), strict=True) if found != allows(cluster, flow)]
    assert not wrong


def test_the_generated_policies_decide_both_ways() -> None:
    """Without it the comparison above could be one of nothing."""
    found = [allows(generated(seed), flow) for seed in range(40) for flow in FLOWS[::7]]
    assert 0.1 < sum(found) / len(found) < 0.9


def test_nft_takes_every_script() -> None:
    needed()
    scripts = [compiled(one.policies, one.pods, one.namespaces, HERE) for one in map(generated, range(200))]
    done = subprocess.run(
        ["unshare", "--net", "nft", "-c", "-f", "-"], input="".join(scripts), capture_output=True, text=True
    )
    assert not done.returncode, done.stderr[:2000]


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_order_does_not_matter(seed: int) -> None:
    one, rng = generated(seed), Random(seed)
    policies, pods, spaces = (rng.sample(part, len(part)) for part in (one.policies, one.pods, one.namespaces))
    assert compiled(policies, pods, spaces, HERE) == compiled(one.policies, one.pods, one.namespaces, HERE)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=8), st.integers(0, 60), st.integers(0, 20))
def test_ranges_are_sets(told: list[tuple[int, int]], first: int, length: int) -> None:
    ranges = [(start, start + size) for start, size in told]
    inside = {one for start, last in ranges for one in range(start, last + 1)}
    found = merged(ranges)
    assert {one for one in range(90) if holds(found, one)} == inside
    whole = set(range(first, first + length + 1))
    left = {one for start, last in without((first, first + length), found) for one in range(start, last + 1)}
    assert left == whole - inside


FINISHED = {"status": {"phase": "Succeeded", "podIP": "10.214.0.2"}}
ON_THE_NODE = {"spec": {"hostNetwork": True}, "status": {"podIP": "10.214.0.2"}}


@pytest.mark.parametrize(
    "changes",
    [
        FINISHED,
        {"status": {"phase": "Failed", "podIP": "10.214.0.2"}},
        ON_THE_NODE,
        {"status": {"podIP": NODE}},
        {"status": {"phase": "Pending"}},
        {"status": {"podIP": "10.215.0.2"}},
        {"status": {"podIP": "fd00::2"}},
        {"status": {}},
    ],
)
def test_who_is_no_pod_with_an_address(changes: dict[str, object]) -> None:
    assert not known_pods([{**pod("red", "one", "10.214.0.2"), **changes}], HERE)


def test_the_younger_of_two_has_the_address() -> None:
    old, new = pod("red", "old", "10.214.0.2"), pod("red", "new", "10.214.0.2")
    new["metadata"]["creationTimestamp"] = "2026-11-26T00:00:01Z"
    assert [one.name for one in known_pods([new, old], HERE)] == ["new"]
    new["metadata"]["deletionTimestamp"] = "2026-11-26T00:00:02Z"
    assert [one.name for one in known_pods([new, old], HERE)] == ["old"]


def test_the_ports_of_a_sidecar_have_names_those_of_other_init_containers_do_not() -> None:
    one = pod("red", "one", "10.214.0.2")
    ports = [{"name": "web", "containerPort": 80}]
    one["spec"]["initContainers"] = [
        {"restartPolicy": "Always", "ports": ports},
        {"ports": [{"name": "x", "containerPort": 1}]},
    ]
    assert known_pods([one], HERE)[0].ports == (("web", "TCP", 80),)


@pytest.mark.parametrize(
    "block",
    [
        {"cidr": "2001:db8::/32"},
        {"cidr": "ten.0.0.0/8"},
        {"cidr": "0.0.0.0/0", "except": ["ten.0.0.0/8"]},
        {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]},
    ],
)
def test_a_block_that_permits_nobody(block: dict[str, object]) -> None:
    assert peers([{"ipBlock": block}], "red", World((), {})) == ()


def test_blocks_may_have_bits_of_a_host_and_ends_of_all_addresses() -> None:
    assert network("10.0.0.7/24") == network("10.0.0.0/24")
    assert peers([{"ipBlock": {"cidr": "0.0.0.0/0"}}], "red", World((), {})) == EVERYBODY
    assert dotted((0, 2**32 - 1)) == "0.0.0.0-255.255.255.255"


def test_a_namespace_that_is_not_known_yet_is_nobodys_peer() -> None:
    """``NotIn`` would choose it for labels that it may have."""
    selector = {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["red"]}]}
    pods = known_pods([pod("red", "one", "10.214.0.2")], HERE)
    assert peers([{"namespaceSelector": selector}], "blue", World(pods, {})) == ()
    assert peers([{"namespaceSelector": selector}], "blue", World(pods, {"red": {}})) != ()


@pytest.mark.parametrize(("cidr", "address"), [("10.214.0.0/33", NODE), ("fd00::/64", NODE), ("10.214.0.0/24", "node")])
def test_a_node_that_is_none(cidr: str, address: str) -> None:
    with pytest.raises(ConfigError):
        Node(cidr, address)


def test_pods_of_which_the_same_holds_share_a_chain() -> None:
    pods = [pod("red", f"p{last}", f"10.214.0.{last}") for last in range(2, 200)]
    text = compiled([policy("red", ingress=[{"from": [{"podSelector": {}}]}])], pods, [space("red")], HERE)
    assert text.count("chain in_") == 1
    assert text.count("goto in_") == 198
