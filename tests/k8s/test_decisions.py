"""One model decides as the servers do: generated questions, asked of the model and of the live ones.

``teamspark team explain`` answers by that model. The seed is printed with a failure; ``make test-long`` asks five times as many.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from framework.errors import ConfigError, PolicyError
from framework.storage.paths import task_path
from framework.tenancy.iam import LIST, READ, WRITE, Prefix, Reach, policy
from framework.tenancy.names import Names
from framework.tenancy.reach import reach_of
from k8s.identity.deciding import allows
from k8s.render.admission import POD_MESSAGES
from k8s.tenant.admitting import refusals
from k8s.tenant.deciding import asked_by_launcher, may
from k8s.testing.pods import denied_by_policy, needed
from tests.framework.tenancy.simulator import allowed
from tests.k8s.pods import pair
from tests.k8s.teams import PLATFORM
from tests.servers.identities import LOOSE, Identified
from tests.servers.kubernetes import Kubernetes

pytestmark = pytest.mark.timeout(600)

SEED = 20261126
PODS, RIGHTS, OBJECTS, DOCUMENTS = 320, 480, 480, 800
"""Together more than 2,000."""
LONG = 5
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
KINDS = (
    "pods", "pods/log", "pods/exec", "pods/ephemeralcontainers", "secrets", "configmaps", "services", "events",
    "serviceaccounts", "persistentvolumeclaims", "resourcequotas", "endpoints",
)  # fmt: skip
SIZES = pytest.mark.parametrize("times", [1, pytest.param(LONG, marks=pytest.mark.long)])


def pods(count: int, rng: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each of one, two or three changes put together: what is denied, and what is needed."""
    for _ in range(count):
        mine = pair(rng.choice(["flights", "insights"]))
        changes = [*denied_by_policy(mine).values(), *(list(needed(mine).values()) * 2)]
        chosen: dict[str, Any] = {}
        for one in rng.sample(changes, rng.choice([1, 1, 2, 3])):
            chosen |= one
        yield mine.team.team, mine.pod(chosen)


@SIZES
def test_the_policies(kubernetes: Kubernetes, times: int) -> None:
    """The live policy set, as the launcher: denied with the same message as the model's first, or taken."""
    rng = random.Random(SEED + times)
    launchers = {name: kubernetes.as_account(f"{name}-airflow", "launcher") for name in ("flights", "insights")}
    seen, wrong = {True: 0, False: 0}, []
    for number, (name, asked) in enumerate(pods(PODS * times, rng)):
        mine = pair(name)
        expected = refusals(asked_by_launcher(mine.team, PLATFORM, asked))
        told = answer(launchers[name], asked)
        seen[told is None] += 1
        if (told is None) is not (not expected) or (told is not None and not any(one in told for one in expected)):
            wrong.append((number, asked, expected, told))

    assert wrong == [], f"seed {SEED + times}"
    assert min(seen.values()) > 50 * times, seen


def answer(launcher: Any, asked: dict[str, Any]) -> str | None:
    """What the policies say; None: they let it pass. A pod that is no pod at all is not their business."""
    try:
        launcher.create(asked, dry_run=True)
    except PolicyError as error:
        return str(error.got)
    return None


def test_the_model_has_every_rule_of_the_policy() -> None:
    """Each rule denies something of what is tried, and by itself."""
    alone: set[str] = set()
    for changes in denied_by_policy(pair()).values():
        found = refusals(asked_by_launcher(pair().team, PLATFORM, pair().pod(changes)))
        assert found
        alone |= set(found) if len(found) == 1 else set()
    driver = asked_by_launcher(pair().team, PLATFORM, pair().pod({}), user=Names("flights").subject("driver"))

    assert alone | set(refusals(driver)) == set(POD_MESSAGES)
    assert not any(
        refusals(asked_by_launcher(pair().team, PLATFORM, pair().pod(one))) for one in needed(pair()).values()
    )


@SIZES
def test_the_roles(kubernetes: Kubernetes, times: int) -> None:
    rng, wrong, yes = random.Random(SEED + times), [], 0
    for _ in range(RIGHTS * times):
        name = rng.choice(["flights", "insights"])
        names = Names(name)
        account = rng.choice([*names.accounts, "default"])
        home = names.airflow_namespace if account == names.launcher else names.namespace
        space = rng.choice(
            [name, name, name, name, "flights", "insights", "flights-airflow", "insights-airflow", "kube-system"]
        )
        verb, kind = rng.choice(VERBS), rng.choice([*KINDS, "pods", "configmaps", "services", "secrets"])
        expected = may(name, account, verb, space, kind)
        yes += expected
        if asked(kubernetes, f"system:serviceaccount:{home}:{account}", verb, space, kind) is not expected:
            wrong.append((account, verb, space, kind, expected))

    assert wrong == [], f"seed {SEED + times}"
    assert yes > 30 * times


def asked(kubernetes: Kubernetes, user: str, verb: str, space: str, kind: str) -> bool:
    resource, _, part = kind.partition("/")
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}", "system:authenticated"]
    attributes = {"namespace": space, "verb": verb, "resource": resource, "subresource": part, "group": ""}
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {},
        "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
    }  # fmt: skip
    return bool(kubernetes.admin.create(review)["status"]["allowed"])


def questions(
    reaches: Sequence[tuple[str, Reach]], count: int, rng: random.Random
) -> Iterator[tuple[str, str, str, str]]:
    """Team, action, bucket and key: near every border that there is."""
    buckets = sorted({place.bucket for _, reach in reaches for place in reach.readable})
    folders = sorted({place.keys for _, reach in reaches for place in reach.readable})
    for _ in range(count):
        name, reach = rng.choice(reaches)
        place = rng.choice(reach.readable)
        bucket = rng.choice([place.bucket, place.bucket, *buckets])
        folder = rng.choice([place.keys, place.keys, *folders])
        key = rng.choice([
            f"{folder}x", f"{folder}a/b/_log/0001.published", f"{folder[:-1]}", f"{folder[:-1]}2/x", f"x/{folder}x", folder,
            folder.upper() + "x", folder.split("/")[0] + "/x", "x", "",
        ])  # fmt: skip
        action = rng.choice([LIST, LIST, *READ * 3, *WRITE[:2]])
        yield name, action, bucket, key if key or action == LIST else "x"


@SIZES
def test_the_documents(identified: Identified, times: int) -> None:
    """The policy that is rendered, as AWS reads it."""
    rng, wrong, yes = random.Random(SEED + times), [], 0
    reaches = reaches_of(identified)
    documents = {name: policy(reach) for name, reach in reaches}
    for name, action, bucket, key in questions(reaches, DOCUMENTS * times, rng):
        expected = allows(dict(reaches)[name], action, bucket, key) is not None
        yes += expected
        arn = f"arn:aws:s3:::{bucket}" if action == LIST else f"arn:aws:s3:::{bucket}/{key}"
        if allowed(documents[name], action, arn, key if action == LIST else None) is not expected:
            wrong.append((name, action, bucket, key, expected))

    assert wrong == [], f"seed {SEED + times}"
    assert 100 * times < yes < 700 * times


def reaches_of(identified: Identified) -> list[tuple[str, Reach]]:
    found = [(name, reach_of(identified.teams, name, task_path)) for name in ("flights", "insights")]
    return [(name, reach) for name, reach in found if reach is not None]


@SIZES
def test_the_store(identified: Identified, times: int) -> None:
    """SeaweedFS, with a session of the team's role."""
    rng, wrong, yes = random.Random(SEED + times), [], 0
    for name, action, bucket, key in questions(reaches_of(identified), OBJECTS * times, rng):
        as_seen = key if action == LIST else key.lower()  # this server compares resources without case
        expected = allows(dict(reaches_of(identified))[name], action, bucket, as_seen) is not None
        yes += expected
        if taken(identified.client(name), action, bucket, key) is not expected:
            wrong.append((name, action, bucket, key, expected))

    assert wrong == [], f"seed {SEED + times}"
    assert 60 * times < yes < 420 * times


def test_the_server_compares_resources_without_case(identified: Identified) -> None:
    """AWS does not. Nothing of another team is reached by it: paths have no capitals, and no two teams differ by them."""
    mine = identified.client("flights")

    assert taken(mine, READ[0], "flights-data", "FLIGHTS/x")
    assert not taken(mine, LIST, "flights-data", "FLIGHTS/")
    assert not taken(mine, READ[0], "insights-data", "INSIGHTS/x")


def test_the_witness_a_role_without_a_place_is_another_answer(identified: Identified) -> None:
    """What the model denies, the store gives to a role whose policy has no prefix: it is the prefix that denies."""
    reach = dict(reaches_of(identified))["flights"]
    loose = identified.client("flights", LOOSE)

    assert allows(reach, LIST, "insights-data", "") is None
    assert not taken(identified.client("flights"), LIST, "insights-data", "")
    assert taken(loose, LIST, "insights-data", "")
    assert taken(loose, READ[0], "insights-data", "insights/x")


def taken(client: Any, action: str, bucket: str, key: str) -> bool:
    """Whether the store let the request pass; that nothing is there is an answer, too."""
    deeds = {
        LIST: lambda: client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1),
        READ[0]: lambda: client.get_object(Bucket=bucket, Key=key),
        "s3:PutObject": lambda: client.put_object(Bucket=bucket, Key=key, Body=b"x"),
        "s3:DeleteObject": lambda: client.delete_object(Bucket=bucket, Key=key),
    }
    try:
        deeds[action]()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert status in (403, 404), error
        return status == 404
    return True


def test_a_place_that_no_policy_names_exactly() -> None:
    with pytest.raises(ValueError, match="no place"):
        Prefix("data", "fl?ghts/")
    with pytest.raises((ConfigError, ValueError)):
        Reach(Prefix("data", ""))
