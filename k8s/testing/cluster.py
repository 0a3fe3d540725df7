"""The kit ``kubernetes`` of the isolation matrix: attacks as the team's own accounts, with tokens that the cluster makes for them.

Nothing stays: pods are asked for without being made, and the namespace of the witnesses goes with the kit.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from framework.errors import ConfigError, PolicyError
from framework.tenancy.layers import Site
from framework.tenancy.model import Team
from framework.tenancy.names import Names
from framework.testing.isolation import Attack, Deed, Gap, Refused, Unreachable, Wish, Witness
from k8s.client import Cluster, Place
from k8s.render.objects import GROUP, TEAM_LABEL, Obj
from k8s.tenant.deciding import LAYER, rights_of
from k8s.tenant.layer import KubernetesLayer
from k8s.tenant.survey import teams_of
from k8s.testing.pods import DENIED_BY_POD_SECURITY, Pair, denied_by_policy, needed

OPEN: Final = "teamspark-isolation"
"""A namespace that is no team's: the witnesses work there."""
_RBAC: Final = "rbac.authorization.k8s.io/v1"


@dataclass(frozen=True)
class ClusterKit:
    """``admin`` makes tokens and the witnesses' namespace; ``pairs``: who attacks whom."""

    admin: Cluster
    pairs: Sequence[Pair]
    as_account: Callable[[str, str], Cluster] = field(repr=False)

    @property
    def layer(self) -> str:
        return LAYER

    def attacks(self) -> Iterator[Attack]:
        for pair in self.pairs:
            for family, name, deed in self._of(pair):
                yield Attack(LAYER, pair.team.team, family, name, deed)

    def _of(self, pair: Pair) -> Iterator[tuple[str, str, Deed]]:
        names = Names(pair.team.team)
        launcher = self.as_account(names.airflow_namespace, names.launcher)
        driver = self.as_account(names.namespace, names.driver)
        executor = self.as_account(names.namespace, names.executor)
        who = {"launcher": launcher, "driver": driver, "executor": executor}
        for family, table in (
            ("hostile pod, by policy", denied_by_policy(pair)),
            ("hostile pod, by level", DENIED_BY_POD_SECURITY),
        ):
            for name, changes in table.items():
                yield family, name, refused(partial(launcher.create, pair.pod(changes), dry_run=True))
        for name, changes in needed(pair).items():
            if "serviceAccountName" not in changes:
                yield "driver makes a driver", name, refused(partial(driver.create, pair.pod(changes), dry_run=True))
        for account, cluster in who.items():
            yield from _in_foreign_namespaces(account, cluster, pair)
            yield from _for_more_rights(account, cluster, pair)
            yield from _at_the_limits(account, cluster, pair)
            yield from _through_doors(account, cluster, pair)

    def witnesses(self) -> Iterator[Witness]:
        """The same deeds in a namespace without a team, and as somebody who has the rights."""
        pair = self.pairs[0]
        image, level = denied_by_policy(pair)["an image of nobody"], DENIED_BY_POD_SECURITY["a host path"]
        yield Witness(LAYER, "hostile pod, by policy", partial(self._in_the_open, pair, image))
        yield Witness(LAYER, "hostile pod, by level", partial(self._in_the_open, pair, level))
        yield Witness(LAYER, "driver makes a driver", partial(self._in_the_open, pair, {}))
        other = Names(pair.other.team)
        pods = partial(self.admin.list, "v1", "Pod", namespace=other.namespace)
        yield Witness(LAYER, "another team's namespace", pods)
        yield Witness(LAYER, "more rights", partial(self.admin.create, _binding(other.namespace, pair), dry_run=True))
        place = Place(f"{GROUP}/v1", "TeamLimits", other.namespace, "team")
        yield Witness(LAYER, "its own limits", partial(_exists, self.admin, place))
        yield Witness(LAYER, "into running pods", partial(self._doors_open, pair))

    def _in_the_open(self, pair: Pair, changes: Any) -> None:
        self.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPEN}})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "driver", "namespace": OPEN}}
        self.admin.apply(account)
        made = pair.pod(changes)
        self.admin.create({**made, "metadata": {**made["metadata"], "namespace": OPEN}}, dry_run=True)

    def _doors_open(self, pair: Pair) -> None:
        """Whoever may look into pods is asked for the pod, not for the right: it is not there."""
        try:
            self.admin.ask("GET", _door(Names(pair.team.team).namespace, _DOORS[0]))
        except ConfigError:  # not found: past every guard
            return

    def wishes(self) -> Iterator[Wish]:
        for pair in self.pairs:
            names = Names(pair.team.team)
            launcher = self.as_account(names.airflow_namespace, names.launcher)
            driver = self.as_account(names.namespace, names.driver)
            for name, changes in needed(pair).items():
                yield Wish(LAYER, pair.team.team, name, partial(_taken, launcher, pair.pod(changes)))
            for name, cluster, body in (
                ("an executor of its driver", driver, pair.pod({"serviceAccountName": "executor", "owned": True})),
                ("settings of a run", launcher, _thing("ConfigMap", names.namespace)),
                ("secrets of a run", launcher, _thing("Secret", names.namespace)),
                ("a service for executors", launcher, {**_thing("Service", names.namespace), "spec": _PORT}),
                ("settings of executors", driver, _thing("ConfigMap", names.namespace)),
            ):
                yield Wish(LAYER, pair.team.team, name, partial(_taken, cluster, body))
            for account, cluster in (("launcher", launcher), ("driver", driver)):
                listed = partial(_list, cluster, "Pod", names.namespace)
                yield Wish(LAYER, pair.team.team, f"{account} sees the team's pods", listed)
                for verb, kind in rights_of(pair.team.team, account):
                    asked = partial(_may, cluster, names.namespace, verb, kind)
                    yield Wish(LAYER, pair.team.team, f"{account} may {verb} {kind}", asked)

    def clear(self) -> None:
        self.admin.delete(Place("v1", "Namespace", "", OPEN))

    def gaps(self) -> Sequence[Gap]:
        told = "NetworkPolicies are stored here; the cluster's network plugin enforces them"
        return (Gap(LAYER, told, "teamspark team explain says which; on a cluster: kubectl exec and nc from a pod"),)


_DOORS: Final = ("exec?command=id", "attach", "portforward", "proxy/", "ephemeralcontainers", "eviction")
_PORT: Final = {"ports": [{"port": 7078}], "clusterIP": "None"}


def kit(site: Site) -> ClusterKit:
    """What the entry point ``teamspark.isolation`` names. Raises: Unreachable, and what the layer raises."""
    admin = KubernetesLayer(site).cluster
    return ClusterKit(admin, applied_pairs(site, admin), partial(account_of, admin))


def applied_pairs(site: Site, admin: Cluster) -> tuple[Pair, ...]:
    """Of the tenants that are in the cluster. Raises: Unreachable for less than two, naming those that are not."""
    there = teams_of(admin)
    tenants = [team for team in site.teams.by_name.values() if team.is_tenant]
    here = [team for team in tenants if there.get(team.team) == "here"]
    if len(here) < 2 <= len(tenants):
        missing = [team.team for team in tenants if team not in here]
        raise Unreachable(f"not applied: {', '.join(missing)}; first: teamspark team apply {missing[0]}")
    return pairs_of(here)


def pairs_of(teams: Iterable[Team]) -> tuple[Pair, ...]:
    """Each tenant against the next. Raises: Unreachable for less than two."""
    tenants = [team for team in teams if team.is_tenant]
    if len(tenants) < 2:
        raise Unreachable("two teams with quota, limits and images are needed")
    return tuple(Pair(team, other) for team, other in zip(tenants, [*tenants[1:], tenants[0]], strict=True))


def account_of(admin: Cluster, space: str, account: str) -> Cluster:
    """The same cluster as that account sees it, with a token that the cluster made."""
    return admin.as_bearer(admin.token(space, account))


def refused(deed: Callable[[], Any]) -> Deed:
    """``deed``, with the cluster's no told as the wall's."""

    def tried() -> None:
        try:
            deed()
        except PolicyError as no:
            raise Refused(str(no.got)) from no

    return tried


def _in_foreign_namespaces(account: str, cluster: Cluster, pair: Pair) -> Iterator[tuple[str, str, Deed]]:
    mine, other, family = Names(pair.team.team), Names(pair.other.team), "another team's namespace"
    for space in (*other.namespaces, "kube-system", "default"):
        for kind in ("Pod", "Secret", "ConfigMap", "Service"):
            yield family, f"{account} lists {kind} in {space}", refused(partial(_list, cluster, kind, space))
        made = {
            **pair.pod({}),
            "metadata": {"generateName": "x-", "namespace": space, "labels": {TEAM_LABEL: pair.other.team}},
        }
        yield family, f"{account} makes a pod in {space}", refused(partial(cluster.create, made, dry_run=True))
    yield family, f"{account} lists all pods", refused(partial(cluster.list, "v1", "Pod"))
    yield family, f"{account} lists namespaces", refused(partial(cluster.list, "v1", "Namespace"))
    yield family, f"{account} lists its secrets", refused(partial(_list, cluster, "Secret", mine.namespace))
    yield family, f"{account} reads Airflow's pods", refused(partial(_list, cluster, "Pod", mine.airflow_namespace))


def _for_more_rights(account: str, cluster: Cluster, pair: Pair) -> Iterator[tuple[str, str, Deed]]:
    mine, other, family = Names(pair.team.team), Names(pair.other.team), "more rights"
    for space in (mine.namespace, other.namespace):
        for name in (mine.driver, mine.executor, "default"):
            yield family, f"{account} asks for a token of {space}/{name}", refused(partial(cluster.token, space, name))
        bound = partial(cluster.create, _binding(space, pair), dry_run=True)
        yield family, f"{account} binds a role in {space}", refused(bound)
    launcher = partial(cluster.token, other.airflow_namespace, other.launcher)
    yield family, f"{account} asks for a token of the other launcher", refused(launcher)
    everywhere = _binding(None, pair)
    yield family, f"{account} binds a cluster role", refused(partial(cluster.create, everywhere, dry_run=True))
    for user in (f"system:serviceaccount:{other.namespace}:{other.driver}", "system:admin"):
        path, headers = f"/api/v1/namespaces/{other.namespace}/pods", {"Impersonate-User": user}
        yield family, f"{account} is {user}", refused(partial(cluster.ask, "GET", path, headers=headers))


def _at_the_limits(account: str, cluster: Cluster, pair: Pair) -> Iterator[tuple[str, str, Deed]]:
    space, family = Names(pair.team.team).namespace, "its own limits"
    for api, kind, name in (
        (f"{GROUP}/v1", "TeamLimits", "team"),
        ("v1", "ResourceQuota", "team"),
        ("v1", "LimitRange", "team"),
        ("networking.k8s.io/v1", "NetworkPolicy", "nobody"),
        (_RBAC, "Role", "driver"),
        (_RBAC, "RoleBinding", "driver"),
    ):
        yield family, f"{account} deletes {kind}", refused(partial(cluster.delete, Place(api, kind, space, name)))
    labelled = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": space, "labels": {TEAM_LABEL: pair.other.team}},
    }
    yield family, f"{account} labels its namespace as another's", refused(partial(cluster.apply, labelled))
    policy = Place("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "", "teamspark-pods")
    yield family, f"{account} deletes the policies", refused(partial(cluster.delete, policy))


def _through_doors(account: str, cluster: Cluster, pair: Pair) -> Iterator[tuple[str, str, Deed]]:
    for space in (Names(pair.team.team).namespace, Names(pair.other.team).namespace):
        for door in _DOORS:
            path = _door(space, door)
            yield "into running pods", f"{account} opens {door} in {space}", refused(partial(cluster.ask, "GET", path))


def _door(space: str, door: str) -> str:
    return f"/api/v1/namespaces/{space}/pods/nobody/{door}"


def _binding(space: str | None, pair: Pair) -> Obj:
    """Everything, for the team's driver; everywhere where there is no ``space``."""
    names = Names(pair.team.team)
    metadata = {"generateName": "try-", **({"namespace": space} if space else {})}
    return {
        "apiVersion": _RBAC,
        "kind": "RoleBinding" if space else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": names.driver, "namespace": names.namespace}],
    }


def _thing(kind: str, space: str) -> Obj:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"generateName": "try-", "namespace": space}}


def _list(cluster: Cluster, kind: str, space: str) -> None:
    cluster.list("v1", kind, namespace=space)


def _taken(cluster: Cluster, body: Obj) -> None:
    cluster.create(body, dry_run=True)


def _may(cluster: Cluster, space: str, verb: str, kind: str) -> None:
    """The cluster is asked by the account itself, for itself."""
    plain, _, part = kind.partition("/")
    resource, _, group = plain.partition(".")
    attributes = {"namespace": space, "verb": verb, "group": group, "resource": resource, "subresource": part}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": attributes},
    }
    if not cluster.create(review)["status"]["allowed"]:
        raise PermissionError(f"{verb} {kind}")


def _exists(cluster: Cluster, place: Place) -> None:
    if cluster.get(place) is None:
        raise LookupError(str(place))
