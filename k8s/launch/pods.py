"""The objects of one launch: a driver's pod, its configuration, its secrets. Pure.

The pod is made first and owns the other two, so that whatever removes it removes them; the kubelet waits for them.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from framework.errors import ConfigError
from framework.launch.base import CONFIG, CONNECTIONS, RESULT, LaunchRequest, Resources, Share
from framework.tenancy.names import Names
from k8s.launch.naming import DRIVER, EXECUTOR, IDENTITY, NEEDS, identity_text, labels
from k8s.launch.needs import Needs
from k8s.launch.sparkconf import TEMPLATE, platform_settings
from k8s.pods import RESTRICTED
from k8s.render.objects import Obj, thing
from k8s.standing import Standing, annotations, environment, mounts, user, volumes

FILES: Final = "/etc/teamspark"
SECRETS: Final = "/etc/teamspark-connections"
MESSAGE: Final = "/dev/termination-log"
PLATFORM: Final = "platform.json"
GRACE_S: Final = 10
# What Kubernetes takes as one object is 1 MiB, names and quotes included (Kubernetes, ConfigMap).
_LARGEST: Final = 1_000_000
_PLACES: Final = {CONFIG: f"{FILES}/config.json", CONNECTIONS: f"{SECRETS}/connections.json", RESULT: MESSAGE}


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
    return Launch(driver_pod(request, resources, standing), config, secret)


def owned(one: Obj, pod: Obj) -> Obj:
    """``one``, which goes when the pod does."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    return {**one, "metadata": {**one["metadata"], "ownerReferences": [owner]}}


def driver_pod(request: LaunchRequest, resources: Resources, standing: Standing) -> Obj:
    arguments = [_PLACES.get(word, word) for word in request.command]
    container = {
        "name": DRIVER,
        "image": resources.image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "env": [*_from_pod(), *_env(request.env), *environment(standing)],
        "resources": {"limits": _amounts(resources.driver), "requests": _amounts(resources.driver)},
        "securityContext": deepcopy(RESTRICTED),
        "terminationMessagePath": MESSAGE,
        "volumeMounts": _mounts(request, standing),
    }
    names = Names(request.key.team)
    pod = _thing("Pod", request, spec={
        "serviceAccountName": names.driver,
        "automountServiceAccountToken": True,  # it makes its executors
        **_common(standing),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_S,
        "containers": [container],
        "volumes": _volumes(request, standing),
    })  # fmt: skip
    pod["metadata"]["annotations"] = {
        IDENTITY: identity_text(request.key, request.epoch, request.clear_number),
        NEEDS: Needs.of(resources).to_json(),
        **annotations(standing),
    }
    return pod


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
            **_common(standing),
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
    settings = platform_settings(request.name, request.key.team, resources, FILES)
    data = {
        "config.json": request.config.decode(),
        PLATFORM: json.dumps(settings, sort_keys=True),
        TEMPLATE: json.dumps(executor_template(request, standing), sort_keys=True),
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


def _key(name: str) -> str:
    """A file's name in a ConfigMap, which knows no folders."""
    return name.replace("/", "..")


def _thing(kind: str, request: LaunchRequest, **rest: Any) -> Obj:
    space = Names(request.key.team).namespace
    return thing(kind, request.name, namespace=space, labels=labels(request, DRIVER), **rest)


def _common(standing: Standing) -> dict[str, Any]:
    return {"enableServiceLinks": False, "securityContext": user(standing)}


def _amounts(share: Share) -> dict[str, str]:
    return {"cpu": share.cpu, "memory": share.memory}


def _env(values: Mapping[str, str]) -> list[Obj]:
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def _from_pod() -> list[Obj]:
    field_ref = {"fieldRef": {"fieldPath": "status.podIP"}}
    return [{"name": "POD_IP", "valueFrom": field_ref}, *_env({"HOME": "/tmp", "SPARK_LOCAL_DIRS": "/tmp/spark"})]  # noqa: S108  the pod's own


def _mounts(request: LaunchRequest, standing: Standing) -> list[Obj]:
    found: list[Obj] = [
        {"name": "files", "mountPath": FILES, "readOnly": True},
        {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108  the pod's own
        *mounts(standing),
    ]
    if request.connections is not None:
        found.append({"name": "connections", "mountPath": SECRETS, "readOnly": True})
    return found


def _volumes(request: LaunchRequest, standing: Standing) -> list[Obj]:
    names = ["config.json", PLATFORM, TEMPLATE, *request.files]
    items = [{"key": _key(name), "path": name} for name in names]
    found: list[Obj] = [
        {"name": "files", "configMap": {"name": request.name, "items": items}},
        {"name": "scratch", "emptyDir": {}},
        *volumes(standing),
    ]
    if request.connections is not None:
        found.append({"name": "connections", "secret": {"secretName": request.name, "defaultMode": 0o440}})
    return found
