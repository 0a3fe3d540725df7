"""A team's own Alluxio in its namespace: reached from there only, counted in its quota, at the store by the team's role.

One pod with all three parts: a team's cache is small, and what it loses with its pod is read from the store again. Nothing of it
is kept.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Final

from framework.cache.properties import PUBLIC_PORTS
from framework.tenancy.cluster import cache_size
from framework.tenancy.model import Team
from framework.tenancy.names import Names
from framework.tenancy.places import AlluxioPlace
from framework.tenancy.render import as_yaml, with_cache
from k8s.platform import Platform
from k8s.pods import RESTRICTED
from k8s.render.objects import TEAM_LABEL, Obj, thing
from k8s.standing import annotations, environment, mounts, standing_of, user, volumes

PART: Final = "teamspark.io/part"
_HOME: Final = "/cache"
_TIER: Final = "/tier"
_TEAMS: Final = "/etc/teamspark/teams"
_SCRATCH: Final = "/tmp"  # noqa: S108  the pod's own
# Most of the time it waits; what it may use when it is asked is in its limit.
_IDLE: Final = "50m"
_FILE: Final = "teams.teamspark.io"


def as_in_cluster(team: Team, platform: Platform) -> Team:
    """The team as its pods have to see it: a cache of a machine is none of theirs, and their own has an address."""
    if team.cache is None or team.cache.master is not None:
        return team
    if not platform.caches(team):
        return with_cache(team, None)
    host = f"{Names(team.team).cache}.{Names(team.team).namespace}.svc"
    found = {"master": f"{host}:{PUBLIC_PORTS['master']}", "proxy": f"http://{host}:{PUBLIC_PORTS['proxy']}"}
    return with_cache(team, team.cache.model_copy(update=found))


def cache(team: Team, platform: Platform, granting: Sequence[Team]) -> Iterator[Obj]:
    """Service and stateful set; nothing for a team without a cache here. ``granting``: teams that let it read of theirs."""
    if team.cache is None or not platform.caches(team):
        return
    name, space = Names(team.team).cache, Names(team.team).namespace
    labels = {TEAM_LABEL: team.team, PART: name}
    ports = [{"name": part, "port": port} for part, port in PUBLIC_PORTS.items()]
    yield thing("Service", name, namespace=space, labels=labels, spec={
        "clusterIP": "None", "selector": {PART: name}, "ports": ports,
    })  # fmt: skip
    texts = {f"{_FILE}/{one.team}": as_yaml(with_cache(one, None)) for one in (team, *granting)}
    told = {**texts, **annotations(standing_of(team, platform))}
    template = {"metadata": {"labels": labels, "annotations": told}, "spec": _pod(team, platform, tuple(texts))}
    yield thing("StatefulSet", name, api="apps/v1", namespace=space, labels=labels, spec={
        "serviceName": name, "replicas": 1, "selector": {"matchLabels": {PART: name}}, "template": template,
    })  # fmt: skip


def _pod(team: Team, platform: Platform, files: Sequence[str]) -> Obj:
    assert team.cache is not None, "asked by cache"
    standing, size = standing_of(team, platform), cache_size(team.cache)
    most = {"cpu": size.cpu, "memory": size.memory}
    container = {
        "name": "alluxio",
        "image": platform.cache_image,
        "imagePullPolicy": "IfNotPresent",
        "args": _arguments(team.team, team.cache),
        "env": [
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "HOME", "value": _SCRATCH},
            *environment(standing),
        ],
        "resources": {"limits": most, "requests": {**most, "cpu": _IDLE}},
        "securityContext": deepcopy(RESTRICTED),
        "readinessProbe": {"exec": {"command": ["test", "-f", f"{_HOME}/home/ready"]}, "periodSeconds": 2},
        "volumeMounts": [
            *({"name": name, "mountPath": path} for name, path in _folders()),
            {"name": "teams", "mountPath": _TEAMS, "readOnly": True},
            *mounts(standing),
        ],
    }
    return {
        "serviceAccountName": Names(team.team).cache,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": user(standing),
        "terminationGracePeriodSeconds": 5,  # it holds nothing that has to be kept
        "containers": [container],
        "volumes": [
            *({"name": name, "emptyDir": {"medium": "Memory"} if path == _TIER else {}} for name, path in _folders()),
            {"name": "teams", "downwardAPI": {"items": [_file(name) for name in files]}},
            *volumes(standing),
        ],
    }


def _folders() -> tuple[tuple[str, str], ...]:
    return ("home", _HOME), ("tier", _TIER), ("scratch", _SCRATCH)


def _file(annotation: str) -> Obj:
    """A team's file out of the pod's own metadata: another file is another pod."""
    name = annotation.partition("/")[2]
    return {"path": f"{name}.yaml", "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}


def _arguments(team: str, place: AlluxioPlace) -> list[str]:
    told = {
        "team": team, "home": f"{_HOME}/home", "tier": f"{_TIER}/hot", "memory": str(place.memory_bytes),
        "host": "$(POD_IP)", "team-files": _TEAMS,
    }  # fmt: skip
    words = ["python3", "-m", "framework.cacheserver"]
    return [*words, *(word for name, value in told.items() for word in (f"--{name}", value))]
