"""The life of a task whose run is a pod: real Airflow, real node, a driver that obeys."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from k8s.launch.naming import ROLE
from tests import waiting
from tests.airflow_bindings.platform import Platform
from tests.servers.cluster import Whole

# Whoever is first waits for a node to start and to be given its images.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DATE = datetime(2013, 1, 1, tzinfo=UTC)
BOTH_WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["polling", "deferred"])
WITHIN_S = 200.0
until = partial(waiting.until, within_s=WITHIN_S)


@pytest.fixture
def pods(platform: Platform, whole: Whole, monkeypatch: pytest.MonkeyPatch) -> Iterator["Pods"]:
    """The platform's tasks run on the node."""
    extra = {"kube_config": whole.node.config("flights-airflow", "launcher")}
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTS__KUBERNETES", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    settings = {
        "launcher": "kubernetes",
        "workspace": str(whole.workspace),
        "driver": "jobs.flights.obedient",
        "poll_s": "0.3",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"AIRFLOW__TEAMSPARK__{name.upper()}", value)
    yield Pods(whole)
    whole.node.empty("flights")


class Pods:
    """The drivers in the team's namespace, from outside."""

    def __init__(self, whole: Whole) -> None:
        self.whole, self.admin = whole, whole.node.admin

    def all(self) -> list[dict[str, Any]]:
        return list(self.admin.list("v1", "Pod", namespace="flights", labels=f"{ROLE}=driver"))

    def launches(self) -> list[tuple[int, int]]:
        epochs = [json.loads(one["metadata"]["annotations"]["teamspark.io/identity"])["epoch"] for one in self.all()]
        return sorted((epoch["try_number"], epoch["launch"]) for epoch in epochs)

    def running(self) -> dict[str, Any]:
        """The one that runs, waited for."""
        until(lambda: any(self._runs(one) for one in self.all()))
        (found,) = [one for one in self.all() if self._runs(one)]
        return found

    def _runs(self, one: dict[str, Any]) -> bool:
        return one["status"]["phase"] == "Running" and "deletionTimestamp" not in one["metadata"]

    def go(self, one: dict[str, Any]) -> None:
        (self.whole.node.scratch(one["metadata"]["uid"]) / "go").touch()

    def left(self) -> list[str]:
        """Names of what belongs to launches, pods apart."""
        kinds = ("ConfigMap", "Secret", "Service")
        found = [one for kind in kinds for one in self.admin.list("v1", kind, namespace="flights")]
        return [one["metadata"]["name"] for one in found if one["metadata"]["name"] != "kube-root-ca.crt"]


def one(platform: Platform, name: str, parameters: dict[str, Any], **arguments: Any) -> Any:
    return platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB, retry_delay=0, **{ {"parameters": parameters, **arguments}!r})
    """)


@contextmanager
def meanwhile(do: Callable[[], None]) -> Iterator[None]:
    """``do`` in a thread beside the block; what it raises is raised."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            do()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(timeout=WITHIN_S)
    if failed:
        raise failed[0]


@BOTH_WAYS
def test_a_task_is_a_pod_and_leaves_nothing_but_its_log(
    pods: Pods, platform: Platform, name: str, deferrable: bool, capfd: Any
) -> None:
    dag = one(platform, name, {}, deferrable=deferrable)
    run = platform.manual(dag, DATE)

    assert platform.run(dag, run) == {"delays": "success"}

    assert platform.xcom(dag, run, "delays")["attempt"] == 1
    (pod,) = pods.all()
    assert pod["status"]["phase"] == "Succeeded"
    assert pods.left() == []
    assert "| running jobs.flights.delays:Delays as launch 1" in capfd.readouterr().out


def test_errors_are_retried_or_not_as_they_say(pods: Pods, platform: Platform, name: str) -> None:
    dag = one(platform, name, {"first": ["retryable"], "do": "failed"}, retries=3)

    assert platform.run(dag, platform.manual(dag, DATE)) == {"delays": "failed"}

    assert pods.launches() == [(1, 1), (2, 2)]


@BOTH_WAYS
def test_a_driver_that_the_cluster_takes_away_starts_again_without_the_authors_retries(
    pods: Pods, platform: Platform, name: str, deferrable: bool, capfd: Any
) -> None:
    dag = one(platform, name, {"until": True}, retries=0, deferrable=deferrable)

    def evict() -> None:
        first = pods.running()
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": first["metadata"]["name"], "namespace": "flights"},
        }
        pods.admin.create_below("v1", "Pod", "eviction", body)
        until(lambda: [2 for _, launch in pods.launches() if launch == 2])
        pods.go(pods.running())

    with meanwhile(evict):
        assert platform.run(dag, platform.manual(dag, DATE)) == {"delays": "success"}

    assert "the machine lost the run" in capfd.readouterr().out


def test_what_is_too_greedy_is_told_so_and_not_taken_for_lost(
    pods: Pods, platform: Platform, name: str, capfd: Any
) -> None:
    dag = one(platform, name, {"do": "greedy"}, retries=0)

    assert platform.run(dag, platform.manual(dag, DATE)) == {"delays": "failed"}

    assert pods.launches() == [(1, 1)]
    told = capfd.readouterr().out
    assert "the driver needed more than its 1Gi of memory" in told


def test_a_run_out_of_time_is_gone_when_the_task_ends(pods: Pods, platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB, parameters={{"until": True}}, execution_timeout=timedelta(seconds=8))
    """)

    assert platform.run(dag, platform.manual(dag, DATE)) == {"delays": "failed"}

    assert pods.all() == []
    until(lambda: pods.left() == [])


def test_a_deferred_run_whose_trigger_failed_is_gone_when_the_task_ends(
    pods: Pods, platform: Platform, name: str
) -> None:
    dag = one(platform, name, {"until": True}, deferrable=True, retries=0)
    run = platform.manual(dag, DATE)
    assert platform.run(dag, run, triggerer=False, only=["delays"]) == {"delays": "deferred"}
    pods.running()

    platform.fail_trigger(dag, run, "delays")

    assert platform.run(dag, run) == {"delays": "failed"}
    assert pods.all() == []


def test_a_task_that_was_deferred_finds_its_driver_again(pods: Pods, platform: Platform, name: str) -> None:
    dag = one(platform, name, {"until": True}, deferrable=True)
    run = platform.manual(dag, DATE)
    assert platform.run(dag, run, triggerer=False, only=["delays"]) == {"delays": "deferred"}
    pods.go(pods.running())
    until(lambda: pods.all()[0]["status"]["phase"] == "Succeeded")

    platform.fire_trigger(dag, run, "delays")

    assert platform.run(dag, run) == {"delays": "success"}
    assert pods.launches() == [(1, 1)]


def test_a_cleared_task_ends_the_former_driver_before_it_starts_another(
    pods: Pods, platform: Platform, name: str
) -> None:
    dag = one(platform, name, {"until": True}, deferrable=True)
    run = platform.manual(dag, DATE)
    assert platform.run(dag, run, triggerer=False, only=["delays"]) == {"delays": "deferred"}
    former = pods.running()

    platform.clear(dag, run, "delays")

    def let_go() -> None:
        until(lambda: any(launch == 2 for _, launch in pods.launches()))
        assert former["metadata"]["uid"] not in [one["metadata"]["uid"] for one in pods.all()]
        pods.go(pods.running())

    with meanwhile(let_go):
        assert platform.run(dag, run) == {"delays": "success"}


def test_an_api_server_that_restarts_is_waited_for(pods: Pods, platform: Platform, name: str) -> None:
    dag = one(platform, name, {"until": True}, retries=0)

    def restart() -> None:
        running, node = pods.running(), pods.whole.node.node
        pid = (node.layout.run / "kube-apiserver.pid").read_text()
        assert node.inside("kill", "-9", pid).returncode == 0
        time.sleep(1)
        pods.go(running)

    with meanwhile(restart):
        assert platform.run(dag, platform.manual(dag, DATE)) == {"delays": "success"}

    assert pods.launches() == [(1, 1)]


def test_an_image_that_is_nowhere_is_told_and_leaves_no_pod(
    pods: Pods, platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("AIRFLOW__TEAMSPARK__PENDING_S", "40")
    file = pods.whole.workspace / "k8s/teams/flights.yaml"
    before = file.read_text()
    image = pods.whole.teams.team("flights").image
    file.write_text(before.replace(str(image), "teamspark.local/jobs/nowhere:1"))
    try:
        dag = one(platform, name, {}, retries=0)
        assert platform.run(dag, platform.manual(dag, DATE)) == {"delays": "failed"}
    finally:
        file.write_text(before)

    told = capfd.readouterr().out
    assert "the image cannot be fetched: teamspark.local/jobs/nowhere:1" in told
    assert pods.all() == []
