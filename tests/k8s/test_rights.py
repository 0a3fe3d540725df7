"""What each account of a team may ask of a real API server: every verb of every resource, beside what is meant."""

from typing import Any, Final

import pytest

from framework.errors import NoRoom, PolicyError
from k8s.client import Place
from tests.k8s.pods import pod
from tests.servers.kubernetes import Kubernetes

pytestmark = pytest.mark.timeout(120)

VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES: Final = (
    ("", "pods"), ("", "pods/log"), ("", "pods/exec"), ("", "pods/attach"), ("", "pods/portforward"),
    ("", "pods/ephemeralcontainers"), ("", "pods/proxy"), ("", "pods/eviction"), ("", "secrets"), ("", "configmaps"),
    ("", "services"), ("", "services/proxy"), ("", "serviceaccounts"), ("", "serviceaccounts/token"), ("", "events"),
    ("", "persistentvolumeclaims"), ("", "persistentvolumes"), ("", "namespaces"), ("", "nodes"), ("", "nodes/proxy"),
    ("", "resourcequotas"), ("", "limitranges"), ("", "endpoints"), ("apps", "deployments"), ("batch", "jobs"),
    ("rbac.authorization.k8s.io", "roles"), ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"), ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("networking.k8s.io", "networkpolicies"), ("teamspark.io", "teamlimits"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"), ("certificates.k8s.io", "certificatesigningrequests"),
    ("coordination.k8s.io", "leases"), ("scheduling.k8s.io", "priorityclasses"),
)  # fmt: skip
SPECIAL: Final = (
    ("", "serviceaccounts", "impersonate"), ("", "users", "impersonate"), ("", "groups", "impersonate"),
    ("rbac.authorization.k8s.io", "roles", "bind"), ("rbac.authorization.k8s.io", "roles", "escalate"),
    ("rbac.authorization.k8s.io", "clusterroles", "bind"), ("rbac.authorization.k8s.io", "clusterroles", "escalate"),
)  # fmt: skip
MEANT: Final = {
    ("flights-airflow", "launcher"): {
        *(f"{verb} pods" for verb in ("get", "list", "watch", "create", "delete", "patch")),
        "get pods/log", "create secrets", "delete secrets", "list events",
        "get resourcequotas", *(f"{verb} leases" for verb in ("get", "create", "update")),
        *(f"{verb} {kind}" for verb in ("get", "create", "delete", "patch") for kind in ("services", "configmaps")),
    },
    ("flights", "driver"): {
        *(f"{verb} pods" for verb in ("get", "list", "watch", "create", "delete", "deletecollection", "patch")),
        *(f"{verb} configmaps" for verb in ("get", "list", "watch", "create", "delete", "deletecollection")),
        *(f"{verb} {kind}" for verb in ("get", "list", "delete", "deletecollection")
          for kind in ("services", "persistentvolumeclaims")),
    },
    ("flights", "executor"): set[str](),
    ("flights", "default"): set[str](),
    ("flights-airflow", "default"): set[str](),
}  # fmt: skip
SPACES: Final = ("flights", "flights-airflow", "insights", "insights-airflow", "kube-system", "default", "")


def may(kubernetes: Kubernetes, user: str, space: str, group: str, resource: str, verb: str) -> bool:
    kind, _, part = resource.partition("/")
    attributes = {"namespace": space, "group": group, "resource": kind, "subresource": part, "verb": verb}
    asked: dict[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {"user": user, "groups": _groups(user), "resourceAttributes": attributes},
    }
    return bool(kubernetes.admin.create(asked)["status"]["allowed"])


def _groups(user: str) -> list[str]:
    """Those that the API server puts a service account into."""
    space = user.split(":")[2]
    return ["system:serviceaccounts", f"system:serviceaccounts:{space}", "system:authenticated"]


@pytest.mark.parametrize("who", list(MEANT))
def test_each_account_may_exactly_what_is_meant(kubernetes: Kubernetes, who: tuple[str, str]) -> None:
    user, found = f"system:serviceaccount:{who[0]}:{who[1]}", set()
    asked = [(group, resource, verb) for group, resource in RESOURCES for verb in VERBS]
    for group, resource, verb in [*asked, *SPECIAL]:
        if may(kubernetes, user, "flights", group, resource, verb):
            found.add(f"{verb} {resource}")

    assert found == MEANT[who]


@pytest.mark.parametrize("who", list(MEANT))
@pytest.mark.parametrize("space", [one for one in SPACES if one != "flights"])
def test_nothing_anywhere_else(kubernetes: Kubernetes, who: tuple[str, str], space: str) -> None:
    user = f"system:serviceaccount:{who[0]}:{who[1]}"
    kinds = ("pods", "secrets", "configmaps", "services", "pods/exec", "serviceaccounts/token")

    allowed = [
        f"{verb} {kind}" for kind in kinds for verb in ("get", "list", "create", "delete") if may(kubernetes, user, space, "", kind, verb)
    ]  # fmt: skip
    assert allowed == []


def test_the_witness_who_administers_may(kubernetes: Kubernetes) -> None:
    """The same question of somebody with the right is answered with yes."""
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "witness"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "witness", "namespace": "default"}],
    }  # fmt: skip
    kubernetes.admin.apply(body)
    user = "system:serviceaccount:default:witness"

    assert may(kubernetes, user, "flights", "", "pods/exec", "create")
    assert may(kubernetes, user, "insights", "", "secrets", "get")
    kubernetes.admin.delete(Place("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "witness"))


@pytest.mark.parametrize("who", list(MEANT))
def test_by_its_own_token_it_is_the_same(kubernetes: Kubernetes, who: tuple[str, str]) -> None:
    """Not only asked about: done, with a token of the account."""
    team = kubernetes.as_account(*who)

    with pytest.raises(PolicyError):
        team.list("v1", "Pod", namespace="flights-airflow")
    with pytest.raises(PolicyError):
        team.list("v1", "Secret", namespace="flights")
    with pytest.raises(PolicyError):
        team.list("v1", "Pod", namespace="insights")
    with pytest.raises(PolicyError):
        team.create(pod("insights"), dry_run=True)


def test_more_than_the_quota_is_denied(kubernetes: Kubernetes) -> None:
    """One pod at a time fits; what is there counts. The witness: without a quota the last one is taken too."""
    admin = kubernetes.admin
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": "insights"},
        "spec": {"hard": {"pods": "1"}},
    }  # fmt: skip
    made = admin.create(pod("insights"))
    admin.apply(quota)
    try:
        _until_counted(kubernetes)
        with pytest.raises(NoRoom, match="exceeded quota: small"):
            admin.create(pod("insights"), dry_run=True)
    finally:
        admin.delete(Place("v1", "ResourceQuota", "insights", "small"))
    _until_taken(kubernetes)
    admin.delete(Place.of(made))


def _until_taken(kubernetes: Kubernetes) -> None:
    """Who counts hears a moment later that there is nothing to count."""
    import time

    for left in reversed(range(150)):
        try:
            kubernetes.admin.create(pod("insights"), dry_run=True)
        except NoRoom:
            if not left:
                raise
            time.sleep(0.2)
        else:
            return


def _until_counted(kubernetes: Kubernetes) -> None:
    import time

    for _ in range(150):
        found = kubernetes.admin.get(Place("v1", "ResourceQuota", "insights", "small"))
        if found and found.get("status", {}).get("used", {}).get("pods") == "1":
            return
        time.sleep(0.2)
    raise TimeoutError(f"nobody counted the pods: {found}")
