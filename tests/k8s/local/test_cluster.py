"""``teamspark cluster`` as a person uses it: up, looked at, down; and nothing of it is left outside its folder."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s.local.binaries import ARCHIVE, are_there
from k8s.local.node import cgroups

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not are_there(os.environ) and ARCHIVE not in os.environ, reason="Kubernetes is not here: make kubernetes"
    ),
    pytest.mark.skipif(shutil.which("containerd") is None, reason="containerd is not here: make kubernetes"),
]
NAME = f"c{os.getpid()}"


@pytest.fixture
def workspace() -> Iterator[Path]:
    """On a disk, since containers' file systems are not kept in memory; with a short path, for sockets are below it."""
    with tempfile.TemporaryDirectory(prefix="cli-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        (Path(name) / "k8s/teams").mkdir(parents=True)
        yield Path(name)
        run(Path(name), "cluster", "down", "--name", NAME)


def run(workspace: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).with_name("teamspark")
    command = [str(program), "--workspace", str(workspace), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def outside() -> dict[str, object]:
    """What a node could leave on this machine."""
    mounts = Path("/proc/self/mounts").read_text()
    links = sorted(path.name for path in Path("/sys/class/net").iterdir())
    forward = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    return {
        "mounts": mounts,
        "links": links,
        "forward": forward,
        "routes": routes,
        "groups": cgroups.left(f"teamspark-{NAME}"),
    }


def test_up_looked_at_and_down(workspace: Path) -> None:
    before = outside()

    started = run(workspace, "cluster", "up", "--name", NAME)
    assert started.returncode == 0, started.stderr
    assert "kubeconfig" in started.stdout
    again = run(workspace, "cluster", "up", "--name", NAME)
    looked = run(workspace, "cluster", "status", "--name", NAME)
    file = run(workspace, "cluster", "kubeconfig", "--name", NAME).stdout.strip()
    parts = run(workspace, "cluster", "logs", "--name", NAME)
    log = run(workspace, "cluster", "logs", "kubelet", "-n", "3", "--name", NAME)
    wrong = run(workspace, "cluster", "logs", "kubelot", "--name", NAME)
    ended = run(workspace, "cluster", "down", "--name", NAME)

    assert again.returncode != 0
    assert "is up already" in again.stderr
    assert "kube-system/coredns: Running" in looked.stdout
    assert Path(file).is_file()
    assert {"kubelet", "kube-apiserver", "walls"} <= set(parts.stdout.split())
    assert len(log.stdout.splitlines()) == 3
    assert "no such part" in wrong.stderr
    assert ended.stdout == "it is down\n"
    assert run(workspace, "cluster", "status", "--name", NAME).returncode == 1
    assert outside() == before


def test_what_is_killed_leaves_nothing_that_the_next_start_minds(workspace: Path) -> None:
    from k8s.local.node.layout import Layout
    from k8s.local.node.running import found

    before = outside()
    assert run(workspace, "cluster", "up", "--name", NAME).returncode == 0
    node = found(Layout.of(NAME, workspace / ".teamspark/cluster" / NAME, Path("/")))
    assert node is not None

    os.kill(node.init, signal.SIGKILL)

    assert run(workspace, "cluster", "status", "--name", NAME).returncode == 1
    assert run(workspace, "cluster", "up", "--name", NAME).returncode == 0
    assert run(workspace, "cluster", "down", "--name", NAME).stdout == "it is down\n"
    assert outside() == before


def test_two_clusters_do_not_meet(workspace: Path) -> None:
    assert run(workspace, "cluster", "up", "--name", NAME).returncode == 0
    other = f"{NAME}-b"
    try:
        assert run(workspace, "cluster", "up", "--name", other).returncode == 0
        assert run(workspace, "cluster", "status", "--name", NAME).returncode == 0
    finally:
        run(workspace, "cluster", "down", "--name", other)
    assert "kube-system/coredns: Running" in run(workspace, "cluster", "status", "--name", NAME).stdout
