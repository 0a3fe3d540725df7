"""A node and its pods as network namespaces, wired as the CNI plugin ``ptp`` does it. All of it ends with its processes."""

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from k8s.local.network.compiling import TABLE
from tests.k8s.local.network.model import Flow
from tests.k8s.local.network.worlds import NODE, OUTSIDE

AGENT = Path(__file__).parent / "agent.py"
GATEWAY = "10.214.0.1"
LISTENED = (53, 80, 85, 443, 6443, 8080, 8333, 9000, 10250)
FAR = ("10.20.0.7", "10.30.0.5")
SERVICE = "10.96.0.1"
"""Leads to port 6443 of the node, as kube-proxy would make it."""
_DENIED_S = 0.4
_PASSES_S = 8.0


def needed() -> None:
    """Skips, with the reason, where no network namespaces can be made."""
    for name in ("unshare", "nsenter", "ip", "nft"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not on this machine")
    if subprocess.run(["unshare", "--net", "nft", "list", "ruleset"], capture_output=True).returncode:
        pytest.skip("network namespaces with nftables need root, and a kernel that has them")


@dataclass
class End:
    """A process in a namespace of its own."""

    process: subprocess.Popen[str]

    def run(self, *command: str, text: str = "") -> str:
        done = subprocess.run(
            ["nsenter", "-t", str(self.process.pid), "-n", *command], input=text, capture_output=True, text=True
        )
        assert not done.returncode, (command, done.stderr)
        return done.stdout

    def packets(self, table: str, counter: str) -> int:
        told = json.loads(self.run("nft", "-j", "list", "counter", "ip", table, counter))
        return int(told["nftables"][-1]["counter"]["packets"])

    def link_local(self, device: str) -> str:
        told = json.loads(self.run("ip", "-j", "-6", "address", "show", "dev", device))
        return str(told[0]["addr_info"][0]["local"])

    def ask(self, number: int, flow: Flow, seconds: float) -> None:
        self.tell([number, flow.protocol, flow.target, flow.port, seconds])

    def tell(self, line: Sequence[object]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def told(self) -> tuple[int, bool]:
        assert self.process.stdout
        number, found = json.loads(self.process.stdout.readline())
        return number, found


@contextmanager
def end() -> Iterator[End]:
    process = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-I", "-S", str(AGENT)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            found = End(process)
            assert found.told() == (-1, True)  # before that it is in our namespace
            found.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
            found.run("ip", "link", "set", "lo", "up")
            yield found
        finally:
            process.kill()


@dataclass
class Wires:
    """A node with everybody it reaches, by address."""

    node: End
    ends: dict[str, End]

    def load(self, script: str) -> None:
        self.node.run("nft", "-f", "-", text=script)

    def clear(self) -> None:
        self.load(f"add table {TABLE}\ndelete table {TABLE}\n")

    def passes(self, flows: Sequence[Flow], expected: Sequence[bool]) -> list[bool]:
        """What really passes. What is expected to gets time; what is not gets enough for a machine that is not busy."""
        asked: dict[str, list[int]] = defaultdict(list)
        for number, (flow, good) in enumerate(zip(flows, expected, strict=True)):
            self.ends[flow.source].ask(number, flow, _PASSES_S if good else _DENIED_S)
            asked[flow.source].append(number)
        found = dict(self.ends[source].told() for source, numbers in asked.items() for _ in numbers)
        return [found[number] for number in range(len(flows))]


@contextmanager
def wired(addresses: Sequence[str]) -> Iterator[Wires]:
    with ExitStack() as stack:
        node, outside = stack.enter_context(end()), stack.enter_context(end())
        node.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        _wire(node, outside, "up0", NODE, OUTSIDE)
        outside.run("ip", "route", "add", "10.214.0.0/24", "via", NODE)
        for far in FAR:
            outside.run("ip", "address", "add", f"{far}/32", "dev", "lo")
            node.run("ip", "route", "add", far, "via", OUTSIDE)
        ends = {NODE: node, OUTSIDE: outside}
        for number, address in enumerate(addresses):
            ends[address] = stack.enter_context(end())
            _wire(node, ends[address], f"pod{number}", GATEWAY, address)
            ends[address].run("ip", "route", "add", "default", "via", GATEWAY)
        node.run("nft", "-f", "-", text=_service())
        _listen({**{address: [address] for address in ends}, NODE: [NODE, GATEWAY], OUTSIDE: [OUTSIDE, *FAR]}, ends)
        yield Wires(node, ends)


def _listen(addresses: dict[str, list[str]], ends: dict[str, End]) -> None:
    for name, one in ends.items():
        one.tell([addresses[name], LISTENED])
    assert all(one.told() == (-1, True) for one in ends.values())


def _wire(node: End, other: End, name: str, near: str, far: str) -> None:
    node.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(other.process.pid))
    for one, device, mine, theirs in ((node, name, near, far), (other, "eth0", far, near)):
        one.run("ip", "address", "add", f"{mine}/32", "peer", f"{theirs}/32", "dev", device)
        one.run("ip", "link", "set", device, "up")


def _service() -> str:
    return f"""
table ip services {{
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr {SERVICE} tcp dport 443 dnat to {NODE}:6443
  }}
}}
"""
