"""How much a team has at once, and how much one container of it."""

from collections.abc import Iterator
from typing import Final

from framework.tenancy.cluster import Limits, PodSize, Quota
from framework.tenancy.names import Names
from framework.tenancy.quantities import cpu_text, memory_text, millis, octets
from k8s.render.objects import TEAM_LABEL, Obj, thing

NAME: Final = "team"
# Of objects that are nothing by themselves, and fill etcd when nobody counts them.
_OBJECTS: Final = {"configmaps": 5, "services": 2, "secrets": 3}
_SPARE: Final = 10
_DEFAULT: Final = PodSize(cpu="500m", memory="512Mi")
# Airflow's workers wait: one each of the tasks that run at once.
WORKER: Final = PodSize(cpu="500m", memory="1Gi")


def spark_amounts(team: str, quota: Quota, limits: Limits) -> Iterator[Obj]:
    """Of the team's namespace."""
    space = Names(team).namespace
    counts = {f"count/{kind}": str(_SPARE + each * quota.pods) for kind, each in _OBJECTS.items()}
    nothing = {"services.nodeports": "0", "services.loadbalancers": "0", "requests.storage": "0"}
    yield _quota(team, space, {**_hard(PodSize(cpu=quota.cpu, memory=quota.memory), quota.pods), **counts, **nothing})
    yield _range(team, space, _larger(limits.driver, limits.executor))


def airflow_amounts(team: str, slots: int) -> Iterator[Obj]:
    """Of the namespace of its Airflow workers: one for each slot of its pool."""
    space = Names(team).airflow_namespace
    most = PodSize(cpu=cpu_text(slots * millis(WORKER.cpu)), memory=memory_text(slots * octets(WORKER.memory)))
    yield _quota(team, space, {**_hard(most, slots), "count/services": "0", "requests.storage": "0"})
    yield _range(team, space, WORKER)


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


def _range(team: str, space: str, most: PodSize) -> Obj:
    """A container that says nothing gets little; no container, and no pod of several, gets more than the largest pod."""
    largest = {"cpu": most.cpu, "memory": most.memory}
    container = {
        "type": "Container",
        "defaultRequest": _least(most, PodSize(cpu="100m", memory="128Mi")),
        "default": _least(most, _DEFAULT),
        "max": largest,
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
