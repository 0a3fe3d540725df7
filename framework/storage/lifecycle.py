"""What a bucket's own life-cycle rules have to do for a store in it, and what they must not. Pure.

Rules are in the words of ``GetBucketLifecycleConfiguration`` (Amazon S3 API reference), as boto3 gives and takes them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

UNFINISHED_DAYS: Final = 7
REPLACED_DAYS: Final = 7
"""As long as retention gives a reader by default."""
# Classes from which an object has to be restored before it can be read.
_FROZEN: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """How a bucket is set up: whether it keeps versions, and its life-cycle rules."""

    versioned: bool
    rules: Sequence[Mapping[str, Any]] = ()


def wanted_rules(name: str, prefix: str) -> dict[str, Any]:
    """A life-cycle configuration for a store whose objects are below ``prefix``, as ``aws s3api`` and boto3 take it.

    Only what nobody can read any more is removed: parts without an end, and versions that were replaced or deleted.
    """
    rule = {
        "ID": f"teamspark-{name}",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
        "NoncurrentVersionExpiration": {"NoncurrentDays": REPLACED_DAYS},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    }
    return {"Rules": [rule]}


def harms(facts: BucketFacts, prefix: str) -> Iterator[str]:
    """What takes objects below ``prefix`` out of readers' reach: a manifest would name what is not there."""
    for rule in facts.rules:
        if not _works(rule) or not _meets(_prefix(rule), prefix):
            continue
        name, expiry = rule.get("ID", "without a name"), rule.get("Expiration", {})
        if "Days" in expiry or "Date" in expiry:
            yield f"life-cycle rule '{name}' removes objects below '{prefix}'"
        if {one.get("StorageClass") for one in rule.get("Transitions", ())} & _FROZEN:
            yield f"life-cycle rule '{name}' moves objects below '{prefix}' where they cannot be read"


def wastes(facts: BucketFacts, prefix: str) -> Iterator[str]:
    """What is kept, and paid for, though nobody can read it."""
    if not any("AbortIncompleteMultipartUpload" in rule for rule in _over(facts, prefix)):
        yield "parts of uploads that nobody completed are kept until teamspark gc meets them"
    if facts.versioned and not any("NoncurrentVersionExpiration" in rule for rule in _over(facts, prefix)):
        yield "the bucket keeps versions, and no rule removes those of what was deleted"


def _over(facts: BucketFacts, prefix: str) -> Iterator[Mapping[str, Any]]:
    """Rules that hold for everything below ``prefix``."""
    return (rule for rule in facts.rules if _works(rule) and prefix.startswith(_prefix(rule)))


def _works(rule: Mapping[str, Any]) -> bool:
    """Whether it is switched on, and speaks of objects without tags, as ours are."""
    chosen = rule.get("Filter", {})
    tags = "Tag" in chosen or chosen.get("And", {}).get("Tags")
    return rule.get("Status") == "Enabled" and not tags


def _prefix(rule: Mapping[str, Any]) -> str:
    chosen = rule.get("Filter", {})
    return str(chosen.get("Prefix") or chosen.get("And", {}).get("Prefix") or rule.get("Prefix") or "")


def _meets(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
