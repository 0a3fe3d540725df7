"""What a team's identity may do, as documents: exactly its place and its grants, pinned to exactly its accounts."""

import json

import pytest

from framework.tenancy.iam import Dialect, Issuer, Prefix, Reach, bucket_policy, policy, trust
from tests.framework.tenancy.simulator import allowed

OWN = Prefix("flights-data", "flights/")
DELAYS = Prefix("insights-data", "insights/insights.daily/delays/")
ISSUER = Issuer("https://oidc.example.org/id/ABC", "sts.amazonaws.com", "123456789012")
SUBJECTS = ("system:serviceaccount:flights:executor", "system:serviceaccount:flights:driver")


@pytest.mark.parametrize("key", ["flights/x", "flights/flights.daily/a/b"])
def test_its_own_objects(key: str) -> None:
    mine = policy(Reach(OWN))

    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"):
        assert allowed(mine, action, f"arn:aws:s3:::flights-data/{key}")


@pytest.mark.parametrize("key", ["flights2/x", "insights/x", "/flights/x", "x/flights/y", "Flights/x"])
def test_no_others(key: str) -> None:
    mine = policy(Reach(OWN))

    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert not allowed(mine, action, f"arn:aws:s3:::flights-data/{key}")
    assert not allowed(mine, "s3:GetObject", "arn:aws:s3:::flights-data2/flights/x")


def test_the_name_of_a_folder_may_be_asked_for_and_nothing_put_there() -> None:
    mine = policy(Reach(OWN, (DELAYS,)))
    delays = "arn:aws:s3:::insights-data/insights/insights.daily/delays"

    for name in ("arn:aws:s3:::flights-data/flights", delays):
        assert allowed(mine, "s3:GetObject", name)
        assert not allowed(mine, "s3:PutObject", name)
    assert not allowed(mine, "s3:GetObject", delays.replace("delays", "delay"))


@pytest.mark.parametrize(
    ("prefix", "verdict"),
    [("flights/", True), ("flights/a/b", True), ("flights", False), ("", False), (None, False), ("flights2/", False)],
)
def test_listings_are_safe_of_the_slash(prefix: str | None, verdict: bool) -> None:
    assert allowed(policy(Reach(OWN)), "s3:ListBucket", "arn:aws:s3:::flights-data", prefix) is verdict


def test_the_witness_without_the_slash_lists_the_neighbour() -> None:
    loose = json.loads(json.dumps(policy(Reach(OWN))).replace("flights/*", "flights*"))

    assert allowed(loose, "s3:ListBucket", "arn:aws:s3:::flights-data", "flights2/")


def test_a_grant_reads_one_task_and_writes_nothing() -> None:
    mine = policy(Reach(OWN, (DELAYS,)))
    granted = "arn:aws:s3:::insights-data/insights/insights.daily/delays/20130101T000000Z/_log/0001.published"

    assert allowed(mine, "s3:GetObject", granted)
    assert allowed(mine, "s3:ListBucket", "arn:aws:s3:::insights-data", "insights/insights.daily/delays/")
    assert not allowed(mine, "s3:PutObject", granted)
    assert not allowed(mine, "s3:DeleteObject", granted)
    assert not allowed(mine, "s3:GetObject", granted.replace("/delays/", "/delays2/"))
    assert not allowed(mine, "s3:ListBucket", "arn:aws:s3:::insights-data", "insights/insights.daily/delays")
    without = policy(Reach(OWN))["Statement"]
    assert [one for one in mine["Statement"] if one not in without] == mine["Statement"][-3:]


def test_no_action_makes_buckets_or_rights() -> None:
    actions = {action for one in policy(Reach(OWN, (DELAYS,)))["Statement"] for action in one["Action"]}

    assert not {one for one in actions if "*" in one or not one.startswith("s3:")}
    assert not {one for one in actions if any(word in one for word in ("Acl", "Policy", "CreateBucket", "Tagging"))}


@pytest.mark.parametrize("keys", ["flights", "/flights/", "fl*/", "fl?ghts/", "${aws:username}/", ""])
def test_what_is_no_place(keys: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        Reach(Prefix("flights-data", keys))


def test_trust_is_pinned_in_both_dialects() -> None:
    (aws,) = trust(ISSUER, SUBJECTS, Dialect.aws)["Statement"]
    (weed,) = trust(ISSUER, SUBJECTS, Dialect.seaweedfs)["Statement"]

    assert aws["Principal"] == {"Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.example.org/id/ABC"}
    assert aws["Condition"] == {
        "StringEquals": {
            "oidc.example.org/id/ABC:sub": sorted(SUBJECTS),
            "oidc.example.org/id/ABC:aud": ["sts.amazonaws.com"],
        }
    }
    assert weed["Principal"] == {"Federated": "kubernetes"}
    assert weed["Condition"] == {"StringEquals": {"oidc:sub": sorted(SUBJECTS)}}


def test_control_keys_are_put_once_and_stay() -> None:
    once, keep = bucket_policy(OWN)["Statement"]

    assert once["Resource"] == keep["Resource"] == [
        "arn:aws:s3:::flights-data/flights/*/_log/*",
        "arn:aws:s3:::flights-data/flights/*/_delta_log/*",
    ]  # fmt: skip
    assert (once["Effect"], keep["Effect"]) == ("Deny", "Deny")
    assert once["Condition"]["Null"] == {"s3:if-none-match": "true"}
