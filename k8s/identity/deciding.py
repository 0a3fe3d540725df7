"""What a store answers a team's identity, from the team files alone: its place, its grants, and what it named. Pure."""

from collections.abc import Iterator
from typing import Final

from framework.tenancy.iam import LIST, READ, WRITE, Prefix, Reach
from framework.tenancy.layers import Question, Verdict
from framework.tenancy.model import Teams
from framework.tenancy.reach import TaskPath, reach_of

LAYER: Final = "store"
_SHORT: Final = {"get": "s3:GetObject", "put": "s3:PutObject", "delete": "s3:DeleteObject", "list": LIST}
_S3: Final = "s3://"


def allows(reach: Reach, action: str, bucket: str, key: str) -> Prefix | None:
    """The place by which ``action`` is allowed on a key, or on a listing of what begins with it; None: it is denied."""
    return next(_allowing(reach, action, bucket, key), None)


def _allowing(reach: Reach, action: str, bucket: str, key: str) -> Iterator[Prefix]:
    if action == LIST:
        return (place for place in reach.readable if place.lists(bucket, key))
    if action in WRITE:
        return (place for place in reach.changeable if place.covers(bucket, key))
    found = (place for place in reach.readable if place.covers(bucket, key) or place.names(bucket, key))
    return (place for place in found if action in READ)


def decide(question: Question, teams: Teams, task_path: TaskPath) -> Verdict:
    """``action``: get, put, delete, list, or in AWS' words; ``resource``: ``s3://bucket/key``."""
    if not question.resource.startswith(_S3):
        return Verdict(LAYER, None, "s3://bucket/key is what a store is asked for")
    reach = reach_of(teams, question.team, task_path)
    if reach is None:
        return Verdict(
            LAYER, None, f"{teams.file(question.team)}: its store is in no bucket; it has no identity at one"
        )
    bucket, _, key = question.resource.removeprefix(_S3).partition("/")
    action = _SHORT.get(question.action, question.action)
    if action not in (LIST, *READ, *WRITE):
        return Verdict(LAYER, None, f"of a key a store is asked {', '.join(_SHORT)}, or in AWS' words")
    place = allows(reach, action, bucket, key)
    if place is None:
        return Verdict(
            LAYER, False, f"the role of '{question.team}' has no statement for {action} there; {_has(reach)}"
        )
    return Verdict(LAYER, True, f"{teams.file(question.team)}: {_why(reach, place)} s3://{place.bucket}/{place.keys}")


def _why(reach: Reach, place: Prefix) -> str:
    if place == reach.own:
        return "store, its own place"
    return "writes" if place in reach.writes else "reads, or a grant:"


def _has(reach: Reach) -> str:
    return f"its own place is s3://{reach.own.bucket}/{reach.own.keys}"
