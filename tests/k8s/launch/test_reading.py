"""What a pod says of its launch: every ending that Kubernetes knows, as one row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework.diagnosis import Reason
from framework.identity import Epoch, RunKey
from framework.launch.base import Executor, Phase
from k8s.launch.naming import IDENTITY, ROLE, identity_text
from k8s.launch.reading import Patience, executor_of, refused, shortage, stale, status_of

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
EPOCH = Epoch("1f" * 8, 1, 1)
BORN = datetime(2026, 11, 1, tzinfo=UTC)
PATIENCE = Patience(pending_s=60)
IMAGE = "registry.example.org/flights/jobs:1"


def pod(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "one", "creationTimestamp": "2026-11-01T00:00:00Z",
            "annotations": {IDENTITY: identity_text(KEY, EPOCH, 3)},
        },
        "spec": {"containers": [{"name": "driver", "image": IMAGE, "resources": {"limits": {"memory": "1Gi"}}}]},
        "status": status,
    }  # fmt: skip


def ended(code: int, **more: Any) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, **more}}
    return pod(
        phase="Failed" if code else "Succeeded", containerStatuses=[{"name": "driver", "image": "i:1", "state": state}]
    )


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(phase="Pending", containerStatuses=[{"name": "driver", "image": "i:1", "state": state}])


def unscheduled(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(phase="Pending", conditions=[condition])


def disrupted(reason: str) -> dict[str, Any]:
    found = ended(143)
    found["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "m"}]
    return found


@pytest.mark.parametrize(
    ("found", "phase", "code", "why"),
    [
        (ended(0, message="r"), Phase.SUCCEEDED, 0, None),
        (ended(65), Phase.FAILED, 65, None),
        (ended(137), Phase.FAILED, -9, "it was ended by signal 9"),
        (ended(137, reason="OOMKilled"), Phase.FAILED, 137, "the driver needed more than its 1Gi of memory"),
        (pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory"), Phase.LOST, None, "Evicted: The node was low"),
        (pod(phase="Failed", reason="NodeLost", message=""), Phase.LOST, None, "NodeLost"),
        (pod(phase="Failed", reason="OutOfcpu", message="m"), Phase.LOST, None, "OutOfcpu"),
        (pod(phase="Failed"), Phase.LOST, None, "without a container that ended"),
        (disrupted("EvictionByEvictionAPI"), Phase.LOST, None, "EvictionByEvictionAPI"),
        (pod(phase="Running"), Phase.RUNNING, None, None),
        (pod(phase="Pending"), Phase.PENDING, None, None),
        (waiting("ContainerCreating"), Phase.PENDING, None, "the container of the driver is being made"),
        (waiting("ImagePullBackOff", "no such host"), Phase.PENDING, None, "the image cannot be fetched: i:1: no such host"),
        (waiting("InvalidImageName", "bad"), Phase.FAILED, None, "the image's name is none"),
        (unscheduled("0/1 nodes are available: 1 Insufficient cpu."), Phase.PENDING, None, "no node has room for the driver: 0/1 nodes"),
    ],
)  # fmt: skip
def test_every_ending(found: dict[str, Any], phase: Phase, code: int | None, why: str | None) -> None:
    status = status_of(found, PATIENCE, now=BORN + timedelta(seconds=5))

    assert status is not None
    assert (status.phase, status.exit_code) == (phase, code)
    assert (why is None) == (status.why is None)
    assert (why or "") in (status.why or "")
    assert (status.key, status.epoch, status.clear_number) == (KEY, EPOCH, 3)


def test_what_does_not_start_in_time_is_given_up_with_its_reason() -> None:
    status = status_of(waiting("ErrImagePull", "denied"), PATIENCE, now=BORN + timedelta(seconds=61))

    assert status is not None
    assert (status.phase, status.exit_code) == (Phase.FAILED, None)
    assert status.why == "it did not start within 60 s: the image cannot be fetched: i:1: denied"


def test_a_result_is_read_only_once_it_ended() -> None:
    running = ended(0, message="early")
    running["status"]["phase"] = "Running"

    assert status_of(running, PATIENCE, now=BORN).result is None  # type: ignore[union-attr]  # it is ours
    assert status_of(ended(0, message="late"), PATIENCE, now=BORN).result == b"late"  # type: ignore[union-attr]  # as above


@pytest.mark.parametrize("text", [None, "{", "{}", '{"key": 1}'])
def test_a_pod_that_does_not_say_whose_it_is_is_nobodys(text: str | None) -> None:
    odd = ended(0)
    odd["metadata"]["annotations"] = {} if text is None else {IDENTITY: text}

    assert status_of(odd, PATIENCE, now=BORN) is None


@pytest.mark.parametrize(
    ("found", "role", "days", "gone"),
    [
        (ended(0, finishedAt="2026-11-01T00:00:00Z"), "driver", 2, True),
        (ended(1, finishedAt="2026-11-01T00:00:00Z"), "driver", 2, True),
        (ended(0, finishedAt="2026-11-01T00:00:00Z"), "driver", 0, False),
        (ended(0, finishedAt="2026-11-01T00:00:00Z"), "", 2, False),
        (pod(phase="Running"), "driver", 2, False),
    ],
    ids=["old", "old and failed", "young", "not ours", "running"],
)
def test_what_ended_long_ago_is_stale(found: dict[str, Any], role: str, days: int, gone: bool) -> None:
    found["metadata"]["labels"] = {ROLE: role}

    assert bool(list(stale([found], 86_400, now=BORN + timedelta(days=days)))) == gone


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (ended(137, reason="OOMKilled"), Reason.MEMORY),
        (ended(0, reason="OOMKilled"), Reason.MEMORY),
        (pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory"), Reason.TAKEN),
        (pod(phase="Failed", reason="Evicted", message="The node was low on resource: ephemeral-storage."), Reason.DISK),
        (pod(phase="Failed", reason="Evicted", message='Usage of EmptyDir volume "scratch" exceeds the limit "1Gi".'), Reason.DISK),
        (pod(phase="Failed", reason="Evicted", message="Pod ephemeral local storage usage exceeds the total limit"), Reason.DISK),
        (waiting("ErrImagePull"), Reason.IMAGE),
        (waiting("ErrImageNeverPull"), Reason.IMAGE_NAME),
        (unscheduled("0/1 nodes are available"), Reason.NODE),
        (ended(143), None),
    ],
)  # fmt: skip
def test_an_executor_tells_its_reason_and_how_to_read_its_log(found: dict[str, Any], reason: Reason | None) -> None:
    found["metadata"]["namespace"] = "flights"

    one = executor_of(found, BORN + timedelta(days=9))

    assert one.reason == reason
    assert one.see == "kubectl -n flights logs one"


# As the API server of 1.34 answers, and Spark's client prints it.
QUOTA = 'pods "x-exec-7" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=1, limited: pods=1'
RANGE = 'pods "x-exec-8" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi'
RULES = "ValidatingAdmissionPolicy 'teamspark-pods' with binding 'teamspark-pods' denied request: pods choose no node"


@pytest.mark.parametrize(
    ("printed", "reason"),
    [(QUOTA, Reason.QUOTA), (RANGE, Reason.POLICY), (RULES, Reason.POLICY), (f"{RANGE}\n{QUOTA}", Reason.QUOTA), (f"{QUOTA}\n{RULES}", Reason.POLICY)],
)  # fmt: skip
def test_the_last_refusal_is_why_executors_are_not_made(printed: str, reason: Reason) -> None:
    found = refused(
        f"Message: {printed}. Received status: Status(message={printed}, metadata=x-exec-7)\n\tat io.fabric8"
    )

    assert found is not None
    assert found[0] == reason
    assert "exec-7" not in found[1]
    assert "io.fabric8" not in found[1]


def some(phase: Phase, why: str | None = None, reason: Reason | None = None) -> Executor:
    return Executor("x", phase, None, why, reason)


@pytest.mark.parametrize(
    ("executors", "why"),
    [
        ([some(Phase.RUNNING), some(Phase.RUNNING)], None),
        ([some(Phase.RUNNING)], "1 of 2 executors run: the team's quota has no room for the executor: exceeded quota"),
        ([some(Phase.RUNNING), some(Phase.PENDING, "being made", Reason.STARTING)], None),
        ([some(Phase.PENDING), some(Phase.PENDING, "no node has room", Reason.NODE)], "0 of 2 executors run: no node has room"),
        ([some(Phase.FAILED), some(Phase.FAILED)], "0 of 2 executors run: the team's quota"),
    ],
    ids=["all", "one is refused", "one begins", "one waits", "ended ones do not count"],
)  # fmt: skip
def test_a_driver_with_fewer_executors_than_it_wants_says_why(executors: list[Executor], why: str | None) -> None:
    found = shortage(2, executors, lambda: QUOTA)

    assert (found is None) == (why is None)
    assert (found or "").startswith(why or "")


def test_a_driver_that_has_only_begun_says_nothing_of_executors() -> None:
    assert shortage(2, [], lambda: "") is None


@pytest.mark.parametrize(
    ("told", "image"),
    [
        (
            f"registry.example.org/flights/jobs@sha256:{'ab' * 32}",
            f"registry.example.org/flights/jobs@sha256:{'ab' * 32}",
        ),
        (f"sha256:{'ab' * 32}", None),
        ("", None),
    ],
    ids=["pulled", "given to the node", "not there yet"],
)
def test_a_launch_tells_what_it_runs_in_by_the_digest_of_a_registry(told: str, image: str | None) -> None:
    status = {"name": "driver", "image": IMAGE, "imageID": told, "state": {"running": {}}}

    found = status_of(pod(phase="Running", containerStatuses=[status]), PATIENCE, now=BORN)

    assert found is not None
    assert found.image == image
