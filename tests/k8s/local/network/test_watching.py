"""Against a real API server: what becomes of a kind, and the program that turns it into rules of a network namespace."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from framework.errors import ClusterUnavailable, PolicyError, ServerFailed, SetupError
from framework.servers.ports import free_ports
from k8s.client import Cluster, Place, kubeconfig
from k8s.local.network.facts import Node
from k8s.local.network.watching import KINDS, Changed, Known, Listed, enforce, folded
from tests.k8s.local.network.test_early import told as network_told
from tests.k8s.local.network.wires import needed
from tests.k8s.local.network.worlds import NODE, policy, space
from tests.servers.kubernetes import Kubernetes
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).resolve().parents[4]
DOOR = Path(__file__).parent / "door.py"
CIDR, ADDRESS = "10.214.0.0/24", "10.214.0.77"
SOON_S = 20.0
SPACE = "default"


def config(name: str, value: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": SPACE},
        "data": {"value": value},
    }


def version(admin: Cluster) -> str:
    return str(json.loads(admin.ask("GET", f"/api/v1/namespaces/{SPACE}/configmaps"))["metadata"]["resourceVersion"])


def test_a_watch_tells_what_becomes_of_each(kubernetes: Kubernetes) -> None:
    admin = kubernetes.admin
    since = version(admin)
    admin.apply(config("watched", "one"))
    admin.apply(config("watched", "two"))
    admin.delete(Place("v1", "ConfigMap", SPACE, "watched"))
    found = []
    for event, one in admin.watch("v1", "ConfigMap", namespace=SPACE, since=since, lives_s=30):
        if one["metadata"]["name"] == "watched":
            found.append((event, one["data"]["value"]))
        if event == "DELETED":
            break
    assert found == [("ADDED", "one"), ("MODIFIED", "two"), ("DELETED", "two")]


def test_a_watch_without_a_beginning_tells_all_there_are_and_ends_by_itself(kubernetes: Kubernetes) -> None:
    began = time.monotonic()
    found = list(kubernetes.admin.watch("v1", "Namespace", lives_s=1))
    assert 0.5 < time.monotonic() - began < 10
    assert ("ADDED", SPACE) in [(event, one["metadata"]["name"]) for event, one in found]


GONE = {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired", "message": "too old resource version"}


@contextmanager
def forgetful(admin: Cluster, status: int, body: Any) -> Iterator[Cluster]:
    """The cluster through a server that answers every watch so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            watched = "watch=" in self.path
            told = json.dumps(body) + "\n" if watched else admin.ask("GET", self.path)
            self.send_response(status if watched else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told.encode())))
            self.end_headers()
            self.wfile.write(told.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield Cluster.with_config(kubeconfig({"server": f"http://127.0.0.1:{server.server_port}"}, {}, SPACE))
        finally:
            server.shutdown()


@pytest.mark.parametrize(("status", "body"), [(410, GONE), (200, {"type": "ERROR", "object": GONE})])
def test_a_watch_from_what_the_server_forgot_ends(kubernetes: Kubernetes, status: int, body: Any) -> None:
    with forgetful(kubernetes.admin, status, body) as cluster:
        assert list(cluster.watch("v1", "Namespace", since="1", lives_s=30)) == []


def test_who_may_not_watch(kubernetes: Kubernetes) -> None:
    with pytest.raises(PolicyError):
        list(kubernetes.as_account("flights", "executor").watch("v1", "Namespace", lives_s=1))
    with pytest.raises(SetupError):
        list(kubernetes.admin.watch("v1", "NoSuchKind", lives_s=1))


def test_a_list_takes_the_place_of_what_was_known_and_changes_come_on_top() -> None:
    red, green, blue = space("red"), space("green"), space("blue")
    known = folded(Known(dict.fromkeys(KINDS)), [Listed("Namespace", (red, green))])
    assert not known.complete
    known = folded(known, [Changed("Namespace", "DELETED", red), Changed("Namespace", "ADDED", blue)])
    assert known.of("Namespace") == (green, blue)
    known = folded(known, [Listed("Namespace", (red,)), Listed("Pod", ()), Listed("NetworkPolicy", (policy("red"),))])
    assert known.complete
    assert known.of("Namespace") == (red,)


def test_without_nft_or_its_rights_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SetupError):
        enforce(tmp_path / "kubeconfig", Node(CIDR, NODE), tmp_path / "nft")
    with pytest.raises(ServerFailed):
        enforce(tmp_path / "kubeconfig", Node(CIDR, NODE), Path("/bin/false"))


@dataclass
class Program:
    """The program, whose nft works in a namespace of its own; the API server is behind a door."""

    process: subprocess.Popen[bytes]
    space: int
    door: tuple[int, int]

    def table(self) -> str:
        done = subprocess.run(
            ["nsenter", "-t", str(self.space), "-n", "nft", "list", "table", "inet", "teamspark"],
            capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    @contextmanager
    def opened(self) -> Iterator[None]:
        with subprocess.Popen([sys.executable, "-I", str(DOOR), *map(str, self.door)], stdout=subprocess.PIPE) as door:
            try:
                assert door.stdout and door.stdout.readline() == b"open\n"
                yield
            finally:
                door.kill()


@pytest.fixture
def program(kubernetes: Kubernetes, tmp_path: Path) -> Iterator[Program]:
    needed()
    port = free_ports(("door",))["door"]
    told = yaml.safe_load(kubernetes.plane.kubeconfig.read_text())
    told["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(told))
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE) as alone:
        assert alone.stdout and alone.stdout.readline()
        nft = tmp_path / "nft"
        nft.write_text(f'#!/bin/sh\nexec nsenter -t {alone.pid} -n nft "$@"\n')
        nft.chmod(0o755)
        command = [sys.executable, "-m", "k8s.local.network", "--kubeconfig", str(tmp_path / "kubeconfig")]
        command += ["--pod-cidr", CIDR, "--address", NODE, "--nft", str(nft), "--given", str(tmp_path / "given")]
        with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, cwd=ROOT, stderr=log) as process:
            try:
                yield Program(process, alone.pid, (port, urlsplit(kubernetes.plane.endpoint).port or 0))
            finally:
                process.kill()
                alone.kill()


@pytest.fixture
def running_pod(kubernetes: Kubernetes) -> Iterator[dict[str, Any]]:
    """A pod that nobody runs, with the address that a kubelet would have told."""
    one = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "addressed", "namespace": SPACE},
        "spec": {"containers": [{"name": "main", "image": "registry.example.org/x:1"}]},
    }
    until(lambda: kubernetes.admin.get(Place("v1", "ServiceAccount", SPACE, "default")) is not None)
    kubernetes.admin.create(one)
    yield {"status": {"podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}}
    kubernetes.admin.delete(Place("v1", "Pod", SPACE, "addressed"))
    kubernetes.admin.delete(Place("networking.k8s.io/v1", "NetworkPolicy", SPACE, "closed"))


def test_the_program_follows_the_cluster(
    kubernetes: Kubernetes, program: Program, running_pod: dict[str, Any], tmp_path: Path
) -> None:
    """Closed while nothing is known; a pod is open once the network or the API server tells of its address, then chosen by a policy;
    the rules outlive API server and program.
    """
    admin = kubernetes.admin
    pods = admin._kind("v1", "Pod").subresources["status"]
    denied = {
        **policy(SPACE, "closed", policyTypes=["Ingress"]),
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
    }
    until(lambda: "jump from_pod" in program.table())
    assert ADDRESS not in program.table()
    with program.opened():
        until(lambda: "applied" in (tmp_path / "log").read_text())
        uid = (admin.get(Place("v1", "Pod", SPACE, "addressed")) or {})["metadata"]["uid"]
        given = tmp_path / "given"
        given.mkdir()
        (given / "pods-1-eth0").write_text(json.dumps(network_told(uid, ADDRESS)))
        until(lambda: program.table().count(f"{ADDRESS} : return") == 2)
        (given / "pods-1-eth0").unlink()
        until(lambda: ADDRESS not in program.table())
        pods.patch(body=running_pod, name="addressed", namespace=SPACE, content_type="application/merge-patch+json")
        until(lambda: program.table().count(f"{ADDRESS} : return") == 2)
        admin.apply(denied)
        until(lambda: f"{ADDRESS} : goto in_" in program.table())
    admin.delete(Place("networking.k8s.io/v1", "NetworkPolicy", SPACE, "closed"))
    time.sleep(1.5)
    assert f"{ADDRESS} : goto in_" in program.table()
    with program.opened():
        until(lambda: program.table().count(f"{ADDRESS} : return") == 2)
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(SOON_S) == -signal.SIGTERM
    assert program.table().count(f"{ADDRESS} : return") == 2


def test_a_server_that_is_not_there(kubernetes: Kubernetes) -> None:
    told = yaml.safe_load(kubernetes.plane.kubeconfig.read_text())
    told["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_ports(('nobody',))['nobody']}"
    with pytest.raises(ClusterUnavailable):
        list(Cluster.with_config(told).watch("v1", "Pod", lives_s=1))
