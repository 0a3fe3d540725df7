"""How much a team has at once, and how much one container of it."""

from collections.abc import Iterator
from functools import reduce
from typing import Final

from framework.tenancy.cluster import Limits, PodSize, Quota
from framework.tenancy.model import Team
from framework.tenancy.names import Names
from framework.tenancy.quantities import cpu_text, memory_text, millis, octets
from k8s.render.objects import TEAM_LABEL, Obj, thing

NAME: Final = "team"
# Of objects that are nothing by themselves, and fill etcd when nobody counts them.
_OBJECTS: Final = {"configmaps": 5, "services": 2, "secrets": 3}
_SPARE: Final = 10
# A file system that grows has no size, and Kubernetes wants one.
NOMINAL: Final = "1Mi"
_DISK: Final = "ephemeral-storage"
# What a node must have free for a container; Spark's scratch files grow with what is shuffled.
_ASKED: Final = "64Mi"
_DEFAULT: Final = PodSize(cpu="500m", memory="512Mi")
# Airflow's workers wait: one each of the tasks that run at once.
WORKER: Final = PodSize(cpu="500m", memory="1Gi")


def spark_amounts(team: Team, quota: Quota, limits: Limits, scratch: str, *, volume: bool = False) -> Iterator[Obj]:
    """Of the team's namespace. ``scratch``: of the node's disk, for a container; ``volume``: whether it has one, its store's."""
    name, space = team.team, Names(team.team).namespace
    counts = {f"count/{kind}": str(_SPARE + each * quota.pods) for kind, each in _OBJECTS.items()}
    nothing = {"services.nodeports": "0", "services.loadbalancers": "0"}
    storage = {"requests.storage": NOMINAL if volume else "0"}
    hard = _hard(PodSize(cpu=quota.cpu, memory=quota.memory), quota.pods)
    yield _quota(name, space, {**hard, **counts, **nothing, **storage})
    yield _range(name, space, reduce(_larger, team.beside(), _larger(limits.driver, limits.executor)), scratch)


def airflow_amounts(team: str, slots: int, scratch: str) -> Iterator[Obj]:
    """Of the namespace of its Airflow workers: one for each slot of its pool."""
    space = Names(team).airflow_namespace
    most = PodSize(cpu=cpu_text(slots * millis(WORKER.cpu)), memory=memory_text(slots * octets(WORKER.memory)))
    yield _quota(team, space, {**_hard(most, slots), "count/services": "0", "requests.storage": "0"})
    yield _range(team, space, WORKER, scratch)


def defaults_of(limits: Limits) -> dict[str, str]:
    """What a container of the team's namespace is limited to where it says nothing."""
    return _least(_larger(limits.driver, limits.executor), _DEFAULT)


def _hard(size: PodSize, pods: int) -> dict[str, str]:
    both = {
        f"{kind}.{name}": value
        for kind in ("requests", "limits")
        for name, value in (("cpu", size.cpu), ("memory", size.memory))
    }
    return {**both, "pods": str(pods)}


def _quota(team: str, space: str, hard: dict[str, str]) -> Obj:
    return thing("ResourceQuota", NAME, namespace=space, labels={TEAM_LABEL: team}, spec={"hard": hard})


def _range(team: str, space: str, most: PodSize, scratch: str) -> Obj:
    """A container that says nothing gets little; no container, and no pod of several, gets more than the largest pod. Who writes more
    than ``scratch`` onto the node's disk is evicted, before it fills the disk of others.
    """
    largest = {"cpu": most.cpu, "memory": most.memory}
    container = {
        "type": "Container",
        "defaultRequest": {**_least(most, PodSize(cpu="100m", memory="128Mi")), _DISK: _ASKED},
        "default": {**_least(most, _DEFAULT), _DISK: scratch},
        "max": {**largest, _DISK: scratch},
    }
    spec = {"limits": [container, {"type": "Pod", "max": largest}]}
    return thing("LimitRange", NAME, namespace=space, labels={TEAM_LABEL: team}, spec=spec)


def _least(one: PodSize, other: PodSize) -> dict[str, str]:
    return {
        "cpu": cpu_text(min(millis(one.cpu), millis(other.cpu))),
        "memory": memory_text(min(octets(one.memory), octets(other.memory))),
    }


def _larger(one: PodSize, other: PodSize) -> PodSize:
    return PodSize(
        cpu=cpu_text(max(millis(one.cpu), millis(other.cpu))),
        memory=memory_text(max(octets(one.memory), octets(other.memory))),
    )
