"""What a team's identity may touch in buckets, from the team files: its own place, what it was granted, what it named."""

from collections.abc import Callable, Iterator
from typing import Final

from framework.errors import ConfigError
from framework.identity import TaskKey
from framework.tenancy.iam import Prefix, Reach
from framework.tenancy.model import Teams
from framework.tenancy.places import BucketStore, key_prefix

_S3: Final = "s3://"
TaskPath = Callable[[TaskKey], str]
"""The path law: ``/team/dag_id/task_id``, encoded."""


def reach_of(teams: Teams, name: str, task_path: TaskPath) -> Reach | None:
    """None for a team whose store is in no bucket.

    Raises: ConfigError for a place outside that no policy can name exactly.
    """
    store = teams.team(name).store
    if not isinstance(store, BucketStore):
        return None
    team = teams.team(name)
    outside = [*_outside(teams, name, team.reads), *granted(teams, name, task_path)]
    own = Prefix(store.bucket, key_prefix(store, name))
    return Reach(own, tuple(sorted(set(outside))), tuple(_outside(teams, name, team.writes)))


def granted(teams: Teams, name: str, task_path: TaskPath) -> Iterator[Prefix]:
    """The tasks of others whose outputs are in a bucket and open to the team."""
    for task in granted_tasks(teams, name):
        store = teams.team(task.team).store
        if isinstance(store, BucketStore):
            before = f"{store.prefix}/" if store.prefix else ""
            # With the slash at its end: `ingest` does not open `ingest_raw`.
            yield Prefix(store.bucket, f"{before}{task_path(task).removeprefix('/')}/")


def granted_tasks(teams: Teams, name: str) -> Iterator[TaskKey]:
    """The tasks of others that the team may read, by team files."""
    for owner, team in sorted(teams.by_name.items()):
        for grant in team.grants:
            for task in grant.read if grant.to == name else ():
                dag_id, _, task_id = task.partition("/")
                yield TaskKey(owner, dag_id, task_id)


def _outside(teams: Teams, name: str, patterns: tuple[str, ...]) -> Iterator[Prefix]:
    for pattern in patterns:
        if not pattern.startswith(_S3):
            continue
        bucket, _, key = pattern.removeprefix(_S3).partition("/")
        try:
            yield Prefix(bucket, key.removesuffix("*"), exact=not pattern.endswith("/*"))
        except ValueError:
            raise ConfigError(
                "a place that no policy can name exactly",
                where=teams.file(name),
                got=pattern,
                expected="keys without *, ? and $ inside",
            ) from None
