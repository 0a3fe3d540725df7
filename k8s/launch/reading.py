"""What the pods of a run say of it: phase, exit code, result, one sentence for a person, and its reason in our words. Pure.

Sources of the words: Kubernetes, "Pod Lifecycle" and "Debug Pods"; kubelet's and containerd's reasons as they are at 1.34.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from framework.container.layout import DONE
from framework.diagnosis import Reason, Side
from framework.diagnosis.ends import sentence
from framework.errors import clip
from framework.launch.base import Executor, Phase, Status
from framework.tenancy.images import pinned
from k8s.launch.naming import DRIVER, ROLE, identity_of
from k8s.launch.program import PREPARE, PROGRAM
from k8s.render.objects import Obj

_SIGNALLED: Final = 128
_OOM: Final = "OOMKilled"
_TEXT: Final = 300
_WAITING: Final[Mapping[str, Reason]] = {
    "InvalidImageName": Reason.IMAGE_NAME,
    "ErrImageNeverPull": Reason.IMAGE_NAME,
    "CreateContainerError": Reason.CONTAINER,
    "RunContainerError": Reason.CONTAINER,
    "ErrImagePull": Reason.IMAGE,
    "ImagePullBackOff": Reason.IMAGE,
    "CreateContainerConfigError": Reason.FILES,
    "ContainerCreating": Reason.STARTING,
    "PodInitializing": Reason.STARTING,
}
# Nothing that time would mend: whoever wrote the image's name or the pod has to.
_HOPELESS: Final = frozenset({Reason.IMAGE_NAME, Reason.CONTAINER, Reason.ROOT})
# As kubelet says of a user that it may not start, or cannot tell from root.
_ROOT: Final = re.compile(r"runAsNonRoot")
# The cluster took it away; the run did nothing wrong.
_TAKEN: Final = frozenset({
    "Evicted", "Preempting", "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "UnexpectedAdmissionError",
    "NodeAffinity", "OutOfcpu", "OutOfmemory", "OutOfpods",
})  # fmt: skip
# As kubelet says of the node's disk, of a pod's share of it, and of a volume on it.
_DISK: Final = re.compile(r"ephemeral[- ](?:local )?storage|EmptyDir volume|DiskPressure")
# As admission says of a pod, in what Spark prints of it: a quota, a policy of ours, Pod Security, a LimitRange.
_REST: Final = r"[^\n]*?(?=\. Received status|, metadata=|$)"
_REFUSED: Final = (
    (Reason.QUOTA, re.compile(rf"(?m)exceeded quota: {_REST}")),
    (
        Reason.POLICY,
        re.compile(
            rf"(?m)(?:ValidatingAdmissionPolicy |violates PodSecurity |m(?:ax|in)imum (?:cpu|memory) usage per ){_REST}"
        ),
    ),
)
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
    found = _ending(pod, patience, now)
    result = _message(pod) if found.phase not in (Phase.PENDING, Phase.RUNNING) else None
    name, image = pod["metadata"]["name"], _image(pod)
    return Status(name, found.phase, *identity, found.code, result, found.why, found.reason, image)


def _image(pod: Obj) -> str | None:
    """Of a driver, or of a program, whose image is on its node. A node that was given it beside any registry knows no digest to ask one for."""
    told = {one["name"]: one.get("imageID") or "" for one in _statuses(pod)}
    spec = pod["spec"]
    named = {one["name"]: one["image"] for one in (*spec.get("initContainers", ()), *spec["containers"])}
    name = PROGRAM if PROGRAM in named else DRIVER
    return pinned(named[name], told[name]) if told.get(name) else None


def stale(pods: Iterable[Obj], keep_s: float, *, now: datetime) -> Iterator[Obj]:
    """Drivers that ended longer than ``keep_s`` ago."""
    for pod in pods:
        at = (_terminated(pod) or {}).get("finishedAt")
        labels = pod["metadata"].get("labels") or {}
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            continue
        if labels.get(ROLE) == DRIVER and at and (now - datetime.fromisoformat(at)).total_seconds() > keep_s:
            yield pod


def executor_of(pod: Obj, now: datetime) -> Executor:
    """An executor's pod. It is given up by nobody: Spark asks for others."""
    found = _ending(pod, Patience(float("inf")), now, "executor")
    space, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    return Executor(name, found.phase, found.code, found.why, found.reason, see=f"kubectl -n {space} logs {name}")


def ended_at(pod: Obj) -> str:
    """When its container ended, as text that sorts; nothing when it has not."""
    return str((_terminated(pod) or {}).get("finishedAt") or "")


def refused(printed: str) -> tuple[Reason, str] | None:
    """Why executors are not made, by the last refusal in what a driver printed, and how that is put."""
    last = [
        (found[-1].start(), reason, found[-1][0]) for reason, sign in _REFUSED if (found := [*sign.finditer(printed)])
    ]
    return max(last)[1:] if last else None


def shortage(wanted: int, executors: Sequence[Executor], printed: Callable[[], str]) -> str | None:
    """Why a driver that runs has fewer executors than it wants, for a person; None when it has them, or nothing is wrong yet."""
    running = sum(one.phase is Phase.RUNNING for one in executors)
    waiting = [one for one in executors if one.phase is Phase.PENDING]
    stuck = [one.why for one in waiting if one.reason not in (None, Reason.STARTING)]
    if running >= wanted:
        return None
    if not stuck and running + len(waiting) < wanted and (found := refused(printed())):
        stuck = [f"{sentence(found[0], 'executor')}: {clip(found[1], _TEXT)}"]
    return f"{running} of {wanted} executors run: {stuck[0]}" if stuck else None


class _Ending(NamedTuple):
    phase: Phase
    code: int | None = None
    why: str | None = None
    reason: Reason | None = None


def _ending(pod: Obj, patience: Patience, now: datetime, side: Side = "driver") -> _Ending:
    status = pod.get("status", {})
    match status.get("phase"):
        case "Succeeded":
            return _succeeded(pod, side)
        case "Failed":
            return _failed(pod, side)
        case "Running":
            return _running(pod)
    return _pending(pod, patience, now, side)


def _succeeded(pod: Obj, side: Side) -> _Ending:
    """An executor may have lost a process of its own to its memory, and end well."""
    oom = side == "executor" and (_terminated(pod) or {}).get("reason") == _OOM
    return _Ending(Phase.SUCCEEDED, 0, _out_of_memory(pod, side), Reason.MEMORY) if oom else _Ending(Phase.SUCCEEDED, 0)


def _running(pod: Obj) -> _Ending:
    """Between the end of its only container and the pod's own, a pod is still called running."""
    return _Ending(Phase.RUNNING, why="it is being ended" if pod["metadata"].get("deletionTimestamp") else None)


def _failed(pod: Obj, side: Side) -> _Ending:
    status, ended = pod.get("status", {}), _terminated(pod)
    reason, message = str(status.get("reason", "")), str(status.get("message", ""))
    if reason in _TAKEN or (ended is None and reason):
        return _taken(f"{reason}: {message}", side)
    if disruption := _condition(pod, _DISRUPTED):
        return _taken(f"{disruption.get('reason')}: {disruption.get('message')}", side)
    if ended is None:
        return _Ending(Phase.LOST, why="it failed without a container that ended")
    return _ended_badly(pod, ended, side)


def _ended_badly(pod: Obj, ended: Mapping[str, Any], side: Side) -> _Ending:
    """By an exit code of the container that ended last."""
    code, step = int(ended["exitCode"]), str(ended.get("step"))
    if (step, code) == (PREPARE, DONE):
        return _Ending(Phase.SUCCEEDED, 0)
    side = "program" if step == PROGRAM else side
    if ended.get("reason") == _OOM:
        return _Ending(Phase.FAILED, code, _out_of_memory(pod, side), Reason.MEMORY)
    if step == PROGRAM:
        return _Ending(Phase.FAILED, code, f"{sentence(Reason.PROGRAM, side)}: exit code {code}", Reason.PROGRAM)
    if code > _SIGNALLED:
        return _Ending(Phase.FAILED, _SIGNALLED - code, f"it was ended by signal {code - _SIGNALLED}")
    return _Ending(Phase.FAILED, code)


def _taken(told: str, side: Side) -> _Ending:
    reason = Reason.DISK if _DISK.search(told) else Reason.TAKEN
    return _Ending(Phase.LOST, None, f"{sentence(reason, side)}: {clip(told, _TEXT)}", reason)


def _out_of_memory(pod: Obj, side: Side) -> str:
    limit = pod["spec"]["containers"][0]["resources"]["limits"]["memory"]
    return f"the {side} needed more than its {limit} of memory"


def _pending(pod: Obj, patience: Patience, now: datetime, side: Side) -> _Ending:
    reason, why = next(_obstacles(pod, side), (None, None))
    steps = [one for one in _statuses(pod) if one.get("state", {}).keys() & {"running", "terminated"}]
    if any("running" in one["state"] for one in steps):
        return _Ending(Phase.RUNNING)
    since = max(
        [pod["metadata"]["creationTimestamp"], *(one["state"]["terminated"].get("finishedAt") or "" for one in steps)]
    )
    waited = (now - datetime.fromisoformat(since)).total_seconds()
    if reason in _HOPELESS:
        return _Ending(Phase.FAILED, None, why, reason)
    if waited > patience.pending_s:
        late = f"it did not start within {patience.pending_s:.0f} s: {why or 'no reason is told'}"
        return _Ending(Phase.FAILED, None, late, reason)
    return _Ending(Phase.RUNNING if steps else Phase.PENDING, None, why, reason)


def _obstacles(pod: Obj, side: Side) -> Iterator[tuple[Reason, str]]:
    """Why it does not start, for a program and in words."""
    for one in _statuses(pod):
        waiting = one.get("state", {}).get("waiting", {})
        reason, message = _WAITING.get(waiting.get("reason", "")), clip(waiting.get("message", ""), _TEXT)
        if _ROOT.search(message):
            reason = Reason.ROOT
        if reason is not None:
            yield reason, sentence(reason, side) + (f": {one['image']}: {message}" if message else "")
    scheduled = _condition(pod, "PodScheduled", "False")
    if scheduled:
        yield Reason.NODE, f"{sentence(Reason.NODE, side)}: {clip(str(scheduled.get('message', '')), _TEXT)}"


def _statuses(pod: Obj) -> list[dict[str, Any]]:
    """Of its containers, in the order in which they run."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _terminated(pod: Obj) -> dict[str, Any] | None:
    """How the last of its containers ended that did, with its name as ``step``: nothing runs after one that failed."""
    ended = [
        {**one["state"]["terminated"], "step": one["name"]}
        for one in _statuses(pod)
        if one.get("state", {}).get("terminated") is not None
    ]
    failed = [one for one in ended if int(one["exitCode"])]
    return next(iter(failed or ended[-1:]), None)


def _message(pod: Obj) -> bytes | None:
    """What a step of ours left. What another image's program says there is nobody's result."""
    ended = _terminated(pod) or {}
    text = None if ended.get("step") == PROGRAM else ended.get("message")
    return text.encode() if text else None


def _condition(pod: Obj, kind: str, status: str = "True") -> dict[str, Any] | None:
    for one in pod.get("status", {}).get("conditions", []):
        if one["type"] == kind and one["status"] == status:
            found: dict[str, Any] = one
            return found
    return None
