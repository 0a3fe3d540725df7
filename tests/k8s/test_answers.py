"""What refusals mean: words of a real API server 1.34, one row each."""

import json

import pytest

from framework.errors import ClusterUnavailable, ConfigError, NoRoom, PolicyError, TeamsparkError
from k8s.answers import Conflict, NotAllowed, Stranger, meaning


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (403, 'pods "a" is forbidden: exceeded quota: team, requested: pods=1, used: pods=12, limited: pods=12', NoRoom),
        (409, 'Operation cannot be fulfilled on resourcequotas "team": the object has been modified', ClusterUnavailable),
        (409, 'pods "a" already exists', Conflict),
        (409, 'Operation cannot be fulfilled on leases.coordination.k8s.io "x": the object has been modified', Conflict),
        (403, 'pods "a" is forbidden: User "system:serviceaccount:b:c" cannot get resource "pods" in API group "" in the namespace "d"', NotAllowed),
        (403, 'pods "a" is forbidden: violates PodSecurity "restricted:v1.34": runAsNonRoot != true', PolicyError),
        (422, "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: image is below none", PolicyError),
        (422, "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind", ClusterUnavailable),
        (422, "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction", NotAllowed),
        (401, "Unauthorized", Stranger),
        (400, "bad", ConfigError),
        (404, 'namespaces "x" not found', ConfigError),
        (422, 'Pod "a" is invalid: spec.containers[0].image: Required value', ConfigError),
        (429, "too many requests", ClusterUnavailable),
        (500, "etcdserver: request timed out", ClusterUnavailable),
        (503, "the server is currently unable to handle the request", ClusterUnavailable),
    ],
)  # fmt: skip
def test_each_refusal_is_one_error(status: int, told: str, kind: type[TeamsparkError]) -> None:
    error = meaning(status, "Reason", json.dumps({"kind": "Status", "message": told}), where="Pod flights/a")

    assert type(error) is kind
    assert error.retryable == (kind in (NoRoom, ClusterUnavailable))
    assert "Pod flights/a" in str(error)


@pytest.mark.parametrize("body", ["", "<html>", "{", "[]", "null"])
def test_an_answer_that_is_no_status_is_told_by_its_number(body: str) -> None:
    assert "502 Bad Gateway" in str(meaning(502, "Bad Gateway", body, where="x"))
