"""What AWS would decide, from a role's policy: the grammar of IAM as far as our documents use it, and an error beyond.

AWS Identity and Access Management User Guide, "Policy evaluation logic" and "IAM JSON policy elements": ``*`` is any text, a
condition operator has to hold for a key that is there, StringLike compares with case, an explicit allow is needed.
"""

from fnmatch import fnmatchcase
from typing import Any

KNOWN = {"Version", "Statement", "Sid", "Effect", "Action", "Resource", "Condition"}


def allowed(document: dict[str, Any], action: str, resource: str, prefix: str | None = None) -> bool:
    """Whether a statement allows ``action`` on ``resource``; ``prefix`` is the request's, None where it has none."""
    assert set(document) <= KNOWN, document
    found = False
    for one in document["Statement"]:
        assert set(one) <= KNOWN, one
        assert one["Effect"] == "Allow", "a deny is more than this knows"
        matches = action in one["Action"] and any(_like(resource, pattern) for pattern in one["Resource"])
        found = found or (matches and _met(one.get("Condition"), prefix))
    return found


def _like(text: str, pattern: str) -> bool:
    assert not set(pattern) & set("?[]$"), pattern
    return fnmatchcase(text, pattern)


def _met(condition: dict[str, Any] | None, prefix: str | None) -> bool:
    if condition is None:
        return True
    assert set(condition) == {"StringLike"}
    assert set(condition["StringLike"]) == {"s3:prefix"}
    return prefix is not None and any(_like(prefix, one) for one in condition["StringLike"]["s3:prefix"])
