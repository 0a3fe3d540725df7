"""Command lines of Kubernetes' own programs, which are the same for a control plane alone and for a whole node."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
_ADMISSION: Final = "NodeRestriction,PodSecurity,ResourceQuota,LimitRanger,ValidatingAdmissionPolicy"


@dataclass(frozen=True, slots=True)
class Where:
    """Where a control plane is: addresses, ports, the folder of its keys, and the network of its Services."""

    address: str
    api: int
    etcd: int
    peer: int
    manager: int
    services: str
    pki: Path
    data: Path
    loopback: str = "127.0.0.1"

    @property
    def endpoint(self) -> str:
        return f"https://{self.address}:{self.api}"


def etcd(where: Where) -> list[str]:
    """Its state is thrown away at the end: nothing waits for the disk."""
    client, peer = (f"http://{where.loopback}:{port}" for port in (where.etcd, where.peer))
    return [
        "--data-dir", str(where.data), "--unsafe-no-fsync", "--log-level", "warn",
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
    ]  # fmt: skip


def api_server(where: Where) -> list[str]:
    pki = where.pki
    return [
        f"--bind-address={where.address}", f"--advertise-address={where.address}", f"--secure-port={where.api}",
        f"--etcd-servers=http://{where.loopback}:{where.etcd}", f"--service-cluster-ip-range={where.services}",
        f"--tls-cert-file={pki / 'server.crt'}", f"--tls-private-key-file={pki / 'server.key'}",
        f"--client-ca-file={pki / 'ca.crt'}", f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki / 'tokens.crt'}", f"--service-account-signing-key-file={pki / 'tokens.key'}",
        "--authorization-mode=Node,RBAC", f"--enable-admission-plugins={_ADMISSION}",
        # As clusters have it: Pod Security says who may.
        "--allow-privileged=true", "--profiling=false", "--v=1",
    ]  # fmt: skip


def controller_manager(where: Where) -> list[str]:
    return [
        *_who("manager", where.pki),
        f"--bind-address={where.loopback}", f"--secure-port={where.manager}", f"--root-ca-file={where.pki / 'ca.crt'}",
        f"--service-account-private-key-file={where.pki / 'tokens.key'}", "--use-service-account-credentials=true",
        "--leader-elect=false", "--controllers=*,-nodeipam,-cloud-node-lifecycle", "--v=1",
    ]  # fmt: skip


def scheduler(where: Where) -> list[str]:
    return [*_who("scheduler", where.pki), f"--bind-address={where.loopback}", "--leader-elect=false", "--v=1"]


def _who(user: str, pki: Path) -> Iterator[str]:
    for kind in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"):
        yield f"--{kind}={pki / f'{user}.kubeconfig'}"
