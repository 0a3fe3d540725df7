"""A team whose store is a file system: its pods find its volume, write as its user, and no other team finds it."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from framework.config import EdgeRef, RunResult
from framework.errors import PolicyError
from framework.identity import RunKey
from framework.tenancy.load import load_teams
from framework.tenancy.render import as_yaml
from tests.k8s.launch.programs import WORDS, as_program, import_scripts
from tests.k8s.launch.test_spark import RUN, request_of, result_of
from tests.servers.cluster import Whole
from tests.servers.node import IMAGES, tenant

# Whoever is first waits for a node to start and to be given its images.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

UID, GID = 4711, 4712
STORE = {"kind": "efs", "root": "/srv/harbour", "uid": UID, "gid": GID, "mode": "0750"}


@pytest.fixture(scope="module")
def harbour(whole: Whole) -> Iterator[Path]:
    """The folder that is the team's volume, as the node sees it."""
    from k8s.client import Place
    from k8s.platform import NodeFolder
    from k8s.render.team import team_objects
    from k8s.tenant.waiting import await_policies

    folder = whole.node.node.layout.home / "files" / "harbour"
    (folder / "landing").mkdir(parents=True)
    (folder / "landing" / "ships.csv").write_text("ship\nArgo\nPequod\n")
    for path in (folder, folder / "landing", folder / "landing" / "ships.csv"):
        os.chown(path, UID, GID)
    folder.chmod(0o750)
    team = tenant("harbour", store=STORE, image=_image(whole), reads=["/srv/harbour/landing/*"])
    (whole.workspace / "k8s/teams/harbour.yaml").write_text(as_yaml(team))
    platform = whole.platform.model_copy(update={"files": NodeFolder(kind="node", path=str(folder.parent))})
    objects = team_objects(team, platform)
    for one in objects:
        whole.node.admin.apply(one)
    await_policies(whole.node.admin, "harbour")
    yield folder
    (whole.workspace / "k8s/teams/harbour.yaml").unlink()
    for name in ("harbour", "harbour-airflow"):
        whole.node.admin.delete(Place("v1", "Namespace", "", name))
    whole.node.admin.delete(Place("v1", "PersistentVolume", "", "teamspark-harbour-store"))


def _image(whole: Whole) -> str:
    from k8s.images.parts import Builder
    from k8s.images.team import build_team
    from k8s.local.node.images import import_images

    builder = Builder(os.environ, Path("locks/jobs.txt"), print, IMAGES)
    made = build_team(whole.workspace, "harbour", whole.node.base, builder=builder, thin=True)
    import_images(whole.node.node.layout, [made.archive], whole.node.node.inside)
    return made.name


@pytest.fixture(scope="module")
def ships(whole: Whole, harbour: Path) -> RunResult:
    """What a run of Spark's has published there."""
    from k8s.launch.launcher import KubernetesLauncher
    from k8s.standing import Mounted

    key = RunKey("harbour", "harbour.daily", "ships", RUN)
    launcher = KubernetesLauncher(whole.node.launcher("harbour"), "harbour", Mounted("store", "/srv/harbour", UID, GID))
    request = request_of(whole, key, "jobs.harbour.ships:Ships")
    file = as_yaml(load_teams(whole.workspace).team("harbour"))

    return result_of(launcher, replace(request, files={"teams/harbour.yaml": file}))


def test_its_pods_write_there_as_its_user(harbour: Path, ships: RunResult) -> None:
    result = ships

    assert result.outputs["default"].rows == 2
    made = sorted((harbour / str(result.path).lstrip("/")).rglob("part-*.parquet"))
    owners = {(one.stat().st_uid, one.stat().st_gid, one.stat().st_mode & 0o777) for one in made}
    assert owners == {(UID, GID, 0o640)}
    users = {user for one in made for user in parquet.read_table(one)["user"].to_pylist()}
    assert users == {f"{UID}:{GID}"}


@pytest.mark.usefixtures("ships")
def test_a_program_reads_the_volume_by_links_and_is_published_there(
    whole: Whole, harbour: Path, tmp_path: Path
) -> None:
    """What ``Ships`` has published, by way of another image, as the same user."""
    from k8s.launch.launcher import KubernetesLauncher
    from k8s.standing import Mounted

    image = f"{IMAGES}/harbour/keeping:1"
    import_scripts(
        whole, tmp_path, {image: (Path(__file__).with_name("keeping.py"), {"user": "1:1", "entrypoint": WORDS})}
    )
    launcher = KubernetesLauncher(whole.node.launcher("harbour"), "harbour", Mounted("store", "/srv/harbour", UID, GID))
    edge = EdgeRef(team="harbour", dag_id="harbour.daily", task_id="ships")
    made = request_of(whole, RunKey("harbour", "harbour.daily", "keep", RUN), image, inputs={"ships": (edge,)})
    file = as_yaml(load_teams(whole.workspace).team("harbour"))

    asked = as_program(replace(made, files={"teams/harbour.yaml": file}), image, "volume", inputs=("ships",))
    result = result_of(launcher, asked)

    kept = sorted((harbour / str(result.path).lstrip("/")).rglob("default/*"))
    assert result.outputs["default"].files == len(kept)
    facts = json.loads(next(one for one in kept if one.name == "told.json").read_text())
    assert facts == {"user": f"{UID}:{GID}", "links": True, "refused": True}
    (ships,) = [parquet.read_table(one) for one in kept if one.suffix == ".parquet"]
    assert ships.num_rows == 2
    assert {(one.stat().st_uid, one.stat().st_gid, one.stat().st_mode & 0o777) for one in kept} == {(UID, GID, 0o640)}


@pytest.mark.usefixtures("harbour")
def test_another_team_cannot_claim_it(whole: Whole) -> None:
    """Neither by the claim's name, nor by a claim of its own: it may make none, and the volume is bound."""
    from k8s.pods import small_pod

    volumes = [{"name": "store", "persistentVolumeClaim": {"claimName": "store"}}]
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "theirs", "namespace": "flights"},
        "spec": {
            "accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": "teamspark-harbour-store",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }  # fmt: skip

    launcher = whole.node.launcher("flights")
    with pytest.raises(PolicyError, match="volumes are emptyDir"):
        launcher.create(small_pod("flights", whole.node.image, volumes=volumes), dry_run=True)
    with pytest.raises(PolicyError, match="cannot create resource"):
        launcher.create(claim, dry_run=True)
    whole.node.launcher("harbour").create(small_pod("harbour", whole.node.image, volumes=volumes), dry_run=True)
