"""Launches on a real node where it is rough: no room, half a launch, kills, and whom a pod can talk to."""

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from framework.errors import ConfigError, NoRoom, PolicyError
from framework.identity import Epoch, RunKey
from framework.launch.base import CONFIG, RESULT, UNFINISHED, LaunchRequest, Phase
from k8s.client import Place
from k8s.launch.launcher import KubernetesLauncher
from k8s.launch.naming import EXECUTOR, labels
from k8s.launch.needs import Needs, quota_of
from k8s.pods import RESTRICTED
from tests import waiting
from tests.servers.node import RealNode

# Whoever is first waits for a node to start and to be given its images.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WITHIN_S = 400.0
until = partial(waiting.until, within_s=WITHIN_S)
# Small and quick: what is tried is the launcher.
SLEEP = ("python3", "-I", "-S", "-c", "import time; time.sleep(1)", CONFIG, RESULT)


def request(
    node: RealNode, name: str, *, team: str = "flights", executors: int = 0, command: tuple[str, ...] = SLEEP
) -> LaunchRequest:
    key = RunKey(team, f"{team}.daily", name, "20130101T000000Z")
    resources = node.resources(executors)
    return LaunchRequest(name, key, Epoch("1f" * 8, 1, 1), 0, command, b"{}", connections=b"{}", resources=resources)


@pytest.fixture
def launcher(node: RealNode) -> Iterator[KubernetesLauncher]:
    node.empty("flights")
    until(lambda: left(node) == [])  # what belonged to those pods goes a moment later
    yield KubernetesLauncher(node.launcher("flights"), "flights")
    node.empty("flights")


def left(node: RealNode) -> list[str]:
    kinds = ("Pod", "ConfigMap", "Secret")
    found = [one for kind in kinds for one in node.admin.list("v1", kind, namespace="flights")]
    return [one["metadata"]["name"] for one in found if one["metadata"]["name"] != "kube-root-ca.crt"]


def _ended(launcher: KubernetesLauncher, name: str) -> bool:
    return launcher.status(name).phase not in UNFINISHED


def test_fifty_jobs_of_which_few_fit_all_end_and_never_share_room(node: RealNode, launcher: KubernetesLauncher) -> None:
    """Each asks for two executors that it never makes: what counts is what it may have."""
    quota = node.admin.get(Place("v1", "ResourceQuota", "flights", "team"))
    assert quota is not None
    whole, one = quota_of(quota), Needs.of(node.resources(2))
    fit = min(whole.cpu // one.cpu, whole.memory // one.memory, whole.pods // one.pods)
    ended: list[str] = []
    most, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            pods = node.admin.list("v1", "Pod", namespace="flights")
            living = [p for p in pods if p["status"]["phase"] not in ("Succeeded", "Failed")]
            most[0] = max(most[0], len([p for p in living if "deletionTimestamp" not in p["metadata"]]))

    def work(numbers: range) -> None:
        own = KubernetesLauncher(node.launcher("flights"), "flights")
        for number in numbers:
            asked = request(node, f"j{number}", executors=2)
            while True:
                try:
                    own.start(asked)
                    break
                except NoRoom:
                    time.sleep(0.3)
            until(partial(_ended, own, asked.name))
            own.clear(asked.name)
            ended.append(asked.name)

    watcher = threading.Thread(target=watch)
    watcher.start()
    workers = [threading.Thread(target=work, args=(range(n, 50, 10),)) for n in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=WITHIN_S)
    done.set()
    watcher.join()

    assert len(ended) == 50
    # One may be there that is about to withdraw.
    assert 1 <= most[0] <= fit + 1
    assert {launcher.status(f"j{n}").phase for n in range(50)} == {Phase.SUCCEEDED}


def test_what_can_never_fit_is_told_at_once_and_makes_nothing(node: RealNode, launcher: KubernetesLauncher) -> None:
    with pytest.raises(ConfigError, match="can never fit"):
        launcher.start(request(node, "giant", executors=50))

    assert left(node) == []


@pytest.mark.parametrize(
    ("image", "error"),
    [("elsewhere.example.org/x/y:1", "image is below none"), ("teamspark.local/jobs/x:latest", "not latest")],
)
def test_what_admission_denies_leaves_nothing(
    node: RealNode, launcher: KubernetesLauncher, image: str, error: str
) -> None:
    from dataclasses import replace

    asked = request(node, "denied")
    assert asked.resources is not None

    with pytest.raises(PolicyError, match=error):
        launcher.start(replace(asked, resources=replace(asked.resources, image=image)))

    assert left(node) == []


def test_a_launch_of_which_only_the_pod_was_made_is_completed_by_the_next(
    node: RealNode, launcher: KubernetesLauncher
) -> None:
    """As a launcher leaves it that dies after its first request."""
    from k8s.launch.pods import launch_of

    asked = request(node, "half")
    node.launcher("flights").create(launch_of(asked).pod)
    time.sleep(1)
    assert launcher.status("half").phase is Phase.PENDING

    launcher.start(asked)

    until(lambda: launcher.status("half").phase is Phase.SUCCEEDED)


def test_half_a_launch_that_is_ended_leaves_nothing(node: RealNode, launcher: KubernetesLauncher) -> None:
    from k8s.launch.pods import launch_of

    node.launcher("flights").create(launch_of(request(node, "half")).pod)

    launcher.kill("half")

    assert left(node) == []


def test_a_kill_takes_driver_executors_configuration_and_secret(node: RealNode, launcher: KubernetesLauncher) -> None:
    asked = request(node, "killed", command=("sleep", "600"))
    launcher.start(asked)
    until(lambda: launcher.status("killed").phase is Phase.RUNNING)
    driver = node.admin.get(Place("v1", "Pod", "flights", "killed"))
    assert driver is not None
    node.as_account("flights", "driver").create(executor(node, asked, driver))
    assert sorted(left(node)) == ["killed", "killed", "killed", "killed-exec-1"]

    launcher.kill("killed")

    until(lambda: left(node) == [])


def executor(node: RealNode, asked: LaunchRequest, driver: dict[str, Any]) -> dict[str, Any]:
    """As Spark makes one: owned by its driver."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": driver["metadata"]["name"], "uid": driver["metadata"]["uid"]}
    main = {
        "name": "main", "image": node.image, "args": ["sleep", "600"], "securityContext": RESTRICTED,
        "resources": {"limits": {"cpu": "100m", "memory": "64Mi"}},
    }  # fmt: skip
    name = f"{asked.name}-exec-1"
    metadata = {"name": name, "namespace": "flights", "labels": labels(asked, EXECUTOR), "ownerReferences": [owner]}
    spec = {
        "serviceAccountName": "executor",
        "containers": [{**main, "securityContext": {**RESTRICTED, "runAsUser": 185}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def test_executors_that_a_driver_left_and_old_drivers_go(node: RealNode, launcher: KubernetesLauncher) -> None:
    from k8s.launch.launcher import Habits

    asked = request(node, "ends")
    launcher.start(asked)
    until(lambda: launcher.status("ends").phase is Phase.RUNNING)
    driver = node.admin.get(Place("v1", "Pod", "flights", "ends"))
    assert driver is not None
    node.as_account("flights", "driver").create(executor(node, asked, driver))
    until(lambda: launcher.status("ends").phase is Phase.SUCCEEDED)
    assert "ends-exec-1" in left(node)

    launcher.clear("ends")

    until(lambda: left(node) == ["ends"])
    KubernetesLauncher(node.launcher("flights"), "flights", habits=Habits(keep_s=0)).start(request(node, "next"))
    until(lambda: "ends" not in left(node))


LISTEN = "import http.server as h; h.HTTPServer(('', 7078), h.BaseHTTPRequestHandler).serve_forever()"
KNOCK = """
import json, socket, sys
def open_(where):
    try:
        socket.create_connection(where, timeout=3).close()
        return True
    except OSError:
        return False
sys.stdout.write(json.dumps([open_((host, int(port))) for host, port in (word.split(':') for word in sys.argv[1].split(','))]))
"""


def test_pods_of_two_teams_do_not_reach_each_other(node: RealNode, launcher: KubernetesLauncher) -> None:
    """The witness is the same connection by a pod of the same team, and the server that both may reach."""
    listening = request(node, "listens", command=("python3", "-c", LISTEN))
    launcher.start(listening)
    until(lambda: launcher.status("listens").phase is Phase.RUNNING)
    target = node.admin.get(Place("v1", "Pod", "flights", "listens"))
    assert target is not None
    layout = node.node.layout
    doors = [f"{target['status']['podIP']}:7078", f"{layout.address}:{layout.where.api}", f"{layout.address}:10250"]

    mine = knocked(node, launcher, "flights", doors)
    other = knocked(node, KubernetesLauncher(node.launcher("insights"), "insights"), "insights", doors)

    assert mine == [True, True, False]
    assert other == [False, True, False]
    node.empty("insights")


def knocked(node: RealNode, launcher: KubernetesLauncher, team: str, doors: list[str]) -> list[bool]:
    """Which of these a pod of the team can open."""
    asked = request(node, f"knocks-{team}", team=team, command=("python3", "-c", KNOCK, ",".join(doors)))
    launcher.start(asked)
    until(lambda: launcher.status(asked.name).phase is Phase.SUCCEEDED)
    told: list[bool] = json.loads(launcher.log(asked.name))
    return told


def test_logs_and_pods_of_another_team_are_closed(node: RealNode, launcher: KubernetesLauncher) -> None:
    launcher.start(request(node, "mine"))
    until(lambda: launcher.status("mine").phase is Phase.SUCCEEDED)
    foreign = node.launcher("insights")

    for path in ("pods", "pods/mine/log", "configmaps", "secrets"):
        with pytest.raises(PolicyError):
            foreign.ask("GET", f"/api/v1/namespaces/flights/{path}")
    node.launcher("flights").ask("GET", "/api/v1/namespaces/flights/pods/mine/log")


def test_after_many_kills_no_pod_or_file_is_left(node: RealNode, launcher: KubernetesLauncher) -> None:
    """Killed at any moment of their start."""
    for number in range(20):
        asked = request(node, f"k{number}", command=("sleep", "600"))
        starting = threading.Thread(target=launcher.start, args=(asked,))
        starting.start()
        time.sleep(number * 0.05)
        starting.join()
        launcher.kill(asked.name)

    until(lambda: left(node) == [])


FILL = """
import sys, time
with open("/tmp/heap", "wb") as out:
    for _ in range(int(sys.argv[1])):
        out.write(bytes(2**20))
time.sleep(float(sys.argv[2]))
"""


def test_who_fills_the_nodes_disk_is_evicted_and_who_does_not_goes_on(
    node: RealNode, launcher: KubernetesLauncher
) -> None:
    """A container may fill 1 GiB here."""
    filling = ("python3", "-I", "-S", "-c", FILL)
    launcher.start(request(node, "modest", command=(*filling, "64", "1", CONFIG, RESULT)))
    launcher.start(request(node, "filling", command=(*filling, "1200", "600", CONFIG, RESULT)))

    until(lambda: launcher.status("filling").phase not in UNFINISHED)

    status = launcher.status("filling")
    assert status.phase is Phase.LOST
    assert "Evicted" in str(status.why)
    until(lambda: launcher.status("modest").phase is Phase.SUCCEEDED)
