"""A node of a question's own, with one team in it; where Spark is asked about, with its image, a store, and a plain namespace."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import ROOT
from framework.home import cache_home
from framework.servers import seaweed
from framework.servers.identities import REGION, administrator
from framework.storage.keys import Keys
from framework.tenancy.model import Team
from k8s.client import Cluster, Place
from k8s.images.debian import USER
from k8s.images.kept import ensure_part, images_home, locked
from k8s.images.oci import Settings
from k8s.images.parts import Builder
from k8s.images.spark import Image, build_spark, written
from k8s.images.spark import Place as Shelf
from k8s.images.team import build_team
from k8s.images.tool import FOLDER, Tool, build_tool, folder_part
from k8s.launch.launcher import KubernetesLauncher
from k8s.local.binaries import ensure_binaries
from k8s.local.node import cgroups
from k8s.local.node.images import import_images
from k8s.local.node.layout import Layout
from k8s.local.node.running import Node, running
from k8s.platform import Platform
from k8s.render.team import cluster_objects, team_objects
from k8s.tenant.waiting import await_policies

TEAM: Final = "bench"
# The name under which tests of the node have the same image: it is written once.
IMAGES: Final = "teamspark.local/jobs"
LOCK: Final = ROOT / "locks/jobs.txt"
WITHIN_S: Final = 600.0
FACTS: Final[dict[str, Any]] = {
    "team": TEAM, "owners": ["bench@example.org"],
    "quota": {"cpu": 2, "memory": "6Gi", "pods": 64},
    "limits": {"driver": {"cpu": 1, "memory": "1Gi"}, "executor": {"cpu": 1, "memory": "1Gi"}, "max_executors": 1},
    "images": [f"{IMAGES}/*"],
}  # fmt: skip


@dataclass(frozen=True)
class Benched:
    """``tiny`` holds Python and nothing else. ``spark``, ``jobs``, ``tool``: images for Spark, for the team's job, and for its
    program, where asked for.
    """

    node: Node
    admin: Cluster
    team: Team
    tiny: str
    spark: str = ""
    jobs: str = ""
    tool: str = ""
    keys: Keys | None = None

    def launcher(self) -> KubernetesLauncher:
        """Of its own: a client of its own, as each of Airflow's workers has one."""
        token = self.admin.token(f"{TEAM}-airflow", "launcher")
        return KubernetesLauncher(self.admin.as_bearer(token), TEAM)

    def empty(self, space: str) -> None:
        """Take away all pods of a namespace, and wait until they are gone."""
        deadline = time.monotonic() + WITHIN_S
        while pods := self.admin.list("v1", "Pod", namespace=space):
            require_soon(deadline, f"pods of {space} do not go")
            for one in pods:
                self.admin.delete(Place("v1", "Pod", space, one["metadata"]["name"]), grace_s=0)
            time.sleep(0.1)


def require_soon(deadline: float, why: str) -> None:
    """Raises: RuntimeError when it is past ``deadline``."""
    if time.monotonic() > deadline:
        raise RuntimeError(why)


@contextmanager
def prepared(*, whole: bool) -> Iterator[Benched]:
    """The node as long as the block lasts. ``whole``: for Spark too. Raises: SetupError, ServerFailed."""
    binaries = ensure_binaries(os.environ, print)
    above = cache_home(os.environ) / "nodes"
    above.mkdir(parents=True, exist_ok=True)
    _tidy(above)
    home = Path(tempfile.mkdtemp(prefix=f"bench-{os.getpid()}-", dir=above))
    try:
        layout = Layout.of(f"b{os.getpid()}", home, binaries, slot=os.getpid() % 250)
        with running(layout) as node, ExitStack() as undo:
            yield _furnished(node, home, undo) if whole else _small(node)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _tidy(above: Path) -> None:
    """What killed runs left; a folder has its maker's number."""
    for old in above.glob("bench-*"):
        if not Path("/proc", old.name.split("-")[1]).exists():
            cgroups.remove(f"teamspark-b{old.name.split('-')[1]}")
            shutil.rmtree(old, ignore_errors=True)


def _small(node: Node) -> Benched:
    image = _tiny()
    import_images(node.layout, [image.archive], node.inside)
    admin = Cluster.of(node.kubeconfig)
    team = Team.parse({**FACTS, "image": image.name, "store": {"kind": "directory", "root": "store"}}, where=TEAM)
    _admit(admin, node, team, 8333)
    return Benched(node, admin, team, image.name)


def _furnished(node: Node, home: Path, undo: ExitStack) -> Benched:
    from benchmarks.pods.first_task import JOBS

    for name, text in JOBS.items():
        (home / "workspace" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "workspace" / name).write_text(text)
    builder = Builder(os.environ, LOCK, print, IMAGES)
    tiny, spark = _tiny(), build_spark(builder)
    jobs = build_team(home / "workspace", TEAM, spark, builder=builder, output=home, thin=True)
    tool = _tool(builder, home / "tool")
    import_images(node.layout, [tiny.archive, spark.archive, jobs.archive, tool.archive], node.inside)
    owner = administrator()
    live = undo.enter_context(seaweed.running(home / "server", (owner,), address=node.layout.host))
    live.make_buckets([f"{TEAM}-data"], owner.keys)
    store = {"kind": "s3", "bucket": f"{TEAM}-data", "endpoint": live.endpoint, "region": REGION}
    team = Team.parse({**FACTS, "image": jobs.name, "store": store}, where=TEAM)
    admin = Cluster.of(node.kubeconfig)
    _admit(admin, node, team, int(live.endpoint.rpartition(":")[2]))
    return Benched(node, admin, team, tiny.name, spark.name, jobs.name, tool.name, owner.keys)


def _tool(builder: Builder, folder: Path) -> Image:
    from benchmarks.steps import SCRIPT

    folder.mkdir()
    (folder / "tool.py").write_text(SCRIPT)
    parts = (builder.debian(), folder_part("bench-tool", folder))
    return build_tool(builder, Tool(TEAM, "tool", parts, ("python3", f"{FOLDER}/tool.py")))


def _tiny() -> Image:
    """Debian with Python: imported in a second."""
    builder = Builder(os.environ, LOCK, print, IMAGES)
    home = images_home(os.environ)
    with locked(home):
        kept = ensure_part(home, builder.debian(), print)
        return written(Shelf(home, f"{IMAGES}/tiny"), [kept], Settings(user=f"{USER}:{USER}"))


def _admit(admin: Cluster, node: Node, team: Team, s3: int) -> None:
    layout = node.layout
    told = {
        "api": [{"network": f"{layout.address}/32", "port": layout.where.api}],
        "s3": [{"network": f"{layout.host}/32", "port": s3}],
        "airflow": [{"network": f"{layout.host}/32", "port": 8080}],
        "airflow_images": [f"{IMAGES}/"],
        "issuer": "https://kubernetes.default.svc.cluster.local",
    }
    for one in (*cluster_objects(), *team_objects(team, Platform.parse(told, where="platform.yaml"))):
        admin.apply(one)
    await_policies(admin, TEAM)
