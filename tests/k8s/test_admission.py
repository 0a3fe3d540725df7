"""Pods that a team must not have, tried at a real API server as the team's launcher; each has its twin where no guard is."""

from functools import partial
from typing import Any, Final

import pytest

from framework.errors import PolicyError
from k8s.client import Place
from tests.k8s.pods import RESTRICTED, pod
from tests.servers.kubernetes import Kubernetes

pytestmark = pytest.mark.timeout(120)

OPEN: Final = "open"
"""A namespace that is no team's: the same pods are taken there."""


def secured(**more: Any) -> dict[str, Any]:
    return {"securityContext": {**RESTRICTED, **more}}


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


def token(audience: str) -> dict[str, Any]:
    return volume(projected={"sources": [{"serviceAccountToken": {"path": "t", "audience": audience}}]})


# By the policies of ours: what Pod Security leaves open.
OURS: Final[dict[str, dict[str, Any]]] = {
    "an image of nobody": {"image": "elsewhere.example.org/library/busybox:1"},
    "another team's image": {"image": "registry.example.org/insights/jobs:1"},
    "a name that goes on": {"image": "registry.example.org/flights2/jobs:1"},
    "a way up in an image": {"image": "registry.example.org/flights/../insights/jobs:1"},
    "the latest image": {"image": "registry.example.org/flights/jobs:latest"},
    "an image without a tag": {"image": "registry.example.org/flights/jobs"},
    "an init container's image": {
        "initContainers": [{"name": "i", "image": "elsewhere.example.org/x/y:1", "securityContext": RESTRICTED}]
    },
    "the default account": {"serviceAccountName": "default"},
    "an executor without a driver": {"serviceAccountName": "executor"},
    "another team's label": {"labels": {"teamspark.io/team": "insights"}},
    "no label": {"labels": {}},
    "a claim": volume(persistentVolumeClaim={"claimName": "data"}),
    "a csi volume": volume(csi={"driver": "efs.csi.aws.com"}),
    "an ephemeral volume": volume(
        ephemeral={"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}
    ),
    "a token for somebody else": token("vault"),
    "a chosen node": {"nodeName": "node1"},
    "a node selector": {"nodeSelector": {"pool": "insights"}},
    "a node affinity": {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "pool", "operator": "Exists"}]}]}}}
    },
    "a toleration of everything": {"tolerations": [{"operator": "Exists"}]},
    "a toleration of a control plane": {"tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]},
    "a scheduler": {"schedulerName": "mine"},
    "a priority": {"priorityClassName": "system-node-critical"},
    "shared processes": {"shareProcessNamespace": True},
    "host aliases": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["s3.amazonaws.com"]}]},
    "a pull secret": {"imagePullSecrets": [{"name": "other"}]},
    "more than a driver may have": {"container": {"resources": {"limits": {"cpu": "3", "memory": "1Gi"}}}},
    "more memory than a driver may have": {"container": {"resources": {"limits": {"cpu": "1", "memory": "5Gi"}}}},
}  # fmt: skip
# By Pod Security, of the level that the namespace says.
PODS: Final[dict[str, dict[str, Any]]] = {
    "escalation": {"container": secured(allowPrivilegeEscalation=True)},
    "root": {"container": secured(runAsNonRoot=False)},
    "user 0": {"container": secured(runAsUser=0)},
    "a capability": {"container": secured(capabilities={"add": ["SYS_ADMIN"], "drop": ["ALL"]})},
    "capabilities kept": {"container": secured(capabilities={})},
    "no seccomp": {"container": secured(seccompProfile={"type": "Unconfined"})},
    "the host's network": {"hostNetwork": True},
    "the host's processes": {"hostPID": True},
    "the host's memory": {"hostIPC": True},
    "a host path": volume(hostPath={"path": "/"}),
    "a host port": {"container": {"ports": [{"containerPort": 80, "hostPort": 80}]}},
    "a sysctl": {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    "proc unmasked": {"container": secured(procMount="Unmasked"), "hostUsers": False},
    "an nfs volume": volume(nfs={"server": "10.0.0.1", "path": "/"}),
}
FINE: Final[dict[str, dict[str, Any]]] = {
    "a driver": {},
    "an executor of a driver": {"serviceAccountName": "executor", "owned": True},
    "by digest": {"image": f"registry.example.org/flights/jobs@sha256:{'0' * 64}"},
    "in a folder below": {"image": "registry.example.org/flights/tools/jobs:2026.11"},
    "a token for the store": token("sts.amazonaws.com"),
    "its own secret": volume(secret={"secretName": "run-1"}),
    "its own settings": volume(configMap={"name": "run-1"}),
    "scratch": volume(emptyDir={"sizeLimit": "1Gi"}),
    "what its own fields say": volume(downwardAPI={"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}),
    "as much as a driver may have": {"container": {"resources": {"limits": {"cpu": "2", "memory": "4Gi"}}}},
    "as much as an executor may have": {
        "serviceAccountName": "executor", "owned": True, "container": {"resources": {"limits": {"cpu": "4", "memory": "8Gi"}}}
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def opened(kubernetes: Kubernetes) -> Kubernetes:
    """With a namespace that has neither a team nor a level."""
    kubernetes.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPEN}})
    for account in ("driver", "executor", "default"):
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": OPEN}}
        kubernetes.admin.apply(body)
    return kubernetes


def moved(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "metadata": {**one["metadata"], "namespace": OPEN}}


@pytest.mark.parametrize("attack", [*OURS, *PODS])
def test_it_is_denied_and_the_twin_without_guards_is_taken(opened: Kubernetes, attack: str) -> None:
    bad = pod("flights", **{**OURS, **PODS}[attack])

    with pytest.raises(PolicyError, match="the cluster denies it") as told:
        opened.as_account("flights-airflow", "launcher").create(bad, dry_run=True)
    by = "ValidatingAdmissionPolicy 'teamspark-pods'" if attack in OURS else 'violates PodSecurity "restricted:v1.34"'
    assert by in str(told.value.got)

    opened.admin.create(moved(bad), dry_run=True)


@pytest.mark.parametrize("wish", list(FINE))
def test_what_a_team_needs_is_taken(kubernetes: Kubernetes, wish: str) -> None:
    kubernetes.as_account("flights-airflow", "launcher").create(pod("flights", **FINE[wish]), dry_run=True)


def test_containers_of_a_pod_are_counted_together(opened: Kubernetes) -> None:
    """Each has no more than an executor may have; both have."""
    half = pod(
        "flights",
        serviceAccountName="executor",
        owned=True,
        container={"resources": {"limits": {"cpu": "3", "memory": "1Gi"}}},
    )
    (main,) = half["spec"]["containers"]
    both = {**half, "spec": {**half["spec"], "containers": [main, {**main, "name": "second"}]}}
    launcher = opened.as_account("flights-airflow", "launcher")

    launcher.create(half, dry_run=True)
    with pytest.raises(PolicyError, match="maximum cpu usage per Pod is 4"):
        launcher.create(both, dry_run=True)
    opened.admin.create(moved(both), dry_run=True)


def test_a_driver_makes_executors_only(kubernetes: Kubernetes) -> None:
    driver = kubernetes.as_account("flights", "driver")

    driver.create(pod("flights", serviceAccountName="executor", owned=True), dry_run=True)
    with pytest.raises(PolicyError, match="a driver makes executors only"):
        driver.create(pod("flights"), dry_run=True)


def test_without_its_parameters_a_team_runs_nothing(kubernetes: Kubernetes) -> None:
    """What the policies ask is gone: deny all, not allow all."""
    admin = kubernetes.admin
    space = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "orphans", "labels": {"teamspark.io/team": "orphans"}},
    }
    admin.apply(space)
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "driver", "namespace": "orphans"}}
    admin.apply(body)

    with pytest.raises(PolicyError, match="no params found"):
        admin.create(pod("orphans"), dry_run=True)


@pytest.mark.parametrize(
    "service",
    [
        {"type": "NodePort", "ports": [{"port": 80}]},
        {"type": "LoadBalancer", "ports": [{"port": 80}]},
        {"type": "ExternalName", "externalName": "insights.example.org"},
        {"ports": [{"port": 80}], "externalIPs": ["10.0.0.1"]},
    ],
)
def test_services_reach_nobody_outside(opened: Kubernetes, service: dict[str, Any]) -> None:
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "flights"}, "spec": service}

    with pytest.raises(PolicyError, match=r"services (are|take)|exceeded quota"):
        opened.as_account("flights-airflow", "launcher").create(body, dry_run=True)
    opened.admin.create(moved(body), dry_run=True)


WHO: Final = (("flights", "driver"), ("flights", "executor"), ("flights-airflow", "launcher"))


@pytest.mark.parametrize(("space", "account"), WHO)
def test_the_limits_of_a_team_are_not_its_own_to_change(kubernetes: Kubernetes, space: str, account: str) -> None:
    place = Place("teamspark.io/v1", "TeamLimits", "flights", "team")
    found, team = kubernetes.admin.get(place), kubernetes.as_account(space, account)
    assert found is not None
    wider = {**found, "metadata": {"name": "team", "namespace": "flights"}}

    for deed in (partial(team.get, place), partial(team.delete, place), partial(team.apply, wider)):
        with pytest.raises(PolicyError):
            deed()

    assert kubernetes.admin.get(place) == found
