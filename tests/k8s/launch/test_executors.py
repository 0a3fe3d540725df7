"""Executors on a real node: refused while the driver runs, out of memory, and to be looked into after they are gone."""

import json
import re
from collections.abc import Iterator
from functools import partial

import pytest

from airflow_bindings.outcome import Patience, Seen, Stop, decide
from airflow_bindings.state import LaunchState
from framework.config import RunResult
from framework.diagnosis import Reason
from framework.identity import RunKey
from framework.launch.base import UNFINISHED, LaunchRequest, Phase, Status
from k8s.client import Place
from k8s.launch.launcher import KubernetesLauncher
from k8s.launch.parts import PLATFORM
from k8s.launch.pods import launch_of, owned
from k8s.render.objects import thing
from tests import waiting
from tests.k8s.launch.test_spark import RUN, ended, request_of
from tests.servers.cluster import Whole
from tests.servers.seaweed import client_of

# Whoever is first waits for a node to start and to be given its images.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WITHIN_S = 120.0
until = partial(waiting.until, within_s=WITHIN_S)
TIGHT = Place("v1", "ResourceQuota", "flights", "tight")
PATIENT = "spark.executor.maxNumFailures"
STATE, PATIENCE = LaunchState("ab" * 16), Patience(lost_budget=3, wait_s=0, pause_s=1)
QUOTA = "exceeded quota: tight, requested: pods=1, used: pods="
NO_ROOM = "the team's quota has no room for the executor"


@pytest.fixture
def launcher(whole: Whole) -> Iterator[KubernetesLauncher]:
    body = "n\n1\n2\n3\n"
    client_of(whole.endpoint, whole.keys).put_object(
        Bucket="partner-drop", Key="flights/numbers.csv", Body=body.encode()
    )
    whole.node.empty("flights")
    yield whole.launcher("flights")
    whole.node.admin.delete(TIGHT)
    whole.node.empty("flights")


def asked(whole: Whole, name: str, job: str, **told: object) -> LaunchRequest:
    return request_of(whole, RunKey("flights", "flights.daily", name, RUN), f"jobs.flights.{job}", **told)


def tighten(whole: Whole, pods: int) -> None:
    """Somebody's quota beside the team's: so many pods, and no more."""
    quota = thing("ResourceQuota", TIGHT.name, namespace="flights", spec={"hard": {"pods": str(pods)}})
    whole.node.admin.apply(quota)
    until(
        lambda: (whole.node.admin.get(TIGHT) or {}).get("status", {}).get("hard") == {"pods": str(pods)},
        told=lambda: "it is not counted",
    )


def start_impatient(whole: Whole, launcher: KubernetesLauncher, request: LaunchRequest) -> None:
    """As the launcher starts it, but for the setting that makes Spark wait."""
    launch, cluster = launch_of(request, launcher._standing), whole.node.launcher("flights")
    pod = cluster.create(launch.pod)
    settings: dict[str, str] = json.loads(launch.config["data"][PLATFORM])
    del settings[PATIENT]
    data = {**launch.config["data"], PLATFORM: json.dumps(settings)}
    cluster.create(owned({**launch.config, "data": data}, pod))


def refusals(launcher: KubernetesLauncher, name: str) -> int:
    """As Spark counts them."""
    return max((int(n) for n in re.findall(rb"Total failures: (\d+)", launcher.log(name, offset=-200_000))), default=0)


@pytest.mark.long
def test_a_driver_whose_executors_are_refused_says_why_and_goes_on_when_there_is_room(
    whole: Whole, launcher: KubernetesLauncher
) -> None:
    """The twin is the same launch with Spark's own patience, which is spent within seconds."""
    twin, request = asked(whole, "twin", "numbers:Numbers"), asked(whole, "patient", "numbers:Numbers")
    tighten(whole, 2)
    start_impatient(whole, launcher, twin)
    launcher.start(request)
    tighten(whole, 1)  # whose drivers are there already: all that they have beside them is refused

    impatient = ended(launcher, twin.name)
    often = refusals(launcher, twin.name)
    until(lambda: refusals(launcher, request.name) > often, told=lambda: str(launcher.status(request.name)))
    waiting, never = launcher.status(request.name), launcher.executors(request.name)
    whole.node.admin.delete(TIGHT)
    patient = ended(launcher, request.name)

    assert impatient.phase is Phase.FAILED
    assert "executors ended or were refused until Spark gave up" in message(impatient)
    assert b"Max number of executor failures (3) reached" in launcher.log(twin.name, offset=-200_000)
    assert waiting.phase is Phase.RUNNING
    assert str(waiting.why).startswith(f"0 of 1 executors run: {NO_ROOM}: {QUOTA}")
    assert str(waiting.why).endswith("limited: pods=1")
    assert [(one.phase, one.reason) for one in never] == [(Phase.ABSENT, Reason.QUOTA)]
    assert patient.exit_code == 0, launcher.log(request.name, offset=-6000).decode()
    assert [one.phase for one in launcher.executors(request.name)] == [Phase.SUCCEEDED]


def message(status: Status) -> str:
    """Of the error that the driver left."""
    assert status.result is not None, status
    error = RunResult.parse_json(status.result, where=status.name).error
    assert error is not None
    return error.message


def test_executors_out_of_memory_are_told_and_found_after_they_are_gone(
    whole: Whole, launcher: KubernetesLauncher
) -> None:
    request = asked(whole, "greedy", "greedy:Greedy", spark_conf={"spark.task.maxFailures": "1"})
    launcher.start(request)
    status = ended(launcher, request.name)

    until(
        lambda: all(one.phase not in UNFINISHED for one in launcher.executors(request.name)), told=lambda: "they go on"
    )

    launcher.clear(request.name)

    (first, *_) = launcher.executors(request.name)
    assert status.phase is Phase.FAILED
    assert "a Python worker was killed or crashed" in message(status)
    assert (first.reason, first.why) == (Reason.MEMORY, "the executor needed more than its 1Gi of memory")
    assert b"MemoryStore cleared" in first.words
    assert first.see == f"kubectl -n flights logs {first.name}"
    step = decide(status, STATE, PATIENCE, now=0, seen=Seen(executors=(first,), where="cluster"))
    assert isinstance(step, Stop)
    assert "besides, the executor needed more memory than it may have" in str(step.error)
    # Pods that have ended hold no room.
    launcher.start(asked(whole, "next", "numbers:Numbers"))
