"""What is made for a node before and while it starts: files, keys, its first process, its cable."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from ssl import create_default_context
from typing import Any, Final

from framework.errors import SetupError, clip
from framework.servers import processes
from k8s.client import Cluster, Place
from k8s.local.asking import answers
from k8s.local.certificates import Authority
from k8s.local.keys import ADMIN, write_keys, write_pair
from k8s.local.node import names
from k8s.local.node.files import files
from k8s.local.node.layout import NODE, Layout
from k8s.local.node.programs import USERS

READY_S: Final = 120.0
_NEEDED: Final = ("unshare", "nsenter", "ip", "nft", "containerd", "ctr", "runc", "conntrack")
_PACKAGES: Final = "containerd runc containernetworking-plugins nftables iptables conntrack iproute2 util-linux"
_EMPTIED: Final = (
    "etcd", "kubelet", "cni", "pod-logs", "conf", "pki", "log", "run", "containerd/io.containerd.grpc.v1.cri",
)  # fmt: skip
"""What a node begins without: one that comes back to an old store shows pods that are not there."""


def require_programs() -> None:
    if os.geteuid() != 0:
        raise SetupError(
            "a local cluster needs root",
            got=f"user {os.geteuid()}",
            next_step="run as root, or use a cluster that is there: --context",
        )
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        raise SetupError(
            "programs are missing for a local cluster",
            got=", ".join(missing),
            expected=", ".join(_NEEDED),
            next_step=f"apt-get install {_PACKAGES}",
        )


def free_slot(wanted: int) -> int:
    """The first from ``wanted`` on whose cable nobody has."""
    devices = {path.name for path in Path("/sys/class/net").iterdir()}
    slots: list[int] = [*range(wanted, 250), *range(wanted)]
    for slot in slots:
        if f"tsk{slot}h" not in devices:
            return slot
    raise SetupError("250 local clusters run on this machine", next_step="teamspark cluster down")


def furnish(layout: Layout) -> None:
    for name in _EMPTIED:
        shutil.rmtree(layout.home / name, ignore_errors=True)
    for folder in (layout.home, layout.logs, layout.run, layout.images, layout.conf / "cni"):
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(layout).items():
        (layout.conf / name).write_text(text)
    (layout.run / "layout.json").write_text(layout.to_json())
    authority = Authority()
    addresses = ["127.0.0.1", layout.address, layout.api_service]
    write_keys(layout.pki, authority, layout.where.endpoint, addresses, {"admin": ADMIN, **USERS})
    write_pair(layout.pki, "kubelet", authority.server(f"system:node:{NODE}", [NODE], [layout.address, "127.0.0.1"]))
    write_pair(layout.pki, "asks-kubelet", authority.client("kube-apiserver-kubelet-client", ["system:masters"]))


def program(layout: Layout, *, dies_with_us: bool) -> processes.Program:
    """Whatever ends it, all that is in its namespaces ends with it."""
    command = [
        "unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "--propagation", "private",
        "--kill-child=KILL", sys.executable, "-m", "k8s.local.node.init", str(layout.run / "layout.json"),
    ]  # fmt: skip
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return processes.Program(
        "the node", command, environment, layout.logs / "node.log", layout.home, dies_with_us=dies_with_us
    )


def connect(layout: Layout, started: processes.Started) -> int:
    """Give the node one end of a cable, and this machine a way to its pods and Services. The node's first process."""
    processes.await_ready([started], partial(_unborn, started.process.pid), within_s=READY_S, poll_s=0.02)
    init = _child(started.process.pid)
    (layout.run / "init.pid").write_text(str(init))
    steps = (
        ["link", "add", layout.device, "type", "veth", "peer", "name", layout.cable, "netns", str(init)],
        ["addr", "add", f"{layout.host}/24", "dev", layout.device],
        ["link", "set", layout.device, "up"],
        ["route", "add", layout.pods, "via", layout.address],
        ["route", "add", layout.services, "via", layout.address],
    )
    for step in steps:
        told = subprocess.run(["ip", *step], capture_output=True, text=True, check=False)
        if told.returncode:
            raise SetupError(
                "the node cannot be connected", where=f"ip {' '.join(step)}", got=clip(told.stderr.strip())
            )
    return init


def _child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else 0


def _unborn(pid: int) -> tuple[str, ...]:
    """Until the first process has a network of its own."""
    child = _child(pid)
    if child and Path(f"/proc/{child}/ns/net").readlink() != Path("/proc/self/ns/net").readlink():
        return ()
    return ("the node's first process",)


def without_api(layout: Layout) -> tuple[str, ...]:
    check = create_default_context(cafile=str(layout.pki / "ca.crt"))
    return () if answers(layout.address, layout.where.api, check) else ("kube-apiserver",)


def not_furnished(cluster: Cluster) -> list[str]:
    """A node that takes pods, and the authority's certificate, which every pod is given."""
    certificate = cluster.get(Place("v1", "ConfigMap", names.SPACE, "kube-root-ca.crt"))
    node = _is_ready(cluster.get(Place("v1", "Node", "", NODE)))
    return [what for what, there in (("Node", node), ("kube-root-ca.crt", certificate)) if not there]


def not_ready(cluster: Cluster) -> list[str]:
    wanted = {"Node": Place("v1", "Node", "", NODE), "names": Place("v1", "Pod", names.SPACE, names.NAME)}
    return [what for what, place in wanted.items() if not _is_ready(cluster.get(place))]


def _is_ready(one: dict[str, Any] | None) -> bool:
    status: dict[str, Any] = (one or {}).get("status", {})
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
