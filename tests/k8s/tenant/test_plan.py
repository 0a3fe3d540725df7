"""What has to change, computed from what was found: rights go before limits change, and come after."""

from typing import Any

import pytest

from framework.errors import ClusterUnavailable
from framework.tenancy.layers import Phase, Prospect, Step, Verb, in_order, perform
from k8s.client import Place
from k8s.render.objects import Obj, thing
from k8s.tenant.differences import differences
from k8s.tenant.plan import Survey, changes, needs_wait, owner_of

ROLE = thing("Role", "driver", api="rbac.authorization.k8s.io/v1", namespace="flights", rules=[
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
])  # fmt: skip
BINDING = thing(
    "RoleBinding", "driver", api="rbac.authorization.k8s.io/v1", namespace="flights",
    roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "driver"},
    subjects=[{"kind": "ServiceAccount", "name": "driver", "namespace": "flights"}],
)  # fmt: skip
QUOTA = thing("ResourceQuota", "team", namespace="flights", spec={"hard": {"pods": "4"}})
SPACE = thing("Namespace", "flights", labels={"teamspark.io/team": "flights"})


def found(*wanted: Obj, live: dict[str, Obj] | None = None, ours: tuple[Place, ...] = ()) -> Survey:
    """What is live by kind; an apply would make it what is wanted."""
    there = {Place.of(one): (live or {})[one["kind"]] for one in wanted if one["kind"] in (live or {})}
    would = {Place.of(one): one for one in wanted if Place.of(one) in there}
    return Survey(wanted, there, would, ours)


def told(survey: Survey) -> list[tuple[str, str, str]]:
    return [(one.phase.name, one.verb, one.place.kind) for one in changes(survey)]


def test_limits_are_made_before_rights() -> None:
    assert told(found(BINDING, QUOTA, ROLE, SPACE)) == [
        ("confine", "create", "ResourceQuota"),
        ("confine", "create", "Namespace"),
        ("permit", "create", "RoleBinding"),
        ("permit", "create", "Role"),
    ]


def test_what_is_as_it_should_be_is_left() -> None:
    noise = {"uid": "1", "resourceVersion": "7", "managedFields": [], "creationTimestamp": "now"}
    live = {**QUOTA, "metadata": {**QUOTA["metadata"], **noise}, "status": {"used": {"pods": "1"}}}

    assert told(found(QUOTA, live={"ResourceQuota": live})) == []


def test_a_right_that_nobody_wants_goes_first_and_a_limit_last() -> None:
    old, range_ = Place.of(BINDING)._replace(name="old"), Place("v1", "LimitRange", "flights", "old")

    assert told(found(ROLE, ours=(range_, old))) == [
        ("revoke", "delete", "RoleBinding"),
        ("permit", "create", "Role"),
        ("release", "delete", "LimitRange"),
    ]


@pytest.mark.parametrize(("verbs", "phase"), [(["get"], "permit"), (["get", "list", "delete"], "revoke")])
def test_who_loses_a_right_loses_it_first(verbs: list[str], phase: str) -> None:
    live = {**ROLE, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]}

    assert told(found(ROLE, live={"Role": live})) == [(phase, "change", "Role")]


def test_a_binding_to_another_role_is_made_anew() -> None:
    live = {**BINDING, "roleRef": {**BINDING["roleRef"], "name": "admin"}}
    survey = Survey((BINDING,), {Place.of(BINDING): live}, {})

    assert told(survey) == [("revoke", "delete", "RoleBinding"), ("permit", "create", "RoleBinding")]


def test_new_policies_are_waited_for() -> None:
    policy = thing("ValidatingAdmissionPolicy", "x", api="admissionregistration.k8s.io/v1")

    assert needs_wait(changes(found(policy)))
    assert needs_wait(changes(found(ROLE)))  # whoever goes on after a kill has not seen them hold
    assert not needs_wait(changes(found(QUOTA)))


@pytest.mark.parametrize(
    ("labels", "owner"),
    [
        ({"app.kubernetes.io/managed-by": "teamspark", "teamspark.io/team": "flights"}, "flights"),
        ({"teamspark.io/team": "flights"}, None),
        ({"app.kubernetes.io/managed-by": "helm", "teamspark.io/team": "flights"}, None),
        (None, None),
    ],
)
def test_whose_a_namespace_is(labels: dict[str, str] | None, owner: str | None) -> None:
    assert owner_of({"metadata": {"labels": labels}}) == owner


def test_differences_name_the_field() -> None:
    live = {**QUOTA, "spec": {"hard": {"pods": "40", "cpu": "4"}}}
    rules = {**ROLE, "rules": [*ROLE["rules"], {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}

    assert differences(live, QUOTA) == ("spec.hard.cpu: 4 -> (absent)", "spec.hard.pods: 40 -> 4")
    assert "rules[1].verbs: ['*'] -> (absent)" in differences(rules, ROLE)


def step(layer: str, phase: Phase, what: str, do: Any = None) -> Step:
    return Step(layer, phase, Verb.create, what, (), do or (lambda: None))


def test_layers_are_entered_from_the_first_and_left_from_the_last() -> None:
    one = Prospect((step("a", Phase.permit, "1"), step("a", Phase.revoke, "2"), step("a", Phase.release, "3")))
    two = Prospect((step("b", Phase.permit, "4"), step("b", Phase.revoke, "5"), step("b", Phase.release, "6")))

    assert [each.what for each in in_order([one, two])] == ["2", "5", "1", "4", "6", "3"]


def test_what_was_done_and_what_not_is_told() -> None:
    def fails() -> None:
        raise ClusterUnavailable("gone", next_step="look")

    steps = (step("a", Phase.revoke, "one"), step("a", Phase.confine, "two", fails), step("a", Phase.permit, "three"))
    seen: list[str] = []
    with pytest.raises(ClusterUnavailable) as error:
        perform(steps, lambda one: seen.append(one.what), again="teamspark team apply x")

    assert seen == ["one", "two"]
    assert "done (1): create one" in str(error.value)
    assert "not done (2): create two, create three" in str(error.value)
    assert "next: look; then: teamspark team apply x" in str(error.value)
