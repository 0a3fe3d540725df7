"""A whole Kubernetes node of the session's own: kubelet, containers, names and walls, with two teams in it."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.k8s.teams import team

if TYPE_CHECKING:
    from framework.launch.base import Resources
    from k8s.client import Cluster
    from k8s.images.spark import Image
    from k8s.local.node.running import Node
    from k8s.platform import Platform

QUOTA = {"cpu": 4, "memory": "6Gi", "pods": 12}
LIMITS = {
    "driver": {"cpu": 1, "memory": "1Gi"},
    "executor": {"cpu": 1, "memory": "1Gi"},
    "max_executors": 2,
}
IMAGES = "teamspark.local/jobs"


@dataclass(frozen=True)
class RealNode:
    """One that is up, with the teams ``flights`` and ``insights``. ``base``: what drivers run, imported."""

    node: "Node"
    admin: "Cluster"
    base: "Image"

    @property
    def image(self) -> str:
        return self.base.name

    def launcher(self, team: str) -> "Cluster":
        """The cluster as the team's launcher sees it."""
        return self.as_account(f"{team}-airflow", "launcher")

    def config(self, namespace: str, account: str) -> dict[str, Any]:
        """A kubeconfig of the account's."""
        from k8s.local.keys import config_of

        layout = self.node.layout
        authority = (layout.pki / "ca.crt").read_bytes()
        return config_of(layout.where.endpoint, authority, {"token": self.admin.token(namespace, account)}, namespace)

    def as_account(self, namespace: str, account: str) -> "Cluster":
        return self.admin.as_bearer(self.admin.token(namespace, account))

    def empty(self, namespace: str) -> None:
        """Take away all pods that are or were there."""
        from k8s.client import Place

        while pods := self.admin.list("v1", "Pod", namespace=namespace):
            for one in pods:
                self.admin.delete(Place("v1", "Pod", namespace, one["metadata"]["name"]), grace_s=0)
            time.sleep(0.1)

    def resources(self, executors: int = 0) -> "Resources":
        from framework.launch.base import Resources, Share

        return Resources(self.image, Share("200m", "512Mi"), Share("200m", "700Mi"), executors)

    def platform(self, s3: int) -> "Platform":
        """``s3``: the port of a store on this machine."""
        from k8s.platform import Platform

        layout = self.node.layout
        told = {
            # What is behind the API server's Service: walls see addresses as they are after that.
            "api": [{"network": f"{layout.address}/32", "port": layout.where.api}],
            "s3": [{"network": f"{layout.host}/32", "port": s3}],
            "airflow": [{"network": f"{layout.host}/32", "port": 8080}],
            "scratch": "1Gi",
            "airflow_images": [f"{IMAGES}/"],
            "issuer": "https://kubernetes.default.svc.cluster.local",
        }
        return Platform.parse(told, where="platform.yaml")

    def scratch(self, uid: str) -> Path:
        """The folder that is a pod's ``/tmp``, from outside."""
        return self.node.layout.home / f"kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/scratch"


def tenant(name: str, **changes: Any) -> Any:
    """A team whose images are on the node."""
    facts = {"quota": QUOTA, "limits": LIMITS, "images": [f"{IMAGES}/*"], "image": f"{IMAGES}/spark:1", "sizes": {}}
    return team(name, **{**facts, **changes})


def skip_without_node() -> None:
    """Skips the test where no node can be."""
    from framework.errors import SetupError
    from k8s.local.binaries import ARCHIVE, are_there
    from k8s.local.node.making import require_programs

    try:
        require_programs()
    except SetupError as error:
        pytest.skip(f"no node on this machine: {error}")
    if not are_there(os.environ) and ARCHIVE not in os.environ:  # a build takes longer than any test may
        pytest.skip(f"Kubernetes is not on this machine: make kubernetes, or name an archive of it in {ARCHIVE}")


@pytest.fixture(scope="session")
def node() -> Iterator[RealNode]:
    """One for the session; it needs root and Debian's containerd."""
    from framework.home import cache_home
    from k8s.images.parts import Builder
    from k8s.images.spark import build_spark
    from k8s.local.binaries import ensure_binaries
    from k8s.local.node import cgroups
    from k8s.local.node.layout import Layout
    from k8s.local.node.running import running

    skip_without_node()
    binaries = ensure_binaries(os.environ, print)
    above = cache_home(os.environ) / "nodes"
    above.mkdir(parents=True, exist_ok=True)
    for old in above.glob("test-*"):  # of runs that were killed; a folder has its maker's number
        if not Path("/proc", old.name.split("-")[1]).exists():
            cgroups.remove(f"teamspark-t{old.name.split('-')[1]}")
            shutil.rmtree(old, ignore_errors=True)
    home = Path(
        tempfile.mkdtemp(prefix=f"test-{os.getpid()}-", dir=above)
    )  # on a disk: containers' file systems are of some GB
    try:
        image = build_spark(Builder(os.environ, Path("locks/jobs.txt"), print, IMAGES))
        # Of its own: processes that start at one time have numbers that are close, and hashes that may meet.
        layout = Layout.of(f"t{os.getpid()}", home, binaries, slot=os.getpid() % 250)
        layout.images.mkdir()
        (layout.images / image.archive.name).symlink_to(image.archive)
        with running(layout) as up:
            yield _with_teams(RealNode(up, _admin(up), image))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _admin(up: "Node") -> "Cluster":
    from k8s.client import Cluster

    return Cluster.of(up.kubeconfig)


def _with_teams(real: RealNode) -> RealNode:
    from k8s.render.team import cluster_objects, team_objects
    from k8s.tenant.waiting import await_policies

    for one in cluster_objects():
        real.admin.apply(one)
    for name in ("flights", "insights"):
        for one in team_objects(tenant(name), real.platform(8333)):
            real.admin.apply(one)
    for name in ("flights", "insights"):
        await_policies(real.admin, name)
    return real
