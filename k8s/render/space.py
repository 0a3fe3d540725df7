"""A team's two namespaces, who acts in them, and what each of those may do."""

from collections.abc import Iterator

from framework.tenancy.names import Names
from k8s.platform import Platform
from k8s.render.objects import RBAC, TEAM_LABEL, Obj, rule, thing

_READ = ("get", "list", "watch")


def namespaces(team: str, platform: Platform) -> Iterator[Obj]:
    """Both hold pods to the level ``restricted``, of one version: an upgrade of the cluster changes nothing unseen."""
    for name in Names(team).namespaces:
        levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
        versions = {f"{level}-version": platform.pod_security for level in levels}
        yield thing("Namespace", name, labels={TEAM_LABEL: team, **levels, **versions})


def accounts(team: str, *, cached: bool = False) -> Iterator[Obj]:
    """No token is mounted where nobody said so; ``default`` is there in any namespace, and is given nothing."""
    names = Names(team)
    for space, account in (
        (names.namespace, names.driver),
        (names.namespace, names.executor),
        *([(names.namespace, names.cache)] if cached else []),
        (names.namespace, "default"),
        (names.airflow_namespace, names.launcher),
        (names.airflow_namespace, "default"),
    ):
        yield thing(
            "ServiceAccount", account, namespace=space, labels={TEAM_LABEL: team}, automountServiceAccountToken=False
        )


def roles(team: str) -> Iterator[Obj]:
    """The launcher starts and watches what runs in the team's namespace; a driver makes executors beside itself."""
    names = Names(team)
    yield _role(team, names.launcher, [
        rule(["pods"], [*_READ, "create", "delete", "patch"]),
        rule(["pods/log"], ["get"]),
        rule(["services", "configmaps"], ["get", "create", "delete", "patch"]),
        # It hands secrets over and takes them away; it never reads one.
        rule(["secrets"], ["create", "delete"]),
        rule(["events"], ["list"]),
        # Whether there is room for a whole run, and that one launcher at a time asks.
        rule(["resourcequotas"], ["get"]),
        rule(["leases"], ["get", "create", "update"], group="coordination.k8s.io"),
    ])  # fmt: skip
    yield _role(team, names.driver, [
        rule(["pods"], [*_READ, "create", "delete", "deletecollection", "patch"]),
        rule(["configmaps"], [*_READ, "create", "delete", "deletecollection"]),
        rule(["services", "persistentvolumeclaims"], ["get", "list", "delete", "deletecollection"]),
    ])  # fmt: skip
    yield _binding(team, names.launcher, names.airflow_namespace)
    yield _binding(team, names.driver, names.namespace)


def _role(team: str, name: str, rules: list[Obj]) -> Obj:
    api = f"{RBAC}/v1"
    return thing("Role", name, api=api, namespace=Names(team).namespace, labels={TEAM_LABEL: team}, rules=rules)


def _binding(team: str, name: str, home: str) -> Obj:
    """The role ``name`` for the account of that name in the namespace ``home``."""
    return thing(
        "RoleBinding", name, api=f"{RBAC}/v1", namespace=Names(team).namespace, labels={TEAM_LABEL: team},
        roleRef={"apiGroup": RBAC, "kind": "Role", "name": name},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": home}],
    )  # fmt: skip
