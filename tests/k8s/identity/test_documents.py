"""AWS' documents as AWS' own grammar has them: read by parliament, which knows every action, resource and condition key."""

import json
from typing import Any

import pytest

from framework.tenancy.iam import Prefix, Reach, bucket_policy, policy

OWN = Prefix("flights-data", "flights/")
REACH = Reach(
    OWN,
    (Prefix("insights-data", "insights/insights.daily/delays/"), Prefix("drop", "x", exact=True)),
    (Prefix("out", ""),),
)


def findings(document: dict[str, Any]) -> list[str]:
    """What parliament has against it, but for what is meant: ``*`` at the end of a place."""
    from parliament import analyze_policy_string

    return [f"{one.issue}: {one.detail}" for one in analyze_policy_string(json.dumps(document)).findings]


@pytest.mark.filterwarnings("ignore")
def test_a_role_of_a_team() -> None:
    assert findings(policy(REACH)) == []


@pytest.mark.filterwarnings("ignore")
def test_the_witness_a_wrong_word_is_found() -> None:
    wrong = policy(REACH)
    wrong["Statement"][0]["Action"] = ["s3:GetObjects"]
    other = policy(REACH)
    other["Statement"][1]["Condition"] = {"StringLike": {"s3:prefx": ["flights/*"]}}

    assert findings(wrong)
    assert findings(other)


@pytest.mark.filterwarnings("ignore")
def test_what_a_bucket_denies_everybody() -> None:
    once, keep = bucket_policy(OWN)["Statement"]

    for one in (once, keep):
        without = {key: value for key, value in one.items() if key not in ("Principal", "Condition")}
        assert findings({"Version": "2012-10-17", "Statement": [without]}) == []
