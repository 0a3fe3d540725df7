"""Pods that a team must not have, tried at a real API server as the team's launcher; each has its twin where no guard is."""

from functools import partial
from typing import Any, Final

import pytest

from framework.errors import NoRoom, PolicyError
from k8s.client import Place
from k8s.testing.pods import DENIED_BY_POD_SECURITY, denied_by_policy, needed
from tests.k8s.pods import pair, pod
from tests.servers.kubernetes import Kubernetes

pytestmark = pytest.mark.timeout(120)

OPEN: Final = "open"
"""A namespace that is no team's: the same pods are taken there."""


OURS: Final = denied_by_policy(pair())
FINE: Final = needed(pair())


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


@pytest.mark.parametrize("attack", [*OURS, *DENIED_BY_POD_SECURITY])
def test_it_is_denied_and_the_twin_without_guards_is_taken(opened: Kubernetes, attack: str) -> None:
    bad = pod("flights", **{**OURS, **DENIED_BY_POD_SECURITY}[attack])

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

    with pytest.raises((PolicyError, NoRoom), match=r"services (are|take)|exceeded quota"):
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
