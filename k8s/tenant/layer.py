"""The layer ``kubernetes`` of ``teamspark team``: namespaces, limits, policies, accounts and roles of a team."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Final

from framework.errors import ConfigError
from framework.tenancy.layers import Phase, Prospect, Question, Site, Step, Verb, Verdict
from framework.tenancy.model import Team
from framework.tenancy.names import Names
from k8s.client import Cluster, Place
from k8s.platform import Platform, load_platform
from k8s.render.objects import RBAC, Obj, as_yaml
from k8s.render.team import cluster_objects, team_objects
from k8s.tenant.deciding import LAYER as NAME
from k8s.tenant.deciding import decide
from k8s.tenant.plan import Change, changes, needs_wait
from k8s.tenant.survey import refuse_foreign, strangers, survey, teams_of, volumes_of
from k8s.tenant.waiting import apply_when_served, await_gone, await_policies

KUBECONFIG: Final = "kubeconfig"
CONTEXT: Final = "context"
_DEFAULT: Final = ".kube/config"


@dataclass(frozen=True)
class KubernetesLayer:
    """One cluster, as the kubeconfig's identity sees it."""

    site: Site

    @property
    def name(self) -> str:
        return NAME

    @cached_property
    def cluster(self) -> Cluster:
        """Raises: ConfigError, SetupError, ClusterUnavailable."""
        return Cluster.of(_kubeconfig(self.site), self.site.options.get(CONTEXT))

    @cached_property
    def platform(self) -> Platform:
        return load_platform(self.site.workspace)

    def prospect(self, team: Team) -> Prospect:
        """What is one for all teams, too: without the policies no team may have rights."""
        if not team.is_tenant:
            return Prospect(remarks=(f"{NAME}: '{team.team}' has no quota, limits and images: no part of a cluster",))
        found = survey(self.cluster, team.team, (*cluster_objects(), *self._objects(team)))
        due = changes(found)
        told = tuple(f"{NAME}: {line}" for line in strangers(self.cluster, team.team))
        return Prospect(tuple(self._steps(team.team, due)), strays=told)

    def _steps(self, team: str, due: Sequence[Change]) -> Iterator[Step]:
        for one in due:
            yield _step(one.phase, one.verb, str(one.place), partial(self._do, one), one.lines)
        if needs_wait(due):
            what = "until the admission policies hold"
            yield _step(Phase.confine, Verb.wait, what, partial(await_policies, self.cluster, team))

    def _do(self, one: Change) -> None:
        if one.body is None:
            self.cluster.delete(one.place)
        else:
            apply_when_served(self.cluster, one.body)

    def farewell(self, team: str) -> Prospect:
        """Rights first, then all that runs, with the namespaces."""
        refuse_foreign(self.cluster, team)
        spaces = [place for place in _spaces(team) if self.cluster.get(place) is not None]
        steps = [
            _step(Phase.revoke, Verb.delete, str(place), partial(self._delete, place)) for place in self._rights(spaces)
        ]
        gone = [*spaces, *volumes_of(self.cluster, team)]
        steps += [_step(Phase.release, Verb.delete, str(place), partial(self._delete, place)) for place in gone]
        if spaces:
            await_them = partial(await_gone, self.cluster, spaces)
            steps.append(_step(Phase.release, Verb.wait, "until the namespaces are gone", await_them))
        return Prospect(tuple(steps))

    def _rights(self, spaces: Sequence[Place]) -> Iterator[Place]:
        api = f"{RBAC}/v1"
        for space in spaces:
            for one in self.cluster.list(api, "RoleBinding", namespace=space.name):
                yield Place(api, "RoleBinding", space.name, one["metadata"]["name"])

    def _delete(self, place: Place) -> None:
        self.cluster.delete(place)

    def _objects(self, team: Team) -> tuple[Obj, ...]:
        granting = [
            one for one in self.site.teams.by_name.values() if any(grant.to == team.team for grant in one.grants)
        ]
        return team_objects(team, self.platform, sorted(granting, key=lambda one: one.team))

    def present(self) -> Mapping[str, str]:
        return teams_of(self.cluster)

    def render(self, team: Team | None) -> str:
        """For ``kubectl apply --server-side -f -``."""
        return as_yaml(cluster_objects() if team is None else self._objects(team))

    def decide(self, question: Question) -> Verdict:
        return decide(question, self.site.teams, self.platform)


def make(site: Site) -> KubernetesLayer:
    """What the entry point ``teamspark.layers`` names."""
    return KubernetesLayer(site)


def _spaces(team: str) -> Iterator[Place]:
    return (Place("v1", "Namespace", "", name) for name in Names(team).namespaces)


def _step(phase: Phase, verb: Verb, what: str, do: Callable[[], None], lines: tuple[str, ...] = ()) -> Step:
    return Step(NAME, phase, verb, what, lines, do)


def _kubeconfig(site: Site) -> Path:
    """Raises: ConfigError when there is none."""
    named = site.options.get(KUBECONFIG) or site.environ.get("KUBECONFIG")
    path = Path(named) if named else Path(site.environ.get("HOME", "/")) / _DEFAULT
    if named and os.pathsep in named and not path.is_file():
        raise ConfigError("one kubeconfig, not a list of them", got=named, next_step="name one: --kubeconfig FILE")
    if not path.is_file():
        raise ConfigError(
            "there is no kubeconfig",
            where=str(path),
            expected="the file that kubectl uses",
            next_step="name it: --kubeconfig FILE or KUBECONFIG; or leave the cluster out: --layer",
        )
    return path
