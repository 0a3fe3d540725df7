"""The keys of a cluster on this machine, written for those who use them: gone with their folder."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from framework.servers.private import private_folder, write_private
from k8s.client import kubeconfig
from k8s.local.certificates import Authority, Pair, signing_pair

ADMIN: Final = ("teamspark-admin", "system:masters")
API_NAMES: Final = (
    "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
)  # fmt: skip


def write_keys(
    folder: Path, authority: Authority, endpoint: str, addresses: Iterable[str], users: Mapping[str, tuple[str, ...]]
) -> None:
    """``server``, ``tokens`` and ``ca`` of an API server at ``addresses``; a kubeconfig for each of ``users``, which has the
    user's name in a certificate, and the groups.
    """
    private_folder(folder)
    served = authority.server("kube-apiserver", API_NAMES, addresses)
    for name, pair in (("tokens", signing_pair()), ("server", served)):
        write_pair(folder, name, pair)
    write_private(folder / "ca.crt", authority.certificate.decode())
    for name, (user, *groups) in users.items():
        config = config_of(endpoint, authority.certificate, _user(authority.client(user, groups)), "default")
        write_private(folder / f"{name}.kubeconfig", yaml.safe_dump(config))


def write_pair(folder: Path, name: str, pair: Pair) -> None:
    write_private(folder / f"{name}.crt", pair.certificate.decode())
    write_private(folder / f"{name}.key", pair.key.decode())


def config_of(endpoint: str, authority: bytes, user: Mapping[str, str], namespace: str) -> dict[str, Any]:
    """The content of a kubeconfig."""
    return kubeconfig({"server": endpoint, "certificate-authority-data": _b64(authority)}, user, namespace)


def _user(pair: Pair) -> dict[str, str]:
    return {"client-certificate-data": _b64(pair.certificate), "client-key-data": _b64(pair.key)}


def _b64(data: bytes) -> str:
    return b64encode(data).decode()
