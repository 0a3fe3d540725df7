"""etcd, API server and controller manager on free ports of loopback, without a node: real rights, quotas and admission.

Pods are taken, checked and kept, and nobody runs them. Ready in some seconds; all state is in one folder.
"""

import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any, Final

import yaml

from framework.servers import processes
from framework.servers.ports import HOST, free_ports, is_free
from framework.servers.private import private_folder, write_private
from k8s.client import kubeconfig
from k8s.local.certificates import Authority, Pair, signing_pair

READY_S: Final = 90.0
ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
ADMIN: Final = ("teamspark-admin", "system:masters")
_SERVICES: Final = "10.96.0.0/24"
_ADMISSION: Final = "NodeRestriction,PodSecurity,ResourceQuota,LimitRanger,ValidatingAdmissionPolicy"
_PORTS: Final = ("etcd", "peer", "api", "manager")


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """One that is up. ``kubeconfig``: the administrator's."""

    endpoint: str
    kubeconfig: Path
    authority: bytes
    home: Path

    def token_config(self, token: str, namespace: str = "default") -> dict[str, Any]:
        """The content of a kubeconfig for whoever has ``token``."""
        return _kubeconfig(self.endpoint, self.authority, {"token": token}, namespace)


@contextmanager
def running(home: Path, binaries: Path) -> Iterator[ControlPlane]:
    """A control plane as long as the block lasts; it begins empty. ``binaries`` has ``hyperkube``.

    Raises: SetupError without its programs, or when ``home`` is in use; ServerFailed with the end of a log.
    """
    private_folder(home)
    with processes.only_one(home, "this control plane"), ExitStack() as undo:
        processes.end_leftovers(home / "processes.json")
        for name in ("etcd", "pki", "bin"):
            shutil.rmtree(home / name, ignore_errors=True)
        parts: list[processes.Started] = []
        undo.callback(_end, parts)
        yield _up(home, binaries, parts)


def _end(parts: list[processes.Started]) -> None:
    """Nothing of it is kept: it is killed, not asked."""
    for part in parts:
        processes.end_session(part.session)
        part.process.wait()


def _up(home: Path, binaries: Path, parts: list[processes.Started]) -> ControlPlane:
    ports = free_ports(_PORTS)
    endpoint = f"https://{HOST}:{ports['api']}"
    authority = _pki(home, endpoint)
    commands = _commands(home, ports)

    def begin(name: str) -> None:
        parts.append(processes.start(_program(home, binaries, name, commands[name])))
        processes.remember(home / "processes.json", parts)

    begin("etcd")
    begin("kube-apiserver")
    check = create_default_context(cadata=authority.decode())
    missing = partial(_unready, ports["api"], check)
    processes.await_ready(parts, missing, within_s=READY_S)
    begin("kube-controller-manager")  # before the API server is ready it would end again
    processes.await_ready(parts, partial(_unheard, ports["manager"]), within_s=READY_S)
    return ControlPlane(endpoint, home / "pki/admin.kubeconfig", authority, home)


def _unheard(port: int) -> tuple[str, ...]:
    """Nobody listens on a port of this machine that is free."""
    return ("kube-controller-manager",) if is_free(port) else ()


def _unready(port: int, check: SSLContext) -> tuple[str, ...]:
    return () if _answers(port, check) else ("kube-apiserver",)


def _answers(port: int, check: SSLContext) -> bool:
    with closing(HTTPSConnection(HOST, port, timeout=2, context=check)) as asked:
        try:
            asked.request("GET", "/readyz")
            return asked.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False


def _program(home: Path, binaries: Path, name: str, arguments: list[str]) -> processes.Program:
    """One binary is all of Kubernetes: it is what it is called."""
    link = home / "bin" / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(binaries / "hyperkube")
    return processes.Program(
        name, [str(link), *arguments], {"HOME": str(home)}, home / f"{name}.log", dies_with_us=True
    )


def _pki(home: Path, endpoint: str) -> bytes:
    """Writes keys and kubeconfigs below ``home``; the authority's certificate."""
    authority, folder = Authority(), home / "pki"
    private_folder(folder)
    tokens = signing_pair()
    served = authority.server("kube-apiserver", ["localhost", "kubernetes.default.svc"], [HOST])
    for name, pair in (("tokens", tokens), ("server", served)):
        write_private(folder / f"{name}.crt", pair.certificate.decode())
        write_private(folder / f"{name}.key", pair.key.decode())
    write_private(folder / "ca.crt", authority.certificate.decode())
    for name, pair in (
        ("admin", authority.client(ADMIN[0], ADMIN[1:])),
        ("manager", authority.client("system:kube-controller-manager")),
    ):
        config = _kubeconfig(endpoint, authority.certificate, _user(pair), "default")
        write_private(folder / f"{name}.kubeconfig", yaml.safe_dump(config))
    return authority.certificate


def _user(pair: Pair) -> dict[str, str]:
    return {"client-certificate-data": _b64(pair.certificate), "client-key-data": _b64(pair.key)}


def _kubeconfig(endpoint: str, authority: bytes, user: dict[str, str], namespace: str) -> dict[str, Any]:
    cluster = {"server": endpoint, "certificate-authority-data": _b64(authority)}
    return kubeconfig(cluster, user, namespace)


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


def _commands(home: Path, ports: dict[str, int]) -> dict[str, list[str]]:
    client, peer = (f"http://{HOST}:{ports[name]}" for name in ("etcd", "peer"))
    pki = home / "pki"
    return {
        "etcd": [
            "--data-dir", str(home / "etcd"), "--unsafe-no-fsync", "--log-level", "warn",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        ],
        "kube-apiserver": [
            f"--bind-address={HOST}", f"--advertise-address={HOST}", f"--secure-port={ports['api']}",
            "--endpoint-reconciler-type=none", f"--etcd-servers={client}", f"--service-cluster-ip-range={_SERVICES}",
            f"--tls-cert-file={pki / 'server.crt'}", f"--tls-private-key-file={pki / 'server.key'}",
            f"--client-ca-file={pki / 'ca.crt'}", f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={pki / 'tokens.crt'}", f"--service-account-signing-key-file={pki / 'tokens.key'}",
            "--authorization-mode=Node,RBAC", f"--enable-admission-plugins={_ADMISSION}",
            # As clusters have it: Pod Security says who may.
            "--allow-privileged=true", "--profiling=false", "--v=1",
        ],
        "kube-controller-manager": [
            *(f"--{kind}={pki / 'manager.kubeconfig'}" for kind in (
                "kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig",
            )),
            f"--bind-address={HOST}", f"--secure-port={ports['manager']}", f"--root-ca-file={pki / 'ca.crt'}",
            f"--service-account-private-key-file={pki / 'tokens.key'}", "--use-service-account-credentials=true",
            "--leader-elect=false", "--controllers=*,-nodeipam,-cloud-node-lifecycle", "--v=1",
        ],
    }  # fmt: skip
