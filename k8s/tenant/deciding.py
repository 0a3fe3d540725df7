"""What a cluster answers a team, from the team's file alone: its roles, and the admission policy for a pod in a file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from framework.errors import ConfigError
from framework.tenancy.layers import Question, Verdict
from framework.tenancy.model import Team, Teams
from framework.tenancy.names import Names
from framework.textfile import read_text
from k8s.platform import Platform
from k8s.render.admission import parameters
from k8s.render.amounts import defaults_of
from k8s.render.objects import Obj
from k8s.render.space import roles
from k8s.tenant.admitting import Asked, refusals

LAYER: Final = "kubernetes"
FORM: Final = "namespace/kind, as flights/pods, or a file with a pod, is what a cluster is asked for"
VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_FILES: Final = (".yaml", ".yml", ".json")


def decide(question: Question, teams: Teams, platform: Platform) -> Verdict:
    """``resource``: ``namespace/kind``, where the kind is written as in a role (``pods``, ``pods/log``), or a file with a pod.

    Raises: ConfigError for a file that holds no pod.
    """
    team = teams.team(question.team)
    if not team.is_tenant:
        return Verdict(LAYER, None, f"{teams.file(team.team)} has no quota, limits and images: no part of a cluster")
    if question.resource.endswith(_FILES):
        return _admission(team, platform, question)
    space, slash, kind = question.resource.partition("/")
    if ":" in question.resource or not (space and slash and kind):
        return Verdict(LAYER, None, FORM)
    if question.action not in VERBS:
        return Verdict(LAYER, None, f"of a kind a cluster is asked {', '.join(VERBS)}")
    return _rights(team.team, question.action, space, kind)


def may(team: str, account: str, verb: str, space: str, kind: str) -> bool:
    """Whether an account of the team (``launcher``, ``driver``, ``executor``, ``default``) may do that, by our roles."""
    return space == Names(team).namespace and (verb, kind) in rights_of(team, account)


def rights_of(team: str, account: str) -> tuple[tuple[str, str], ...]:
    """Verb and kind of all that an account may in the team's namespace, by our roles."""
    mine = (role for role in roles(team) if role["kind"] == "Role" and role["metadata"]["name"] == account)
    return tuple(right for role in mine for right in _permitted(role))


def _rights(team: str, verb: str, space: str, kind: str) -> Verdict:
    mine = Names(team)
    if space not in mine.namespaces:
        return Verdict(LAYER, False, f"no account of '{team}' has a role in namespace {space}")
    able = [account for account in mine.accounts if may(team, account, verb, space, kind)]
    if not able:
        return Verdict(LAYER, False, f"no role in namespace {space} permits {verb} {kind}")
    return Verdict(LAYER, True, f"Role {space}/{able[0]} permits it to {' and '.join(able)}")


def _permitted(role: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kinds as kubectl names them: ``leases.coordination.k8s.io`` outside of the core."""
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            kinds = [f"{kind}.{group}" if group else kind for kind in rule["resources"]]
            yield from ((verb, kind) for kind in kinds for verb in rule["verbs"])


def _admission(team: Team, platform: Platform, question: Question) -> Verdict:
    """Of a pod that the launcher makes. What no policy of ours denies is still held to Pod Security and the quota: not decided."""
    file = Path(question.resource)
    if question.action != "create":
        return Verdict(LAYER, None, "a pod in a file is asked to be created: teamspark team explain TEAM create FILE")
    pod = _pod_in(file)
    space = pod["metadata"].get("namespace", team.team)
    if space != team.team:
        return Verdict(LAYER, False, f"no account of '{team.team}' has a role in namespace {space}")
    try:
        denied = refusals(asked_by_launcher(team, platform, pod))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            "not a pod that a cluster takes", where=str(file), got=f"{type(error).__name__}: {error}"
        ) from error
    if denied:
        return Verdict(LAYER, False, "; ".join(f"policy teamspark-pods: {message}" for message in denied))
    told = "policy teamspark-pods has nothing against it; Pod Security 'restricted', limits and quota decide besides"
    return Verdict(LAYER, None, told)


def asked_by_launcher(team: Team, platform: Platform, pod: Obj, user: str = "") -> Asked:
    """The question that ``refusals`` answers, for the team's namespace; ``user``: the launcher, where it is none other."""
    assert team.limits is not None
    names = Names(team.team)
    mine, _ = parameters(team, platform, team.limits)
    asking = user or f"system:serviceaccount:{names.airflow_namespace}:{names.launcher}"
    return Asked(pod, asking, mine["spec"], defaults_of(team.limits))


def _pod_in(file: Path) -> Obj:
    try:
        found = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise ConfigError("not YAML", where=str(file), got=getattr(error, "problem", None)) from error
    if not isinstance(found, dict) or found.get("kind") != "Pod" or not (found.get("spec") or {}).get("containers"):
        raise ConfigError("no pod in this file", where=str(file), expected="kind: Pod, with spec.containers")
    return {**found, "metadata": found.get("metadata") or {}}
