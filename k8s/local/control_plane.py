"""etcd, API server and controller manager on free ports of loopback, without a node: real rights, quotas and admission.

Pods are taken, checked and kept, and nobody runs them. Ready in some seconds; all state is in one folder.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any, Final

from framework.servers import processes
from framework.servers.ports import HOST, free_ports, is_free
from framework.servers.private import private_folder
from k8s.local import commands
from k8s.local.asking import answers
from k8s.local.certificates import Authority
from k8s.local.commands import Where
from k8s.local.keys import ADMIN, config_of, write_keys

READY_S: Final = 90.0
_SERVICES: Final = "10.96.0.0/24"
_PORTS: Final = ("etcd", "peer", "api", "manager")
_USERS: Final = {"admin": ADMIN, "manager": ("system:kube-controller-manager",)}


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """One that is up. ``kubeconfig``: the administrator's."""

    endpoint: str
    kubeconfig: Path
    authority: bytes
    home: Path

    def token_config(self, token: str, namespace: str = "default") -> dict[str, Any]:
        """The content of a kubeconfig for whoever has ``token``."""
        return config_of(self.endpoint, self.authority, {"token": token}, namespace)


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
    where = Where(
        HOST, ports["api"], ports["etcd"], ports["peer"], ports["manager"], _SERVICES, home / "pki", home / "etcd"
    )
    authority = Authority()
    write_keys(where.pki, authority, where.endpoint, [HOST], _USERS)

    def begin(name: str, arguments: list[str]) -> None:
        parts.append(processes.start(_program(home, binaries, name, arguments)))
        processes.remember(home / "processes.json", parts)

    begin("etcd", commands.etcd(where))
    begin("kube-apiserver", ["--endpoint-reconciler-type=none", *commands.api_server(where)])
    check = create_default_context(cadata=authority.certificate.decode())
    missing = partial(_unready, where.api, check)
    processes.await_ready(parts, missing, within_s=READY_S)
    begin("kube-controller-manager", commands.controller_manager(where))  # before that it would end again
    processes.await_ready(parts, partial(_unheard, where.manager), within_s=READY_S)
    return ControlPlane(where.endpoint, where.pki / "admin.kubeconfig", authority.certificate, home)


def _unheard(port: int) -> tuple[str, ...]:
    """Nobody listens on a port of this machine that is free."""
    return ("kube-controller-manager",) if is_free(port) else ()


def _unready(port: int, check: SSLContext) -> tuple[str, ...]:
    return () if answers(HOST, port, check) else ("kube-apiserver",)


def _program(home: Path, binaries: Path, name: str, arguments: list[str]) -> processes.Program:
    """One binary is all of Kubernetes: it is what it is called."""
    link = home / "bin" / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(binaries / "hyperkube")
    return processes.Program(
        name, [str(link), *arguments], {"HOME": str(home)}, home / f"{name}.log", dies_with_us=True
    )
