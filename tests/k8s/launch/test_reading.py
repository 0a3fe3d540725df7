"""What a pod says of its launch: every ending that Kubernetes knows, as one row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework.identity import Epoch, RunKey
from framework.launch.base import Phase
from k8s.launch.naming import IDENTITY, ROLE, identity_text
from k8s.launch.reading import Patience, stale, status_of

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
EPOCH = Epoch("1f" * 8, 1, 1)
BORN = datetime(2026, 11, 1, tzinfo=UTC)
PATIENCE = Patience(pending_s=60)


def pod(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "one", "creationTimestamp": "2026-11-01T00:00:00Z",
            "annotations": {IDENTITY: identity_text(KEY, EPOCH, 3)},
        },
        "spec": {"containers": [{"name": "driver", "resources": {"limits": {"memory": "1Gi"}}}]},
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
        (waiting("ContainerCreating"), Phase.PENDING, None, "its container is being made"),
        (waiting("ImagePullBackOff", "no such host"), Phase.PENDING, None, "the image cannot be fetched: i:1: no such host"),
        (waiting("InvalidImageName", "bad"), Phase.FAILED, None, "the image's name is none"),
        (unscheduled("0/1 nodes are available: 1 Insufficient cpu."), Phase.PENDING, None, "no node has room for it: 0/1 nodes"),
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
