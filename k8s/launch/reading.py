"""What a driver's pod says of its launch: phase, exit code, result, and one sentence for a person. Pure.

Sources of the words: Kubernetes, "Pod Lifecycle" and "Debug Pods"; kubelet's and containerd's reasons as they are at 1.34.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from framework.errors import clip
from framework.launch.base import Phase, Status
from k8s.launch.naming import DRIVER, ROLE, identity_of
from k8s.render.objects import Obj

_SIGNALLED: Final = 128
_OOM: Final = "OOMKilled"
_TEXT: Final = 300
# Nothing that time would mend: whoever wrote the image's name or the pod has to.
_HOPELESS: Final[Mapping[str, str]] = {
    "InvalidImageName": "the image's name is none",
    "ErrImageNeverPull": "the image is not on the node, and may not be fetched",
    "CreateContainerError": "the container cannot be made",
    "RunContainerError": "the container cannot be started",
}
_WAITING: Final[Mapping[str, str]] = {
    "ErrImagePull": "the image cannot be fetched",
    "ImagePullBackOff": "the image cannot be fetched",
    "CreateContainerConfigError": "a ConfigMap or Secret that it needs is not there",
    "ContainerCreating": "its container is being made",
    "PodInitializing": "its container is being made",
}
# The cluster took it away; the run did nothing wrong.
_TAKEN: Final = frozenset({
    "Evicted", "Preempting", "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "UnexpectedAdmissionError",
    "NodeAffinity", "OutOfcpu", "OutOfmemory", "OutOfpods",
})  # fmt: skip
_DISRUPTED: Final = "DisruptionTarget"


@dataclass(frozen=True, slots=True)
class Patience:
    """``pending_s``: how long a driver may wait for a node, an image or a volume before it is given up."""

    pending_s: float = 600.0


def status_of(pod: Obj, patience: Patience, *, now: datetime) -> Status | None:
    """The launch's status; None for a pod that is no launch of ours."""
    identity = identity_of(pod)
    if identity is None:
        return None
    phase, exit_code, why = _ending(pod, patience, now)
    result = _message(pod) if phase not in (Phase.PENDING, Phase.RUNNING) else None
    return Status(pod["metadata"]["name"], phase, *identity, exit_code, result, why)


def stale(pods: Iterable[Obj], keep_s: float, *, now: datetime) -> Iterator[Obj]:
    """Drivers that ended longer than ``keep_s`` ago."""
    for pod in pods:
        at = (_terminated(pod) or {}).get("finishedAt")
        labels = pod["metadata"].get("labels") or {}
        if labels.get(ROLE) == DRIVER and at and (now - datetime.fromisoformat(at)).total_seconds() > keep_s:
            yield pod


def _ending(pod: Obj, patience: Patience, now: datetime) -> tuple[Phase, int | None, str | None]:
    status = pod.get("status", {})
    match status.get("phase"):
        case "Succeeded":
            return Phase.SUCCEEDED, 0, None
        case "Failed":
            return _failed(pod)
        case "Running":
            return _running(pod)
    return _pending(pod, patience, now)


def _running(pod: Obj) -> tuple[Phase, int | None, str | None]:
    """Between the end of its only container and the pod's own, a pod is still called running."""
    return Phase.RUNNING, None, "it is being ended" if pod["metadata"].get("deletionTimestamp") else None


def _failed(pod: Obj) -> tuple[Phase, int | None, str | None]:
    status, ended = pod.get("status", {}), _terminated(pod)
    reason, message = str(status.get("reason", "")), clip(str(status.get("message", "")), _TEXT)
    if reason in _TAKEN or (ended is None and reason):
        return Phase.LOST, None, f"the cluster took it away: {reason}: {message}"
    if disruption := _condition(pod, _DISRUPTED):
        return Phase.LOST, None, f"the cluster took it away: {disruption.get('reason')}: {disruption.get('message')}"
    if ended is None:
        return Phase.LOST, None, "it failed without a container that ended"
    code = int(ended["exitCode"])
    if ended.get("reason") == _OOM:
        return Phase.FAILED, code, _out_of_memory(pod)
    if code > _SIGNALLED:
        return Phase.FAILED, _SIGNALLED - code, f"it was ended by signal {code - _SIGNALLED}"
    return Phase.FAILED, code, None


def _out_of_memory(pod: Obj) -> str:
    (limit,) = [one["resources"]["limits"]["memory"] for one in pod["spec"]["containers"] if one["name"] == DRIVER]
    return (
        f"the driver needed more than its {limit} of memory; give the size more in the team file: sizes, driver, memory"
    )


def _pending(pod: Obj, patience: Patience, now: datetime) -> tuple[Phase, int | None, str | None]:
    why, hopeless = next(_obstacles(pod), (None, False))
    waited = (now - datetime.fromisoformat(pod["metadata"]["creationTimestamp"])).total_seconds()
    if hopeless:
        return Phase.FAILED, None, why
    if waited > patience.pending_s:
        return Phase.FAILED, None, f"it did not start within {patience.pending_s:.0f} s: {why or 'no reason is told'}"
    return Phase.PENDING, None, why


def _obstacles(pod: Obj) -> Iterator[tuple[str, bool]]:
    """Why it does not start, in words, and whether waiting is in vain."""
    for one in pod.get("status", {}).get("containerStatuses", []):
        waiting = one.get("state", {}).get("waiting", {})
        reason, message = waiting.get("reason", ""), clip(waiting.get("message", ""), _TEXT)
        if reason in _HOPELESS:
            yield f"{_HOPELESS[reason]}: {one['image']}: {message}", True
        elif reason in _WAITING:
            yield f"{_WAITING[reason]}" + (f": {one['image']}: {message}" if message else ""), False
    scheduled = _condition(pod, "PodScheduled", "False")
    if scheduled:
        yield f"no node has room for it: {clip(str(scheduled.get('message', '')), _TEXT)}", False


def _terminated(pod: Obj) -> dict[str, Any] | None:
    for one in pod.get("status", {}).get("containerStatuses", []):
        ended: dict[str, Any] | None = one.get("state", {}).get("terminated")
        if one["name"] == DRIVER and ended is not None:
            return ended
    return None


def _message(pod: Obj) -> bytes | None:
    ended = _terminated(pod)
    text = (ended or {}).get("message")
    return text.encode() if text else None


def _condition(pod: Obj, kind: str, status: str = "True") -> dict[str, Any] | None:
    for one in pod.get("status", {}).get("conditions", []):
        if one["type"] == kind and one["status"] == status:
            found: dict[str, Any] = one
            return found
    return None
