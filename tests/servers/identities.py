"""An S3 server that takes roles of the teams on, with tokens that the session's Kubernetes makes: the files are those of the product."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from framework.servers import seaweed as server
from framework.servers.documents import serving
from framework.servers.identities import REGION, administrator
from framework.storage.keys import Keys
from framework.tenancy.iam import Prefix, Reach, policy
from framework.tenancy.layers import Site
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams
from framework.tenancy.render import as_yaml
from tests.k8s.teams import PLATFORM, team
from tests.servers.kubernetes import Kubernetes
from tests.servers.seaweed import client_of

if TYPE_CHECKING:
    from k8s.testing.requests import Place

LOOSE = "loose"
"""A team's own role without one guard: what it may is everything."""
BARE = "bare"
"""The role of insights, without the names of its folders."""
TEAMS = ("flights", "insights")


@dataclass(frozen=True)
class Identified:
    """A workspace, its two teams' places at a live store, and an administrator's keys there."""

    workspace: Path
    teams: Teams
    kubernetes: Kubernetes
    endpoint: str
    admin: Keys
    _clients: dict[tuple[str, str | None], Any] = field(default_factory=dict, repr=False)

    @property
    def places(self) -> "dict[str, Place]":
        from k8s.platform import load_platform
        from k8s.testing.cluster import pairs_of
        from k8s.testing.objects import places_of

        site = Site(self.workspace, self.teams, {})
        found = places_of(site, load_platform(self.workspace), pairs_of(self.teams.by_name.values()))
        return {one.team: one for one in found}

    def token(self, space: str, account: str, audience: str) -> str:
        return self.kubernetes.token(space, account, (audience,) if audience else ())

    def client(self, name: str, role: str | None = None) -> Any:
        """The store as the team's driver sees it; under another ``role`` as that one's."""
        if (name, role) not in self._clients:
            self._clients[name, role] = self._client(name, role)
        return self._clients[name, role]

    def _client(self, name: str, role: str | None) -> Any:
        from k8s.platform import load_platform

        place = self.places[name]
        token = self.token(name, "driver", load_platform(self.workspace).audience)
        arn = None if role is None else place.role.replace(f"teamspark-{name}", role)
        return place.session(place.keys(token, arn))


def write_files(workspace: Path, endpoint: str, jwks: str, roles: Path) -> Teams:
    """Two tenants in buckets of their own; what insights reads of flights; a shared place outside for both."""
    (workspace / "k8s/teams").mkdir(parents=True, exist_ok=True)
    store = {name: {"kind": "s3", "bucket": f"{name}-data", "endpoint": endpoint, "region": REGION} for name in TEAMS}
    grants = {"flights": [{"to": "insights", "read": ["flights.daily/ingest"]}], "insights": []}
    outside = {"reads": ["s3://partner-drop/flights/*"], "writes": ["s3://partner-drop/reports/*"]}
    for name in TEAMS:
        made = team(name, store=store[name], grants=grants[name], **(outside if name == "flights" else {}))
        (workspace / f"k8s/teams/{name}.yaml").write_text(as_yaml(made))
    told = PLATFORM.model_dump(mode="json", exclude_none=True)
    told["store_identity"] = {"kind": "seaweedfs", "file": str(roles), "jwks": jwks}
    (workspace / "k8s/platform.yaml").write_text(yaml.safe_dump(told))
    return load_teams(workspace)


@pytest.fixture(scope="session")
def identified(kubernetes: Kubernetes) -> Iterator[Identified]:
    """One for the session. Its roles are what ``teamspark team apply`` writes, and one more for witnesses."""
    from k8s.identity.layer import StoreLayer

    home, admin = Path(tempfile.mkdtemp(prefix="weed-")), administrator()
    workspace, roles = home / "workspace", home / "roles.json"
    keys = kubernetes.admin.ask("GET", "/openid/v1/jwks", headers={"Accept": "application/jwk-set+json"})
    try:
        with serving({"/keys": json.loads(keys)}) as (issuer, _):
            teams = write_files(workspace, "http://127.0.0.1:1", f"{issuer}/keys", roles)
            layer = StoreLayer(Site(workspace, teams, {}))
            for name in TEAMS:
                for step in layer.prospect(teams.team(name)).steps:
                    step.do()
            with server.running(home / "server", (admin,), iam=with_loose(roles.read_text())) as live:
                for bucket in ("flights-data", "insights-data", "partner-drop"):
                    client_of(live.endpoint, admin.keys).create_bucket(Bucket=bucket)
                teams = write_files(workspace, live.endpoint, f"{issuer}/keys", roles)
                yield Identified(workspace, teams, kubernetes, live.endpoint, admin.keys)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def with_loose(text: str) -> str:
    """The roles, and two for witnesses: flights' driver without the guard of a prefix, insights' without folders' names."""
    told = json.loads(text)
    everything = policy(
        Reach(Prefix("flights-data", "flights/"), (Prefix("insights-data", ""), Prefix("flights-data", "")))
    )
    rendered = next(one["document"] for one in told["policies"] if one["name"] == "teamspark-insights")
    bare = {**rendered, "Statement": [one for one in rendered["Statement"] if not one["Sid"].endswith("Name")]}
    assert len(bare["Statement"]) == len(rendered["Statement"]) - 2
    for role, mine, document in ((LOOSE, "flights", everything), (BARE, "insights", bare)):
        like = next(one for one in told["roles"] if one["roleName"] == f"teamspark-{mine}")
        arn = like["roleArn"].replace(f"teamspark-{mine}", role)
        told["policies"].append({"name": role, "document": document})
        told["roles"].append({**like, "roleName": role, "roleArn": arn, "attachedPolicies": [role]})
    return json.dumps(told)
