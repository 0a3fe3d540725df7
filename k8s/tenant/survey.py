"""Looking at a live cluster: what is there of a team, and what an apply would make of it. Changes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from framework.errors import ClusterUnavailable, ConfigError
from framework.tenancy.names import Names
from k8s.client import MANAGER, Cluster, Place
from k8s.render.objects import MANAGED, RBAC, TEAM_LABEL, Obj
from k8s.tenant.plan import Survey, owner_of

_API: Final = f"{RBAC}/v1"
_RIGHTS: Final = 2
"""Role bindings of a team: its launcher's and its driver's."""
# What a team's file may have wanted yesterday.
_OPTIONAL: Final = {("v1", "Service"), ("v1", "PersistentVolumeClaim"), ("apps/v1", "StatefulSet")}
_LABELS: Final = ",".join(f"{key}={value}" for key, value in MANAGED.items())


def survey(cluster: Cluster, team: str, wanted: Sequence[Obj]) -> Survey:
    """Raises: ConfigError for a namespace of somebody else's; PolicyError, SetupError, ClusterUnavailable."""
    refuse_foreign(cluster, team)
    refuse_going(cluster, team)
    live = {place: found for place in map(Place.of, wanted) if (found := cluster.get(place)) is not None}
    would = {Place.of(one): cluster.apply(one, dry_run=True) for one in wanted if _comparable(one, live)}
    spaces = [name for name in Names(team).namespaces if Place("v1", "Namespace", "", name) in live]
    kinds = {(one["apiVersion"], one["kind"]) for one in wanted if one["metadata"].get("namespace")}
    ours = (*_ours(cluster, spaces, kinds | _OPTIONAL), *volumes_of(cluster, team))
    return Survey(tuple(wanted), live, would, ours)


def refuse_foreign(cluster: Cluster, team: str) -> None:
    """Raises: ConfigError unless the team's namespaces are its own, or not there."""
    found = [cluster.get(Place("v1", "Namespace", "", name)) for name in Names(team).namespaces]
    foreign = [one for one in found if one is not None and owner_of(one) != team]
    if not foreign:
        return
    details = [f"Namespace {one['metadata']['name']}: {_owner_in_words(one)}" for one in foreign]
    if relabelled := [one["metadata"]["name"] for one in foreign if _was_ours(one)]:
        labels = " ".join(f"{key}={value}" for key, value in {**MANAGED, TEAM_LABEL: team}.items())
        raise ConfigError(
            "somebody changed the labels of this team's namespace",
            where=f"team '{team}'",
            details=details,
            next_step=f"nothing was changed. Put them back: kubectl label --overwrite ns {' '.join(relabelled)} {labels}",
        )
    raise ConfigError(
        "a namespace of this name belongs to somebody else",
        where=f"team '{team}'",
        details=details,
        next_step="nothing was changed: choose another team name, or have the namespace's owner remove it",
    )


def refuse_going(cluster: Cluster, team: str) -> None:
    """Raises: ClusterUnavailable while a namespace of the team is being taken away: nothing can be made in it."""
    found = [cluster.get(Place("v1", "Namespace", "", name)) for name in Names(team).namespaces]
    if going := [one["metadata"]["name"] for one in found if one and one["metadata"].get("deletionTimestamp")]:
        raise ClusterUnavailable(
            "a namespace of the team is being taken away",
            where=", ".join(going),
            next_step="nothing was changed: run again when it is gone",
        )


def _owner_in_words(found: Obj) -> str:
    labels = found["metadata"].get("labels") or {}
    team = labels.get(TEAM_LABEL)
    return f"of team '{team}'" if team else "without our labels"


def _was_ours(found: Obj) -> bool:
    """Whether we once applied it: a server remembers who wrote which field."""
    return any(one.get("manager") == MANAGER for one in found["metadata"].get("managedFields") or ())


def _comparable(one: Obj, live: Mapping[Place, Obj]) -> bool:
    """What a role binding refers to is never changed in place: a server would refuse even the question."""
    found = live.get(Place.of(one))
    return found is not None and ("roleRef" not in one or found.get("roleRef") == one["roleRef"])


def _ours(cluster: Cluster, spaces: Sequence[str], kinds: set[tuple[str, str]]) -> Iterator[Place]:
    for space in spaces:
        for api, kind in sorted(kinds):
            for one in cluster.list(api, kind, namespace=space, labels=_LABELS):
                yield Place.of({"apiVersion": api, "kind": kind, "metadata": one["metadata"]})


def volumes_of(cluster: Cluster, team: str) -> tuple[Place, ...]:
    """Which stand outside of its namespaces. What is in a volume stays when it goes."""
    found = cluster.list("v1", "PersistentVolume", labels=f"{_LABELS},{TEAM_LABEL}={team}")
    return tuple(Place("v1", "PersistentVolume", "", one["metadata"]["name"]) for one in found)


def strangers(cluster: Cluster, team: str) -> Iterator[str]:
    """Rights of or in the team's namespaces that no team file gave: somebody's hand. They are told, and left alone."""
    spaces = Names(team).namespaces
    for space in spaces:
        for kind in ("Role", "RoleBinding"):
            for one in cluster.list(_API, kind, namespace=space):
                if owner_of(one) != team:
                    yield f"{kind} {space}/{one['metadata']['name']}: not from the team file; it gives rights in {space}"
    for one in cluster.list(_API, "ClusterRoleBinding"):
        if theirs := [subject for subject in one.get("subjects") or () if _is_of(subject, spaces)]:
            named = ", ".join(str(subject.get("name")) for subject in theirs)
            yield f"ClusterRoleBinding {one['metadata']['name']}: gives {named} rights in every namespace"


def _is_of(subject: Obj, spaces: Sequence[str]) -> bool:
    groups = {f"system:serviceaccounts:{space}" for space in spaces}
    users = tuple(f"system:serviceaccount:{space}:" for space in spaces)
    name = str(subject.get("name"))
    return subject.get("namespace") in spaces or name in groups or name.startswith(users)


def teams_of(cluster: Cluster) -> dict[str, str]:
    """Every team that has a namespace here, with its state: ``here``, ``half`` (a namespace or its rights are not), ``going``."""
    rights = [one["metadata"]["namespace"] for one in cluster.list(_API, "RoleBinding", labels=_LABELS)]
    found: dict[str, list[Obj]] = {}
    for one in cluster.list("v1", "Namespace", labels=_LABELS):
        if team := owner_of(one):
            found.setdefault(team, []).append(one)
    return {team: _state(spaces, rights.count(team)) for team, spaces in sorted(found.items())}


def _state(spaces: Sequence[Obj], rights: int) -> str:
    """Rights are given last: a team that has them has all the rest."""
    if any(one["metadata"].get("deletionTimestamp") for one in spaces):
        return "going"
    return "here" if len(spaces) == len(Names("any").namespaces) and rights >= _RIGHTS else "half"
