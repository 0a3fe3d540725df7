"""The image of Airflow's workers: parts that anybody makes the same, and on a node, admitted as a worker's pod is."""

import os
import shutil
import time
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from k8s.images.airflow import AIRFLOW_HOME, SETTINGS, bindings, build_airflow, commands, places
from k8s.images.blobs import tree_digest
from k8s.images.kept import Part
from k8s.images.parts import PACKAGES, Builder
from k8s.images.recipes import AIRFLOW_LOCK
from tests.servers.node import IMAGES, RealNode

ROOT = Path(__file__).resolve().parents[3]
NEEDS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("debootstrap") is None, reason="debootstrap, and root for it"
)
WITHIN_S = 240.0
# What a worker does, in the order of a task's life; the second file breaks a rule of the platform's.
WORK = """\
import sys
from pathlib import Path
import airflow.sdk.execution_time.execute_workload, airflow_bindings.operators, k8s.client, k8s.launch.launcher
from airflow_bindings.export import Bundle, DagsRefused, export_edges
def edges(text):
    place = Path("/tmp/bundle")
    place.mkdir(exist_ok=True)
    (place / "daily.py").write_text(text)
    return export_edges((Bundle("flights", place),), Path("/tmp/none")).tasks
print("tasks", len(edges(sys.argv[1])))
try:
    edges(sys.argv[1].replace("jobs.flights.", "jobs.insights."))
except DagsRefused as error:
    print("refused", "is not of team 'flights'" in str(error.told))
try:
    Path("/opt/teamspark/new").touch()
except OSError as error:
    print("read-only", error.errno)
"""


def builder() -> Builder:
    return Builder(os.environ, ROOT / "locks" / "jobs.txt", print, IMAGES)


def made(part: Part, tree: Path) -> Path:
    tree.mkdir(parents=True)
    part.make(tree)
    return tree


def test_a_worker_has_our_rooms_without_what_is_a_team_s(tmp_path: Path) -> None:
    tree = made(bindings(), tmp_path / "tree")

    assert bindings().target == PACKAGES
    assert (tree / "airflow_bindings/operators.py").is_file()
    assert (tree / "k8s/launch/launcher.py").is_file()
    assert (tree / "k8s/images/entrypoint").is_file()
    assert not (tree / "airflow_bindings/dags").exists()
    assert not (tree / "k8s/teams").exists()


def test_airflow_finds_the_policy_by_its_entry_point(tmp_path: Path) -> None:
    tree = made(bindings(), tmp_path / "tree")

    text = (tree / f"teamspark-{version('teamspark')}.dist-info" / "entry_points.txt").read_text()
    assert "[airflow.policy]\nteamspark = airflow_bindings.policy\n" in text
    assert "dags = airflow_bindings.cli:app" in text
    assert "benchmarks" not in text  # of a room that is not there


def test_commands_are_run_by_the_image_s_python(tmp_path: Path) -> None:
    tree = made(commands(), tmp_path / "tree")

    assert (tree / "airflow").read_text() == '#!/bin/sh\nexec python3 -m airflow "$@"\n'
    assert (tree / "airflow").stat().st_mode & 0o777 == 0o755
    assert (tree / "python").readlink() == Path("/usr/bin/python3")


@pytest.mark.parametrize("part", [bindings, commands, places])
def test_made_twice_a_part_is_the_same(part: Any, tmp_path: Path) -> None:
    first, second = (made(part(), tmp_path / name / "tree") for name in ("one", "other"))

    assert part().stem == part().stem
    assert tree_digest(first, part().target) == tree_digest(second, part().target)


@pytest.mark.long
@pytest.mark.timeout(900)
@NEEDS_ROOT
def test_built_twice_it_is_the_same(tmp_path: Path) -> None:
    images = []
    for name in ("one", "other"):
        apart = Builder({**os.environ, "XDG_CACHE_HOME": str(tmp_path / name)}, ROOT / "locks" / "jobs.txt", print)
        images.append(build_airflow(apart, ROOT / AIRFLOW_LOCK))
        shutil.rmtree(tmp_path / name)

    assert images[0].digest == images[1].digest
    assert images[0].name == images[1].name


@pytest.mark.e2e
@pytest.mark.timeout(900)
@NEEDS_ROOT
def test_a_worker_s_pod_runs_airflow_and_reads_dags(node: RealNode) -> None:
    from k8s.local.node.images import import_images

    image = build_airflow(builder(), ROOT / AIRFLOW_LOCK)
    import_images(node.node.layout, [image.archive], node.node.inside)
    script = 'airflow version && id -u && exec python -c "$0" "$1"'
    dags = (ROOT / "airflow_bindings/dags/flights/daily.py").read_text()

    phase, said = outcome(node, worker(image.name, "sh", "-c", script, WORK, dags))

    lines = said.splitlines()
    assert phase == "Succeeded", said
    assert lines[0] == version("apache-airflow")
    assert lines[1] == SETTINGS.user.partition(":")[0]
    assert lines[-3:] == ["tasks 3", "refused True", "read-only 30"]


def worker(image: str, *command: str) -> dict[str, Any]:
    """As an executor makes one: in Airflow's namespace, as the account that starts drivers, nothing writable but what is mounted."""
    from k8s.pods import small_pod

    folders = {"airflow": AIRFLOW_HOME, "scratch": "/tmp"}
    pod = small_pod(
        "flights", image, limits={"cpu": "500m", "memory": "1Gi"},
        serviceAccountName="launcher", restartPolicy="Never", enableServiceLinks=False,
        securityContext={"fsGroup": 185},
        volumes=[{"name": name, "emptyDir": {}} for name in folders],
    )  # fmt: skip
    pod["metadata"]["namespace"] = "flights-airflow"
    (main,) = pod["spec"]["containers"]
    main |= {"args": list(command), "volumeMounts": [{"name": n, "mountPath": p} for n, p in folders.items()]}
    main["securityContext"] = deepcopy(main["securityContext"]) | {"readOnlyRootFilesystem": True}
    return pod


def outcome(node: RealNode, pod: dict[str, Any]) -> tuple[str, str]:
    """The phase in which it ended, and what it printed."""
    from k8s.client import Place

    name = node.admin.create(pod)["metadata"]["name"]
    place = Place("v1", "Pod", "flights-airflow", name)
    deadline = time.monotonic() + WITHIN_S
    while True:
        status = (node.admin.get(place) or {})["status"]
        if status.get("phase") in ("Succeeded", "Failed"):
            break
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    said = node.admin.ask("GET", f"/api/v1/namespaces/flights-airflow/pods/{name}/log")
    node.admin.delete(place, grace_s=0)
    return status["phase"], said
