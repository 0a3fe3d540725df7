"""What runs on a node, and with which arguments. Pure."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from k8s.local import commands
from k8s.local.binaries import PROGRAM
from k8s.local.node.files import CNI_STATE
from k8s.local.node.layout import NODE, Layout

FIRST: Final = ("etcd", "containerd", "kube-apiserver")
"""Those that the others need; the rest would end, or complain, before the API server is ready."""
USERS: Final[Mapping[str, tuple[str, ...]]] = {
    "manager": ("system:kube-controller-manager",),
    "scheduler": ("system:kube-scheduler",),
    "node": (f"system:node:{NODE}", "system:nodes"),
    "proxy": ("system:kube-proxy",),
    # Reads pods, namespaces and network policies of everybody.
    "walls": ("teamspark:walls",),
}


@dataclass(frozen=True, slots=True)
class Command:
    """``program``: a file, or the name of a program on PATH."""

    program: str
    arguments: tuple[str, ...]


def programs(layout: Layout) -> dict[str, Command]:
    """By name, in the order in which they are started."""
    kubernetes = {
        "etcd": commands.etcd(layout.where),
        "kube-apiserver": [*_for_kubelets(layout), *commands.api_server(layout.where)],
        "kube-controller-manager": commands.controller_manager(layout.where),
        "kube-scheduler": commands.scheduler(layout.where),
        "kubelet": _kubelet(layout),
        "kube-proxy": [f"--config={layout.conf / 'kube-proxy.yaml'}", "--v=1"],
    }
    found = {name: _one(layout, name, arguments) for name, arguments in kubernetes.items()}
    found["containerd"] = Command("containerd", ("-c", str(layout.conf / "containerd.toml")))
    found["walls"] = Command(
        sys.executable,
        (
            "-m", "k8s.local.network", "--kubeconfig", str(layout.pki / "walls.kubeconfig"),
            "--pod-cidr", layout.pods, "--address", layout.address, "--given", f"{CNI_STATE}/results",
        ),
    )  # fmt: skip
    return {name: found[name] for name in (*FIRST, *sorted(set(found) - set(FIRST)))}


def _one(layout: Layout, name: str, arguments: list[str]) -> Command:
    """One binary is all of Kubernetes: it is what it is called."""
    return Command(str(layout.binaries / PROGRAM), (name, *arguments))


def _for_kubelets(layout: Layout) -> list[str]:
    pki = layout.pki
    return [
        f"--kubelet-client-certificate={pki / 'asks-kubelet.crt'}", f"--kubelet-client-key={pki / 'asks-kubelet.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}", "--kubelet-preferred-address-types=InternalIP",
    ]  # fmt: skip


def _kubelet(layout: Layout) -> list[str]:
    return [
        f"--config={layout.conf / 'kubelet.yaml'}", f"--kubeconfig={layout.pki / 'node.kubeconfig'}",
        f"--root-dir={layout.home / 'kubelet'}", f"--cert-dir={layout.home / 'kubelet-pki'}",
        f"--hostname-override={NODE}", f"--node-ip={layout.address}", "--v=1",
    ]  # fmt: skip
