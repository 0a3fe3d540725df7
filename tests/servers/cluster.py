"""The node with a store beside it: two teams in buckets of their own, whose pods are known there by their tokens."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from framework.servers import seaweed as server
from framework.servers.documents import serving
from framework.servers.identities import REGION, administrator
from framework.storage.keys import Keys
from framework.tenancy.layers import Site
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams
from framework.tenancy.places import AlluxioPlace
from framework.tenancy.render import as_yaml, with_cache
from tests.servers.node import IMAGES, RealNode, tenant
from tests.servers.seaweed import client_of

if TYPE_CHECKING:
    from k8s.launch.launcher import KubernetesLauncher
    from k8s.platform import Platform

TEAMS = ("flights", "insights")
CACHE = "cache"
JOBS = Path(__file__).parents[1] / "k8s" / "launch" / "jobs"


@dataclass(frozen=True)
class Whole:
    """``workspace`` has the team files, and jobs whose images the node has; ``keys``: an administrator's at the store, which is process ``store``."""

    node: RealNode
    workspace: Path
    endpoint: str
    keys: Keys
    store: int

    @property
    def teams(self) -> Teams:
        return load_teams(self.workspace)

    @property
    def platform(self) -> "Platform":
        from k8s.platform import load_platform

        return load_platform(self.workspace)

    def launcher(self, name: str) -> "KubernetesLauncher":
        from k8s.launch.launcher import KubernetesLauncher
        from k8s.standing import standing_of

        standing = standing_of(self.teams.team(name), self.platform)
        return KubernetesLauncher(self.node.launcher(name), name, standing)

    @property
    def files(self) -> dict[str, str]:
        """Team files, as drivers get them."""
        from k8s.render.cache import as_in_cluster

        return {f"teams/{name}.yaml": as_yaml(as_in_cluster(self.teams.team(name), self.platform)) for name in TEAMS}

    @contextmanager
    def silent_store(self) -> Iterator[None]:
        """Whoever asks the store waits."""
        os.kill(self.store, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.store, signal.SIGCONT)

    @contextmanager
    def cached(self) -> Iterator[None]:
        """With a cache of each team's own, which takes room of its quota."""
        from k8s.client import Place

        plain, platform = self.teams, self.platform
        files = self.workspace / "k8s/teams"
        try:
            for name in TEAMS:
                made = with_cache(plain.team(name), AlluxioPlace(kind="alluxio", memory="64Mi"))
                (files / f"{name}.yaml").write_text(as_yaml(made))
            self.apply(platform)
            yield
        finally:
            for name in TEAMS:
                (files / f"{name}.yaml").write_text(as_yaml(plain.team(name)))
                for api, kind in (("apps/v1", "StatefulSet"), ("v1", "Service")):
                    self.node.admin.delete(Place(api, kind, name, "cache"))
            self.apply(platform)
            for name in TEAMS:
                self.node.empty(name)

    def apply(self, platform: "Platform") -> None:
        """Both teams, as their files have them now."""
        from k8s.render.team import team_objects

        teams = self.teams
        for name in TEAMS:
            granting = [teams.team("flights")] if name == "insights" else []
            for one in team_objects(teams.team(name), platform, granting):
                self.node.admin.apply(one)


@pytest.fixture(scope="session")
def whole(node: RealNode) -> Iterator[Whole]:
    """One for the session."""
    from k8s.identity.layer import StoreLayer

    home, admin = Path(tempfile.mkdtemp(prefix="whole-")), administrator()
    workspace, roles = home / "workspace", home / "roles.json"
    keys = node.admin.ask("GET", "/openid/v1/jwks", headers={"Accept": "application/jwk-set+json"})
    host = node.node.layout.host
    try:
        shutil.copytree(JOBS, workspace / "jobs")
        images = _images(node, workspace)
        with serving({"/keys": json.loads(keys)}) as (issuer, _):
            # Roles are read when the server starts: by then it must trust caches, too.
            _write(workspace, node, images, f"http://{host}:1", (f"{issuer}/keys", roles), cached=True)
            layer = StoreLayer(Site(workspace, load_teams(workspace), {}))
            for name in TEAMS:
                for step in layer.prospect(load_teams(workspace).team(name)).steps:
                    step.do()
            with server.running(home / "server", (admin,), iam=roles.read_text(), address=host) as live:
                for bucket in (*(f"{name}-data" for name in TEAMS), "partner-drop"):
                    client_of(live.endpoint, admin.keys).create_bucket(Bucket=bucket)
                _write(workspace, node, images, live.endpoint, (f"{issuer}/keys", roles))
                found = Whole(node, workspace, live.endpoint, admin.keys, live.pid)
                found.apply(found.platform)
                yield found
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _images(node: RealNode, workspace: Path) -> dict[str, str]:
    """Of both teams and of their caches, imported: over the Spark image, which the node has."""
    from k8s.images.cache import build_cache
    from k8s.images.parts import Builder
    from k8s.images.team import build_team
    from k8s.local.node.images import import_images

    builder = Builder(os.environ, Path("locks/jobs.txt"), print, IMAGES)
    made = {name: build_team(workspace, name, node.base, builder=builder, thin=True) for name in TEAMS}
    made[CACHE] = build_cache(builder, node.base, thin=True)
    import_images(node.node.layout, [one.archive for one in made.values()], node.node.inside)
    return {name: one.name for name, one in made.items()}


def _write(
    workspace: Path,
    node: RealNode,
    images: dict[str, str],
    endpoint: str,
    trust: tuple[str, Path],
    *,
    cached: bool = False,
) -> None:
    (workspace / "k8s/teams").mkdir(parents=True, exist_ok=True)
    for name in TEAMS:
        store = {"kind": "s3", "bucket": f"{name}-data", "endpoint": endpoint, "region": REGION}
        grants = [{"to": "insights", "read": ["flights.daily/numbers"]}] if name == "flights" else []
        # Two processors have to hold a run and two caches.
        share = {"cpu": "900m", "memory": "1Gi"}
        sizes = {"S": {"executors": 1, "driver": share, "executor": share}}
        made = tenant(
            name, sizes=sizes, store=store, image=images[name], grants=grants, reads=["s3://partner-drop/flights/*"]
        )
        made = with_cache(made, AlluxioPlace(kind="alluxio", memory="64Mi") if cached else None)
        (workspace / f"k8s/teams/{name}.yaml").write_text(as_yaml(made))
    port = int(endpoint.rpartition(":")[2])
    told = node.platform(port).model_dump(mode="json", exclude_none=True)
    told["cache_image"] = images[CACHE]
    told["store_identity"] = {"kind": "seaweedfs", "file": str(trust[1]), "jwks": trust[0]}
    (workspace / "k8s/platform.yaml").write_text(yaml.safe_dump(told))
