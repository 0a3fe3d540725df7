"""What has to change in a cluster so that it is what was rendered: computed from what was found, before anything is done. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from framework.tenancy.layers import Phase, Verb
from k8s.client import Place
from k8s.render.objects import MANAGED, TEAM_LABEL, Obj
from k8s.tenant.differences import differences

# What gives somebody a right. Everything else is a place or a limit; an account without a role may nothing.
_RIGHTS: Final = frozenset({"Role", "RoleBinding"})
# What stands in somebody's way: gone last, when nobody has rights any more.
_LIMITS: Final = frozenset({"TeamLimits", "ResourceQuota", "LimitRange"})
# A change of these is seen by the API server a moment later.
_POLICIES: Final = frozenset({
    "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "TeamLimits",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One object. ``body`` is None where it goes."""

    verb: Verb
    phase: Phase
    place: Place
    lines: tuple[str, ...] = ()
    body: Obj | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Survey:
    """What was found. ``live``: the wanted objects that are there. ``would``: what each of those would be after an apply, as the
    server says. ``ours``: all objects with our label in the team's namespaces.
    """

    wanted: tuple[Obj, ...]
    live: Mapping[Place, Obj]
    would: Mapping[Place, Obj]
    ours: tuple[Place, ...] = ()


def owner_of(one: Obj) -> str | None:
    """The team that an object is ours for; None for somebody else's."""
    labels = one["metadata"].get("labels") or {}
    ours = all(labels.get(key) == value for key, value in MANAGED.items())
    return labels.get(TEAM_LABEL) if ours else None


def changes(survey: Survey) -> tuple[Change, ...]:
    """In the order in which they are done."""
    found = [*_superfluous(survey), *_wanted(survey)]
    return tuple(sorted(found, key=lambda change: change.phase))


def needs_wait(due: Iterable[Change]) -> bool:
    """Whether rights are given, or policies new: those are given once these were seen to hold, also by who goes on after a kill."""
    return any(
        one.verb is not Verb.delete and (one.phase is Phase.permit or one.place.kind in _POLICIES) for one in due
    )


def _superfluous(survey: Survey) -> Iterator[Change]:
    wanted = {Place.of(one) for one in survey.wanted}
    for place in survey.ours:
        if place not in wanted:
            yield Change(Verb.delete, Phase.release if place.kind in _LIMITS else Phase.revoke, place)


def _wanted(survey: Survey) -> Iterator[Change]:
    for one in survey.wanted:
        place = Place.of(one)
        phase = Phase.permit if place.kind in _RIGHTS else Phase.confine
        live = survey.live.get(place)
        if live is None:
            yield Change(Verb.create, phase, place, body=one)
        elif "roleRef" in one and live.get("roleRef") != one["roleRef"]:  # which no server changes in place
            yield Change(Verb.delete, Phase.revoke, place, differences(live, one))
            yield Change(Verb.create, phase, place, body=one)
        elif lines := differences(live, survey.would[place]):
            yield Change(Verb.change, Phase.revoke if _narrower(live, one) else phase, place, lines, one)


def _narrower(live: Obj, wanted: Obj) -> bool:
    """Whether somebody loses a right by it."""
    return bool(_permitted(live) - _permitted(wanted))


def _permitted(one: Obj) -> set[tuple[str, ...]]:
    rules = {
        (group, resource, verb)
        for rule in one.get("rules") or ()
        for group in rule.get("apiGroups") or ()
        for resource in rule.get("resources") or ()
        for verb in rule.get("verbs") or ()
    }
    subjects = {
        (subject["kind"], subject.get("namespace", ""), subject["name"]) for subject in one.get("subjects") or ()
    }
    return rules | subjects
