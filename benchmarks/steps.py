"""What do our two steps around a program cost? The program alone in a pod by hand, and between ``prepare`` and ``publish``.

It reads one small file and writes another: what it costs to carry data is another question. Asked in full only, on a node of its own.
"""

import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from benchmarks.pairs import SEED, Answer, ratio_of, run_pairs
from benchmarks.pods import is_possible
from benchmarks.pods.place import TEAM, WITHIN_S, Benched, prepared, require_soon
from benchmarks.pods.plain import SPACE
from framework.config import ContainerFacts, EdgeRef, ExportedConfig, RunFacts
from framework.container.layout import POD
from framework.identity import Epoch, RunKey
from framework.launch.base import LaunchRequest, Program, Resources, Share, step_command
from framework.tenancy.render import as_yaml
from k8s.client import Place
from k8s.images.parts import PACKAGES
from k8s.launch.parts import FILES

ROUNDS: Final = 15
MOST_S: Final = 3.0
SIZE: Final = Share("1", "1Gi")
OURS, BARE, ALLOWED = "between our steps", "a bare pod", f"a bare pod, and {MOST_S:.0f} s"
SCRIPT: Final = """
import json, os, pathlib
told = os.environ.get("TEAMSPARK_CONFIG")
asked = json.loads(pathlib.Path(told).read_text()) if told else {"inputs": {}, "outputs": {"default": {"path": "/tmp"}}}
text = [(pathlib.Path(one["path"]) / name).read_text() for one in asked["inputs"].values() for name in one["files"]]
(pathlib.Path(asked["outputs"]["default"]["path"]) / "told.txt").write_text("".join(text) or "told")
"""
_FIRST: Final = "first"
_ENDED: Final = ("Succeeded", "Failed")


def ask(*, small: bool) -> tuple[Answer, ...]:
    if small or not is_possible("steps"):
        return ()
    with prepared(whole=True) as place:
        return (steps(place, ROUNDS),)


def steps(place: Benched, rounds: int) -> Answer:
    """From asking for a pod until it has ended, by the API server. Raises: RuntimeError."""
    numbers, draw = count(), random.Random(SEED)  # kubelet looks once a second: nobody is to start right after a look
    place.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    _ours(place, _FIRST, {})
    edge = (EdgeRef(team=TEAM, dag_id=f"{TEAM}.daily", task_id=_FIRST, same_dag=True),)
    seconds = run_pairs(
        {
            OURS: lambda: _ours(place, f"tool-{next(numbers)}", {"told": edge}, draw.random()),
            BARE: lambda: _bare(place, f"bare-{next(numbers)}", draw.random()),
        },
        rounds,
    )
    allowed = tuple(one + MOST_S for one in seconds[BARE])
    more = ratio_of([ours - bare for ours, bare in zip(seconds[OURS], seconds[BARE], strict=True)])
    return Answer(
        "seconds from asking for a program's run until it has ended, over a bare pod of the same image and 3 s",
        ALLOWED,
        {ALLOWED: allowed, OURS: seconds[OURS], BARE: seconds[BARE]},
        {OURS: 1.0},
        (f"our steps take {more} s more",),
    )


def _ours(place: Benched, name: str, inputs: Mapping[str, tuple[EdgeRef, ...]], later: float = 0) -> float:
    launcher, asked = place.launcher(), _request(place, name, inputs)
    time.sleep(later)
    began = time.monotonic()
    launcher.start(asked)
    return _ended(place, TEAM, name, began)


def _request(place: Benched, name: str, inputs: Mapping[str, tuple[EdgeRef, ...]]) -> LaunchRequest:
    assert place.keys is not None, "a place for programs has a store"
    key, epoch = RunKey(TEAM, f"{TEAM}.daily", name, "20130101T000000Z"), Epoch("1f" * 8, 1, 1)
    config = ExportedConfig(
        key=key, epoch=epoch, job=place.tool, workspace=PACKAGES, team_files=f"{FILES}/teams", inputs=inputs,
        run=RunFacts(run_id="r", run_after=datetime(2013, 1, 1, tzinfo=UTC)), container=ContainerFacts(image=place.tool),
    )  # fmt: skip
    env = POD.variables(inputs, ["default"])
    return LaunchRequest(
        name, key, epoch, 0, (), config.json_bytes(), env=place.keys.environment(),
        resources=Resources(place.jobs, SIZE, SIZE, 0), files={f"teams/{TEAM}.yaml": as_yaml(place.team)},
        program=Program(place.tool, step_command("prepare"), step_command("publish"), env),
    )  # fmt: skip


def _bare(place: Benched, name: str, later: float) -> float:
    amounts = {"cpu": SIZE.cpu, "memory": SIZE.memory}
    main = {
        "name": "program", "image": place.tool, "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": amounts, "requests": amounts}, "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
    }  # fmt: skip
    spec = {"restartPolicy": "Never", "containers": [main], "volumes": [{"name": "scratch", "emptyDir": {}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SPACE}, "spec": spec}
    time.sleep(later)
    began = time.monotonic()
    place.admin.create(pod)
    return _ended(place, SPACE, name, began)


def _ended(place: Benched, space: str, name: str, began: float) -> float:
    """Seconds until the pod has. Raises: RuntimeError for one that failed."""
    deadline = time.monotonic() + WITHIN_S
    while (phase := _told(place, space, name).get("phase")) not in _ENDED:
        require_soon(deadline, f"{name} does not end")
        time.sleep(0.05)
    took = time.monotonic() - began
    if phase == "Failed":
        raise RuntimeError(f"{name}: {_told(place, space, name)}")
    place.empty(space)
    return took


def _told(place: Benched, space: str, name: str) -> Mapping[str, Any]:
    pod = place.admin.get(Place("v1", "Pod", space, name))
    return {} if pod is None else pod.get("status", {})
