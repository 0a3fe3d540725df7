"""The pod of another image: two steps of ours around it, one after the other. Pure.

``prepare`` and the program are init containers, ``publish`` the main one: Kubernetes runs init containers in order, each to its end,
and nothing after one that failed (Kubernetes, "Init Containers"). So the program needs no wrapper, and has its own exit code and log.
"""

from copy import deepcopy
from typing import Any, Final

from framework.container.layout import POD, ROOM_VARIABLE
from framework.launch.base import LaunchRequest, Program, Resources, Share
from framework.tenancy.names import Names
from k8s.launch.parts import (
    GRACE_S,
    MESSAGE,
    amounts,
    common,
    files_mount,
    given,
    scratch_mount,
    secrets_mount,
    variables,
)
from k8s.pods import RESTRICTED
from k8s.render.objects import Obj
from k8s.standing import USER, Mounted, Standing, environment, mounts, user

PREPARE: Final = "prepare"
PROGRAM: Final = "program"
PUBLISH: Final = "publish"
STEPS: Final = (PREPARE, PROGRAM, PUBLISH)
# What the namespace's LimitRange gave this container; kubelet evicts a pod that writes more.
_ROOM: Final[Obj] = {"name": ROOM_VARIABLE, "valueFrom": {"resourceFieldRef": {"resource": "limits.ephemeral-storage"}}}


def program_spec(request: LaunchRequest, program: Program, resources: Resources, standing: Standing) -> dict[str, Any]:
    """The pod's spec but for its volumes. Each step may use all of the pod, since they take turns."""
    ours = [_ours(name, words, request, resources, standing) for name, words in _commands(program)]
    return {
        "serviceAccountName": Names(request.key.team).driver,
        "automountServiceAccountToken": False,  # none of the three asks Kubernetes for anything
        **common(),
        "securityContext": _user(standing),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_S,
        "initContainers": [ours[0], _program(request, program, resources, standing)],
        "containers": [ours[1]],
    }


def program_volumes() -> list[Obj]:
    """Besides those of any launch: what the program sees, and what the steps tell each other behind its back."""
    return [{"name": "work", "emptyDir": {}}, {"name": "state", "emptyDir": {}}]


def steps_of(pod: Obj) -> tuple[str, ...]:
    """The names of a pod's containers, in the order in which they run."""
    spec = pod["spec"]
    return tuple(one["name"] for one in (*spec.get("initContainers", ()), *spec["containers"]))


def _commands(program: Program) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (PREPARE, program.prepare), (PUBLISH, program.publish)


def _ours(name: str, words: tuple[str, ...], request: LaunchRequest, resources: Resources, standing: Standing) -> Obj:
    own = {} if isinstance(standing, Mounted) else {"runAsUser": USER, "runAsGroup": USER}
    return {
        "name": name,
        "image": resources.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [given(word) for word in words],
        "env": [*variables({"HOME": "/tmp", **request.env}), *environment(standing), _ROOM],  # noqa: S108  the pod's own
        "resources": _resources(resources.driver),
        "securityContext": {**deepcopy(RESTRICTED), **own},
        "terminationMessagePath": MESSAGE,
        "volumeMounts": [
            files_mount(), scratch_mount(), *secrets_mount(request), *mounts(standing),
            {"name": "work", "mountPath": str(POD.root)}, {"name": "state", "mountPath": str(POD.state)},
        ],
    }  # fmt: skip


def _program(request: LaunchRequest, program: Program, resources: Resources, standing: Standing) -> Obj:
    """As its image is, with its own user. The way into the store only where it opens URIs."""
    inside = program.opens_uris
    return {
        "name": PROGRAM,
        "image": program.image,
        "imagePullPolicy": "IfNotPresent",
        "env": [*variables(program.env), *(environment(standing) if inside else [])],
        "resources": _resources(resources.driver),
        "securityContext": deepcopy(RESTRICTED),
        "volumeMounts": [
            scratch_mount(), {"name": "work", "mountPath": str(POD.root)},
            *([one for one in mounts(standing) if one["name"] == "identity"] if inside else []),
            *_store(standing),
        ],
    }  # fmt: skip


def _store(standing: Standing) -> list[Obj]:
    """A team's file system, to read: what its inputs are links to."""
    if not isinstance(standing, Mounted):
        return []
    return [{"name": "store", "mountPath": standing.root, "readOnly": True}]


def _resources(share: Share) -> dict[str, Any]:
    return {"limits": amounts(share), "requests": amounts(share)}


def _user(standing: Standing) -> dict[str, Any]:
    """Of the pod. Where the store is no file system the program runs as its image says, unless that is root; the group that all
    volumes are of lets the steps read what it writes.
    """
    whole = user(standing)
    return (
        whole
        if isinstance(standing, Mounted)
        else {k: v for k, v in whole.items() if k not in ("runAsUser", "runAsGroup")}
    )
