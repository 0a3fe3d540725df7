"""A workspace's runs as pods: a Kubernetes of one node on this machine, the teams applied to it, a store that knows their tokens.

What a team file does not say of a cluster is filled in: a laptop's workspace has no quota. Nothing of the workspace is edited.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from framework.servers.documents import serving
from framework.servers.private import private_folder, write_private
from framework.servers.sites import Roles, Site, bucket_place, opened_to_roles
from framework.storage.keys import Keys
from framework.tenancy import layers
from framework.tenancy.model import TEAM_FILES, Team, Teams
from framework.tenancy.names import Names
from framework.tenancy.places import AlluxioPlace, BucketStore
from framework.tenancy.render import as_yaml, with_store

if TYPE_CHECKING:
    from airflow_bindings.local.supervisor import Say
    from k8s.images.spark import Image
    from k8s.local.node.running import Node
    from k8s.platform import Platform

NAME: Final = "teamspark"
PREFIX: Final = "teamspark.local/demo"
LANDING: Final = "demo-landing"
_CLUSTERS: Final = ".teamspark/cluster"
_LOCK: Final = "locks/jobs.txt"
_TOKEN_S: Final = 24 * 3600
_MEMORY: Final = "128Mi"
# Of a machine with two processors: one run at a time, and a cache of each team.
_SHARE: Final = {"cpu": "850m", "memory": "1280Mi"}
_FACTS: Final[Mapping[str, Any]] = {
    "quota": {"cpu": "2700m", "memory": "5Gi", "pods": 8},
    "limits": {"driver": _SHARE, "executor": _SHARE, "max_executors": 1},
    "images": [f"{PREFIX}/*"],
}


@dataclass(frozen=True, slots=True)
class OnNode:
    """Where runs are pods. ``workspace``: a folder with the platform's file, the teams', and the jobs; ``kubeconfigs``: of each
    team's launcher.
    """

    site: Site
    workspace: Path
    kubeconfigs: Mapping[str, Mapping[str, Any]]


@contextmanager
def on_node(workspace: Path, teams: Teams, landing: Path, *, cached: bool, say: "Say") -> Iterator[OnNode]:
    """With a node that is up, or one of our own, as long as the block lasts. ``landing``: files that sources of the teams read.

    Raises: ConfigError, SetupError, ServerFailed, PolicyError, ClusterUnavailable.
    """
    _require_jobs(workspace, teams)
    with _node(workspace, say) as node:
        images = _images(workspace, sorted(teams.by_name), node, cached=cached, say=say)
        ground = _ground(workspace)
        keys = _cluster(node).ask("GET", "/openid/v1/jwks", headers={"Accept": "application/jwk-set+json"})
        with serving({"/keys": json.loads(keys)}) as (issuer, _):
            platform = _platform(node, f"{issuer}/keys", images.get("alluxio"))
            fit = partial(_fitted, images=images, cached=cached)
            roles = Roles(_iam(teams, fit, platform), node.layout.host, more=(LANDING,))
            with opened_to_roles(workspace, teams, roles, fit) as (site, admin):
                _land(site, admin, workspace, landing)
                _write(ground, site, platform)
                _apply(ground, node, say)
                yield OnNode(site, ground, {name: _kubeconfig(node, name) for name in teams.by_name})


def _require_jobs(workspace: Path, teams: Teams) -> None:
    """Raises: ConfigError with every team of which no image can be made."""
    from k8s.images.team import code_part

    for name in sorted(teams.by_name):
        code_part(workspace, name)


@contextmanager
def _node(workspace: Path, say: "Say") -> Iterator["Node"]:
    from k8s.local.binaries import ensure_binaries
    from k8s.local.node import running
    from k8s.local.node.layout import Layout

    binaries = ensure_binaries(os.environ, say)
    kept = running.found(Layout.of(NAME, workspace / _CLUSTERS / NAME, binaries))
    if kept is not None:
        say(f"using the cluster that is up: {kept.layout.where.endpoint}")
        yield kept
        return
    with running.running(Layout.of(f"{NAME}-demo", workspace / _CLUSTERS / "demo", binaries)) as node:
        say(f"a cluster is up: {node.layout.where.endpoint}")
        yield node


def _images(workspace: Path, teams: Sequence[str], node: "Node", *, cached: bool, say: "Say") -> dict[str, str]:
    """By team, and ``alluxio``: names of images that the node has."""
    from k8s.images.cache import build_cache
    from k8s.images.parts import Builder
    from k8s.images.spark import build_spark
    from k8s.images.team import build_team
    from k8s.local.node.images import import_images

    builder = Builder(os.environ, workspace / _LOCK, say, PREFIX)
    base = build_spark(builder)
    made: dict[str, Image] = {name: build_team(workspace, name, base, builder=builder, thin=True) for name in teams}
    if cached:
        made["alluxio"] = build_cache(builder, base, thin=True)
    new = import_images(node.layout, [base.archive, *(one.archive for one in made.values())], node.inside)
    say(f"{len(made)} images of the teams' jobs are on it ({len(new)} archive(s) imported)")
    return {name: one.name for name, one in made.items()}


def _ground(workspace: Path) -> Path:
    """What stands for the workspace where runs are pods."""
    ground = private_folder(private_folder(workspace / _CLUSTERS) / "ground")
    (ground / TEAM_FILES).mkdir(parents=True, exist_ok=True)
    if not (ground / "jobs").is_symlink():
        (ground / "jobs").symlink_to((workspace / "jobs").resolve())
    return ground


def _fitted(team: Team, store: BucketStore, *, images: Mapping[str, str], cached: bool) -> Team:
    """The team with a part of the cluster, its store in a bucket, and its sources' files where pods find them."""
    told = with_store(team, store).model_dump(mode="json", exclude_defaults=True)
    told |= {} if team.is_tenant else dict(_FACTS)
    told |= {"image": images[team.team], "images": [f"{PREFIX}/*"], "landing": f"s3://{LANDING}"}
    told["reads"] = [*team.reads, f"s3://{LANDING}/*"]
    told["cache"] = AlluxioPlace(kind="alluxio", memory=_MEMORY).model_dump(mode="json") if cached else None
    return Team.parse(told, where=f"{team.team}.yaml")


def _iam(teams: Teams, fit: Any, platform: "Platform") -> str:
    """Of the server; its address is in none of its roles."""
    from k8s.identity.documents import seaweedfs_roles, token_service
    from k8s.identity.roles import signing_key

    fitted = {name: fit(team, bucket_place("http://127.0.0.1:1", team)) for name, team in teams.by_name.items()}
    assert platform.store_identity is not None, "set by _platform"
    roles = seaweedfs_roles(Teams(teams.workspace, fitted), platform, platform.store_identity)
    return json.dumps({"sts": token_service(platform.store_identity, signing_key()), **roles})


def _platform(node: "Node", jwks: str, cache_image: str | None) -> "Platform":
    from k8s.platform import Platform

    layout = node.layout
    return Platform.parse(
        {
            # What is behind the API server's Service: walls see addresses as they are after that.
            "api": [{"network": f"{layout.address}/32", "port": layout.where.api}],
            "s3": [{"network": f"{layout.host}/32", "port": 1}],
            "airflow": [{"network": f"{layout.host}/32", "port": 8080}],
            "airflow_images": [f"{PREFIX}/"],
            "issuer": "https://kubernetes.default.svc.cluster.local",
            "store_identity": {"kind": "seaweedfs", "file": "/nowhere", "jwks": jwks},
            "cache_image": cache_image,
        },
        where="the platform of a cluster on this machine",
    )


def _write(ground: Path, site: Site, platform: "Platform") -> None:
    """The platform's file, with the store's port as it is now, and the teams'."""
    from framework.tenancy.load import load_teams
    from k8s.platform import FILE, Endpoint

    teams = load_teams(ground, site.team_files).by_name
    (reach,) = platform.s3
    port = int(str(_store_of(site).endpoint).rpartition(":")[2])
    told = platform.model_copy(update={"s3": (Endpoint(network=reach.network, port=port),)})
    write_private(ground / FILE, json.dumps(told.model_dump(mode="json", exclude_none=True)))
    for old in (ground / TEAM_FILES).glob("*.yaml"):
        old.unlink()
    for name, team in teams.items():
        write_private(ground / TEAM_FILES / f"{name}.yaml", as_yaml(team))


def _store_of(site: Site) -> BucketStore:
    """Any team's: all are on one server."""
    from framework.tenancy.load import load_teams

    store = next(iter(load_teams(site.team_files, site.team_files).by_name.values())).store
    assert isinstance(store, BucketStore), "made by _fitted"
    return store


def _land(site: Site, admin: Keys, workspace: Path, landing: Path) -> None:
    """The files that sources name, under the same names as in the workspace."""
    from framework.storage.s3 import S3Store  # only now: nobody else pays for boto3
    from framework.storage.s3client import Bucket, connect

    own = _store_of(site)
    store = S3Store(Bucket(LANDING, "", own.endpoint, own.region), connect=lambda bucket: connect(bucket, admin))
    for file in sorted(path for path in landing.rglob("*") if path.is_file()):
        place = f"/{file.relative_to(workspace)}"
        found = store.stat(place)
        if found is None or found.bytes != file.stat().st_size:
            store.put_file(place, lambda file=file: file.open("rb"))  # type: ignore[misc]  # a loop's variable, bound


def _apply(ground: Path, node: "Node", say: "Say") -> None:
    from framework.tenancy.load import load_teams
    from k8s.tenant.layer import KUBECONFIG, KubernetesLayer

    teams = load_teams(ground)
    layer = KubernetesLayer(layers.Site(ground, teams, os.environ, {KUBECONFIG: str(node.kubeconfig)}))
    for name, team in teams.by_name.items():
        steps = layers.in_order([layer.prospect(team)])
        layers.perform(steps, lambda _: None, again="run again")
        say(f"team {name} has its part of the cluster ({len(steps)} steps)")


def _kubeconfig(node: "Node", team: str) -> Mapping[str, Any]:
    """The launcher's, as the team's connection in Airflow has it."""
    from k8s.local.keys import config_of

    names, layout = Names(team), node.layout
    token = _cluster(node).token(names.airflow_namespace, names.launcher, lives_s=_TOKEN_S)
    authority = (layout.pki / "ca.crt").read_bytes()
    return config_of(layout.where.endpoint, authority, {"token": token}, names.namespace)


def _cluster(node: "Node") -> Any:
    from k8s.client import Cluster

    return Cluster.of(node.kubeconfig)
