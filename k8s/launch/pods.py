"""The objects of one launch: a driver's pod, its configuration, its secrets. Pure.

The pod is made first and owns the other two, so that whatever removes it removes them; the kubelet waits for them.
"""

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from framework.errors import ConfigError
from framework.launch.base import LaunchRequest, Resources
from framework.tenancy.names import Names
from k8s.launch.naming import DRIVER, EXECUTOR, IDENTITY, NEEDS, identity_text, labels
from k8s.launch.needs import Needs
from k8s.launch.parts import (
    FILES,
    GRACE_S,
    MESSAGE,
    PLATFORM,
    amounts,
    common,
    files_mount,
    given,
    scratch_mount,
    secrets_mount,
    variables,
)
from k8s.launch.program import program_spec, program_volumes
from k8s.launch.sparkconf import TEMPLATE, platform_settings
from k8s.pods import RESTRICTED
from k8s.render.objects import Obj, thing
from k8s.standing import Standing, annotations, environment, mounts, user, volumes

# What Kubernetes takes as one object is 1 MiB, names and quotes included (Kubernetes, ConfigMap).
_LARGEST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch's objects, in the order in which they are made."""

    pod: Obj
    config: Obj
    secret: Obj | None


def launch_of(request: LaunchRequest, standing: Standing = None) -> Launch:
    """Raises: ConfigError for a request that no cluster can take."""
    resources = _resources(request)
    config = _config_map(request, resources, standing)
    secret = None
    if request.connections is not None:
        data = {"connections.json": request.connections.decode()}
        secret = _thing("Secret", request, stringData=data, immutable=True)
    return Launch(launch_pod(request, resources, standing), config, secret)


def owned(one: Obj, pod: Obj) -> Obj:
    """``one``, which goes when the pod does."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    return {**one, "metadata": {**one["metadata"], "ownerReferences": [owner]}}


def launch_pod(request: LaunchRequest, resources: Resources, standing: Standing) -> Obj:
    """Spark's driver, or a program with what is around it."""
    program = request.program
    spec = (
        driver_spec(request, resources, standing)
        if program is None
        else program_spec(request, program, resources, standing)
    )
    pod = _thing("Pod", request, spec={**spec, "volumes": _volumes(request, standing)})
    pod["metadata"]["annotations"] = {
        IDENTITY: identity_text(request.key, request.epoch, request.clear_number),
        NEEDS: Needs.of(resources).to_json(),
        **annotations(standing),
    }
    return pod


def driver_spec(request: LaunchRequest, resources: Resources, standing: Standing) -> dict[str, Any]:
    container = {
        "name": DRIVER,
        "image": resources.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [given(word) for word in request.command],
        "env": [*_from_pod(), *variables(request.env), *environment(standing)],
        "resources": {"limits": amounts(resources.driver), "requests": amounts(resources.driver)},
        "securityContext": deepcopy(RESTRICTED),
        "terminationMessagePath": MESSAGE,
        "volumeMounts": _mounts(request, standing),
    }
    return {
        "serviceAccountName": Names(request.key.team).driver,
        "automountServiceAccountToken": True,  # it makes its executors
        **common(),
        "securityContext": user(standing),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_S,
        "containers": [container],
    }


def executor_template(request: LaunchRequest, standing: Standing) -> Obj:
    """What Spark makes executors from."""
    container = {
        "name": EXECUTOR,
        "env": environment(standing),
        "securityContext": deepcopy(RESTRICTED),
        "volumeMounts": mounts(standing),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": labels(request, EXECUTOR), "annotations": annotations(standing)},
        "spec": {
            "automountServiceAccountToken": False,
            **common(),
            "securityContext": user(standing),
            "containers": [container],
            "volumes": volumes(standing),
        },
    }


def _resources(request: LaunchRequest) -> Resources:
    if request.resources is None:
        raise ConfigError(
            "a run on a cluster needs an image and a size",
            where=str(request.key),
            next_step="add image and sizes to the team file",
        )
    return request.resources


def _config_map(request: LaunchRequest, resources: Resources, standing: Standing) -> Obj:
    data = {
        "config.json": request.config.decode(),
        **(_for_spark(request, resources, standing) if request.program is None else {}),
        **{_key(name): text for name, text in request.files.items()},
    }
    size = sum(len(name) + len(text.encode()) for name, text in data.items())
    if size > _LARGEST:
        raise ConfigError(
            "the run's configuration is larger than Kubernetes takes",
            where=str(request.key),
            got=f"{size} bytes",
            expected=f"at most {_LARGEST}",
            next_step="keep large values in a file or table that the job reads, not in its parameters",
        )
    return _thing("ConfigMap", request, data=data, immutable=True)


def _for_spark(request: LaunchRequest, resources: Resources, standing: Standing) -> dict[str, str]:
    settings = platform_settings(request.name, request.key.team, resources, FILES)
    return {
        PLATFORM: json.dumps(settings, sort_keys=True),
        TEMPLATE: json.dumps(executor_template(request, standing), sort_keys=True),
    }


def _key(name: str) -> str:
    """A file's name in a ConfigMap, which knows no folders."""
    return name.replace("/", "..")


def _thing(kind: str, request: LaunchRequest, **rest: Any) -> Obj:
    space = Names(request.key.team).namespace
    return thing(kind, request.name, namespace=space, labels=labels(request, DRIVER), **rest)


def _from_pod() -> list[Obj]:
    field_ref = {"fieldRef": {"fieldPath": "status.podIP"}}
    return [{"name": "POD_IP", "valueFrom": field_ref}, *variables({"HOME": "/tmp", "SPARK_LOCAL_DIRS": "/tmp/spark"})]  # noqa: S108  the pod's own


def _mounts(request: LaunchRequest, standing: Standing) -> list[Obj]:
    return [files_mount(), scratch_mount(), *mounts(standing), *secrets_mount(request)]


def _volumes(request: LaunchRequest, standing: Standing) -> list[Obj]:
    names = ["config.json", *([PLATFORM, TEMPLATE] if request.program is None else []), *request.files]
    items = [{"key": _key(name), "path": name} for name in names]
    found: list[Obj] = [
        {"name": "files", "configMap": {"name": request.name, "items": items}},
        {"name": "scratch", "emptyDir": {}},
        *volumes(standing),
        *([] if request.program is None else program_volumes()),
    ]
    if request.connections is not None:
        found.append({"name": "connections", "secret": {"secretName": request.name, "defaultMode": 0o440}})
    return found
