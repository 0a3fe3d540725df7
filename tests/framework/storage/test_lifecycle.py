"""A bucket's own rules: those a store wants harm nothing, and what harms it is told."""

from typing import Any

import pytest

from framework.storage.lifecycle import BucketFacts, harms, wanted_rules, wastes

PREFIX = "lake/flights/"


def rule(**what: Any) -> dict[str, Any]:
    return {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": ""}, **what}


def test_what_is_wanted_neither_harms_nor_wastes() -> None:
    facts = BucketFacts(True, wanted_rules("flights", PREFIX)["Rules"])

    assert (tuple(harms(facts, PREFIX)), tuple(wastes(facts, PREFIX))) == ((), ())
    assert len(tuple(wastes(facts, "lake/insights/"))) == 2, "it is for one team's objects"


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (rule(Expiration={"Days": 30}), ["removes"]),
        (rule(Expiration={"Date": "2030-01-01T00:00:00Z"}), ["removes"]),
        (rule(Filter={"Prefix": "lake/"}, Expiration={"Days": 30}), ["removes"]),
        (rule(Filter={"Prefix": "lake/flights/flights.daily/"}, Expiration={"Days": 30}), ["removes"]),
        (rule(Filter={"And": {"Prefix": "lake/", "ObjectSizeGreaterThan": 5}}, Expiration={"Days": 30}), ["removes"]),
        ({"ID": "old", "Status": "Enabled", "Prefix": "lake", "Expiration": {"Days": 3}}, ["removes"]),
        (rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}]), ["cannot be read"]),
        (rule(Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}]), []),
        (rule(Filter={"Prefix": "lake/flights2/"}, Expiration={"Days": 30}), []),
        (rule(Filter={"Prefix": "landing/"}, Expiration={"Days": 30}), []),
        (rule(Filter={"Tag": {"Key": "a", "Value": "b"}}, Expiration={"Days": 30}), []),
        (rule(Status="Disabled", Expiration={"Days": 30}), []),
        (rule(Expiration={"ExpiredObjectDeleteMarker": True}), []),
    ],
)
def test_rules_that_take_published_objects_away_are_told(theirs: dict[str, Any], told: list[str]) -> None:
    found = tuple(harms(BucketFacts(False, [theirs]), PREFIX))

    assert [words in line for words, line in zip(told, found, strict=True)] == [True] * len(told)


def test_old_versions_waste_only_where_they_are_kept() -> None:
    parts = rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7})

    assert tuple(wastes(BucketFacts(False, [parts]), PREFIX)) == ()
    (told,) = wastes(BucketFacts(True, [parts]), PREFIX)
    assert "keeps versions" in told
