"""Real packets between network namespaces: what is denied is dropped, and passes when the table is not there."""

from collections.abc import Iterator, Sequence

import pytest

from k8s.local.network.compiling import compiled
from k8s.local.network.facts import Node
from k8s.platform import Platform
from k8s.render.network import policies
from k8s.render.objects import Obj
from tests.k8s.local.network.model import Cluster, Flow, allows
from tests.k8s.local.network.wires import GATEWAY, SERVICE, Wires, needed, wired
from tests.k8s.local.network.worlds import (
    ADDRESSES,
    NODE,
    OUTSIDE,
    PORTS,
    flows,
    generated,
    pod,
    policy,
    space,
)

pytestmark = pytest.mark.timeout(180)

HERE = Node("10.214.0.0/24", NODE)
DRIVER, EXECUTOR, WORKER, OTHER, DNS, PLAIN, UNKNOWN = ADDRESSES
STORE, AIRFLOW = "10.20.0.7", "10.30.0.5"
SAMPLE = range(100, 112)
"""Seeds of generated policies that packets decide on."""
PLATFORM = Platform.parse(
    {
        "api": [{"network": f"{NODE}/32", "port": 6443}],
        "s3": [{"network": "10.20.0.0/24", "port": 8333}],
        "airflow": [{"network": f"{AIRFLOW}/32", "port": 8080}],
        "issuer": "https://kubernetes.default.svc.cluster.local",
    },
    where="platform.yaml",
)
WEB: Obj = {"name": "web", "containerPort": 9000}
PODS = [
    pod("flights", "driver", DRIVER, team="insights"),  # a label that its maker chose
    pod("flights", "executor", EXECUTOR),
    pod("flights-airflow", "worker", WORKER),
    pod("insights", "driver", OTHER),
    pod("kube-system", "dns", DNS),
    pod("plain", "one", PLAIN, ports=(WEB,)),
]
PODS[4]["metadata"]["labels"] = {"k8s-app": "kube-dns"}
SPACES = [
    space(name) for name in ("flights", "flights-airflow", "insights", "insights-airflow", "kube-system", "plain")
]
TEAMS = [one for team in ("flights", "insights") for one in policies(team, PLATFORM)]
CLUSTER = Cluster(TEAMS, PODS, SPACES)

TEAM_FLOWS = {
    Flow(DRIVER, EXECUTOR, "TCP", 9000): True,
    Flow(EXECUTOR, DRIVER, "TCP", 80): True,
    Flow(DRIVER, EXECUTOR, "UDP", 9000): True,
    Flow(DRIVER, DRIVER, "TCP", 9000): True,
    Flow(DRIVER, OTHER, "TCP", 9000): False,
    Flow(OTHER, DRIVER, "TCP", 9000): False,
    Flow(OTHER, EXECUTOR, "UDP", 9000): False,
    Flow(OTHER, WORKER, "TCP", 8080): False,
    Flow(DRIVER, WORKER, "TCP", 8080): False,
    Flow(WORKER, DRIVER, "TCP", 8080): False,
    Flow(DRIVER, DNS, "UDP", 53): True,
    Flow(DRIVER, DNS, "TCP", 53): True,
    Flow(WORKER, DNS, "UDP", 53): True,
    Flow(DRIVER, DNS, "TCP", 80): False,
    Flow(DNS, DRIVER, "TCP", 80): False,
    Flow(DRIVER, PLAIN, "UDP", 53): False,
    Flow(PLAIN, DRIVER, "TCP", 80): False,
    Flow(PLAIN, DNS, "TCP", 80): True,
    Flow(PLAIN, OUTSIDE, "TCP", 443): True,
    Flow(DRIVER, NODE, "TCP", 6443): True,
    Flow(WORKER, NODE, "TCP", 6443): True,
    Flow(DRIVER, NODE, "TCP", 10250): False,
    Flow(WORKER, NODE, "TCP", 10250): False,
    Flow(DRIVER, NODE, "UDP", 6443): False,
    Flow(PLAIN, NODE, "TCP", 10250): True,
    Flow(DRIVER, STORE, "TCP", 8333): True,
    Flow(DRIVER, STORE, "TCP", 80): False,
    Flow(DRIVER, STORE, "UDP", 8333): False,
    Flow(WORKER, STORE, "TCP", 8333): False,
    Flow(WORKER, AIRFLOW, "TCP", 8080): True,
    Flow(WORKER, AIRFLOW, "TCP", 443): False,
    Flow(DRIVER, AIRFLOW, "TCP", 8080): False,
    Flow(DRIVER, OUTSIDE, "TCP", 443): False,
    Flow(OUTSIDE, DRIVER, "TCP", 80): False,
    Flow(OUTSIDE, PLAIN, "TCP", 80): True,
    Flow(UNKNOWN, PLAIN, "TCP", 80): False,
    Flow(PLAIN, UNKNOWN, "TCP", 80): False,
    Flow(UNKNOWN, NODE, "TCP", 6443): False,
    Flow(UNKNOWN, OUTSIDE, "UDP", 53): False,
    Flow(OUTSIDE, UNKNOWN, "TCP", 80): False,
}
NODES_OWN = [Flow(NODE, one, protocol, 8080) for one in (DRIVER, WORKER, UNKNOWN) for protocol in ("TCP", "UDP")]
"""As the kubelet's probes do."""
ELSEWHERE = {Flow(DRIVER, SERVICE, "TCP", 443): True, Flow(DRIVER, GATEWAY, "TCP", 10250): False}
"""By another address of the node: a Service's, and the one that is every pod's gateway."""


@pytest.fixture(scope="module")
def wires() -> Iterator[Wires]:
    needed()
    with wired(ADDRESSES) as found:
        yield found


@pytest.fixture
def teams(wires: Wires) -> Iterator[Wires]:
    wires.load(compiled(TEAMS, PODS, SPACES, HERE))
    yield wires
    wires.clear()


def _same(wires: Wires, asked: Sequence[Flow], expected: Sequence[bool]) -> None:
    found = wires.passes(asked, expected)
    assert [one for one in zip(asked, found, expected, strict=True) if one[1] != one[2]] == []


def test_the_model_says_of_teams_what_is_meant() -> None:
    assert {flow: allows(CLUSTER, flow) for flow in TEAM_FLOWS} == TEAM_FLOWS


def test_teams_reach_what_they_are_to_reach(teams: Wires) -> None:
    _same(teams, list(TEAM_FLOWS), list(TEAM_FLOWS.values()))


def test_other_addresses_of_the_node(teams: Wires) -> None:
    _same(teams, list(ELSEWHERE), list(ELSEWHERE.values()))


def test_the_node_reaches_every_pod(teams: Wires) -> None:
    _same(teams, NODES_OWN, [True] * len(NODES_OWN))


def test_without_the_table_all_of_it_passes(wires: Wires) -> None:
    every = [*TEAM_FLOWS, *ELSEWHERE, *NODES_OWN]
    _same(wires, every, [True] * len(every))


def test_a_service_that_is_permitted_by_its_own_address_is_not_reached(teams: Wires) -> None:
    """Rules see what is behind it."""
    narrow = PLATFORM.model_copy(
        update={"api": (PLATFORM.api[0].model_copy(update={"network": f"{SERVICE}/32", "port": 443}),)}
    )
    teams.load(compiled(policies("flights", narrow), PODS, SPACES, HERE))
    _same(teams, [Flow(DRIVER, SERVICE, "TCP", 443)], [False])


def test_generated_policies_decide_on_packets_as_the_model_does(wires: Wires) -> None:
    asked = flows(("TCP", "UDP"), PORTS)
    try:
        for seed in SAMPLE:
            cluster = generated(seed)
            wires.load(compiled(cluster.policies, cluster.pods, cluster.namespaces, HERE))
            some = asked[seed % 4 :: 4]
            print("seed", seed)
            _same(wires, some, [allows(cluster, flow) for flow in some])
    finally:
        wires.clear()


def test_replies_come_back_to_whom_nobody_may_open(teams: Wires) -> None:
    teams.load(compiled([*TEAMS, policy("plain", "nobody", policyTypes=["Ingress"])], PODS, SPACES, HERE))
    _same(teams, [Flow(PLAIN, DNS, "TCP", 80), Flow(DNS, PLAIN, "TCP", 80)], [True, False])


def test_the_addresses_that_every_interface_has_lead_nowhere(teams: Wires) -> None:
    node = teams.node.link_local(f"pod{ADDRESSES.index(DRIVER)}")
    asked = [Flow(DRIVER, f"{node}%eth0", "TCP", 10250)]
    _same(teams, asked, [False])
    teams.clear()
    _same(teams, asked, [True])


SPOOFED = f"""
add table ip spoof
table ip spoof {{
  chain post {{ type filter hook postrouting priority srcnat; policy accept; ip saddr {OTHER} ip saddr set {DRIVER}; }}
}}
"""
SEEN = """
table ip seen {
  counter spoofed { }
  chain forward { type filter hook forward priority filter - 5; policy accept; ip saddr %s iifname "%s" counter name "spoofed"; }
}
"""


@pytest.mark.parametrize("guarded", [True, False])
def test_a_pod_cannot_take_anothers_address(teams: Wires, guarded: bool) -> None:
    """Its packets end before any rule: the kernel does not do it by itself."""
    script = compiled(TEAMS, PODS, SPACES, HERE)
    teams.load(script if guarded else script.replace("fib saddr . iif oif missing drop", "accept"))
    teams.load(SEEN % (DRIVER, f"pod{ADDRESSES.index(OTHER)}"))
    teams.ends[OTHER].run("nft", "-f", "-", text=SPOOFED)
    try:
        teams.passes([Flow(OTHER, EXECUTOR, "UDP", 9000)], [False])
        assert (teams.node.packets("seen", "spoofed") > 0) is not guarded
    finally:
        teams.ends[OTHER].run("nft", "delete", "table", "ip", "spoof")
        teams.node.run("nft", "delete", "table", "ip", "seen")
