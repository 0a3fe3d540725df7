"""The node with a store beside it: two teams in buckets of their own, whose pods are known there by their tokens."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from framework.servers import seaweed as server
from framework.servers.identities import REGION, administrator
from framework.storage.keys import Keys
from framework.tenancy.layers import Site
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams
from framework.tenancy.render import as_yaml
from tests.servers.node import IMAGES, RealNode, tenant
from tests.servers.oidc import serving
from tests.servers.seaweed import client_of

if TYPE_CHECKING:
    from k8s.launch.launcher import KubernetesLauncher
    from k8s.platform import Platform

TEAMS = ("flights", "insights")
JOBS = Path(__file__).parents[1] / "k8s" / "launch" / "jobs"


@dataclass(frozen=True)
class Whole:
    """``workspace`` has the team files, and jobs whose images the node has; ``keys``: an administrator's at the store."""

    node: RealNode
    workspace: Path
    endpoint: str
    keys: Keys

    @property
    def teams(self) -> Teams:
        return load_teams(self.workspace)

    @property
    def platform(self) -> "Platform":
        from k8s.platform import load_platform

        return load_platform(self.workspace)

    def launcher(self, name: str) -> "KubernetesLauncher":
        from k8s.launch.identities import identity_for
        from k8s.launch.launcher import KubernetesLauncher

        identity = identity_for(self.teams.team(name), self.platform)
        return KubernetesLauncher(self.node.launcher(name), name, identity)

    @property
    def files(self) -> dict[str, str]:
        """Team files, as drivers get them."""
        return {f"teams/{name}.yaml": as_yaml(self.teams.team(name)) for name in TEAMS}


@pytest.fixture(scope="session")
def whole(node: RealNode) -> Iterator[Whole]:
    """One for the session."""
    from k8s.identity.layer import StoreLayer
    from k8s.render.team import team_objects

    home, admin = Path(tempfile.mkdtemp(prefix="whole-")), administrator()
    workspace, roles = home / "workspace", home / "roles.json"
    keys = node.admin.ask("GET", "/openid/v1/jwks", headers={"Accept": "application/jwk-set+json"})
    host = node.node.layout.host
    try:
        shutil.copytree(JOBS, workspace / "jobs")
        images = _images(node, workspace)
        with serving({"/keys": json.loads(keys)}) as (issuer, _):
            _write(workspace, node, images, f"http://{host}:1", (f"{issuer}/keys", roles))
            layer = StoreLayer(Site(workspace, load_teams(workspace), {}))
            for name in TEAMS:
                for step in layer.prospect(load_teams(workspace).team(name)).steps:
                    step.do()
            with server.running(home / "server", (admin,), iam=roles.read_text(), address=host) as live:
                for bucket in (*(f"{name}-data" for name in TEAMS), "partner-drop"):
                    client_of(live.endpoint, admin.keys).create_bucket(Bucket=bucket)
                _write(workspace, node, images, live.endpoint, (f"{issuer}/keys", roles))
                found = Whole(node, workspace, live.endpoint, admin.keys)
                for name in TEAMS:
                    for one in team_objects(found.teams.team(name), found.platform):
                        node.admin.apply(one)
                yield found
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _images(node: RealNode, workspace: Path) -> dict[str, str]:
    """Of both teams, imported: over the Spark image, which the node has."""
    from k8s.images.parts import Builder
    from k8s.images.spark import build_spark
    from k8s.images.team import build_team
    from k8s.local.node.images import import_images

    builder = Builder(os.environ, Path("locks/jobs.txt"), print, IMAGES)
    base = build_spark(builder)
    made = {name: build_team(workspace, name, base, builder=builder, thin=True) for name in TEAMS}
    import_images(node.node.layout, [one.archive for one in made.values()], node.node.inside)
    return {name: one.name for name, one in made.items()}


def _write(workspace: Path, node: RealNode, images: dict[str, str], endpoint: str, trust: tuple[str, Path]) -> None:
    (workspace / "k8s/teams").mkdir(parents=True, exist_ok=True)
    for name in TEAMS:
        store = {"kind": "s3", "bucket": f"{name}-data", "endpoint": endpoint, "region": REGION}
        grants = [{"to": "insights", "read": ["flights.daily/numbers"]}] if name == "flights" else []
        made = tenant(name, store=store, image=images[name], grants=grants, reads=["s3://partner-drop/flights/*"])
        (workspace / f"k8s/teams/{name}.yaml").write_text(as_yaml(made))
    port = int(endpoint.rpartition(":")[2])
    told = node.platform(port).model_dump(mode="json", exclude_none=True)
    told["store_identity"] = {"kind": "seaweedfs", "file": str(trust[1]), "jwks": trust[0]}
    (workspace / "k8s/platform.yaml").write_text(yaml.safe_dump(told))
