"""A Kubernetes of the session's own: its control plane on loopback, with the platform's admission applied, gone with the last test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.k8s.teams import PLATFORM, team

if TYPE_CHECKING:
    from k8s.client import Cluster
    from k8s.local.control_plane import ControlPlane

TOKEN_S = 3600


@dataclass(frozen=True)
class Kubernetes:
    """A control plane with two teams in it."""

    plane: "ControlPlane"
    admin: "Cluster"

    def as_account(self, namespace: str, account: str) -> "Cluster":
        """The cluster as a service account sees it: with a token that the API server made for it."""
        from k8s.client import Cluster

        return Cluster.with_config(self.plane.token_config(self.token(namespace, account), namespace))

    def token(self, namespace: str, account: str, audiences: tuple[str, ...] = ()) -> str:
        """A token as the kubelet would mount it."""
        return self.admin.token(namespace, account, audiences=audiences, lives_s=TOKEN_S)


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[Kubernetes]:
    """One for the session, with the teams ``flights`` and ``insights``."""
    from k8s.client import Cluster
    from k8s.local.binaries import ARCHIVE, are_there, ensure_binaries, home_of
    from k8s.local.control_plane import running
    from k8s.render.team import cluster_objects, team_objects
    from k8s.tenant.waiting import await_policies

    binaries = home_of(os.environ)
    if not are_there(os.environ):
        if ARCHIVE not in os.environ:  # a build takes longer than any test may
            pytest.skip(f"Kubernetes is not on this machine: make kubernetes, or name an archive of it in {ARCHIVE}")
        ensure_binaries(os.environ, print)
    home = Path(tempfile.mkdtemp(prefix="kubernetes-"))
    try:
        with running(home, binaries) as plane:
            admin = Cluster.of(plane.kubeconfig)
            for one in cluster_objects():
                admin.apply(one)
            for name in ("flights", "insights"):
                for one in team_objects(team(name), PLATFORM):
                    admin.apply(one)
            for name in ("flights", "insights"):
                await_policies(admin, name)
            yield Kubernetes(plane, admin)
    finally:
        shutil.rmtree(home, ignore_errors=True)
