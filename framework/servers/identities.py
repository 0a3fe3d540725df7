"""Who may do what on an S3 server of this machine: an identity for each team, as the team files' grants have it. Pure,
but for the keys, which are random.

A team's identity has its own bucket, and of another team's the folders of the tasks that it was granted. The words of
``actions`` are SeaweedFS's: a verb, then a bucket or what is below a folder of it.
"""

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from framework.storage.keys import Keys
from framework.storage.paths import task_path
from framework.tenancy.model import Teams
from framework.tenancy.places import DEFAULT_REGION
from framework.tenancy.reach import granted_tasks

REGION: Final = DEFAULT_REGION
_OWN: Final = ("Read", "Write", "List", "Tagging")
_GRANTED: Final = ("Read", "List")


@dataclass(frozen=True, slots=True)
class Identity:
    """One identity of a server, and what it may do there."""

    name: str
    keys: Keys
    actions: tuple[str, ...]


def fresh_keys(name: str) -> Keys:
    """Keys that nobody had before; ``name`` is in the access key, which server logs show."""
    return Keys(f"{name}-{secrets.token_hex(6)}", secrets.token_hex(16))


def administrator() -> Identity:
    """Who makes the buckets."""
    return Identity("admin", fresh_keys("admin"), ("Admin", "Read", "Write", "List", "Tagging"))


def onlooker() -> Identity:
    """A person at this machine, who looks at every team's outputs and changes none."""
    return Identity("onlooker", fresh_keys("onlooker"), _GRANTED)


def bucket_of(team: str) -> str:
    return f"{team}-data"


def of_teams(teams: Teams) -> tuple[Identity, ...]:
    """One identity per team, with fresh keys."""
    return tuple(Identity(name, fresh_keys(name), team_actions(teams, name)) for name in sorted(teams.by_name))


def team_actions(teams: Teams, name: str) -> tuple[str, ...]:
    """Everything in its own bucket; reading, in others', below the tasks that were granted to it."""
    own = tuple(f"{verb}:{bucket_of(name)}" for verb in _OWN)
    granted = tuple(_granted(teams, name))
    below = tuple(f"{verb}:{folder}*" for folder in granted for verb in _GRANTED)
    # Alluxio asks for a folder's name before it mounts it; no object has that key.
    return own + below + tuple(f"Read:{folder.removesuffix('/')}" for folder in granted)


def _granted(teams: Teams, name: str) -> Iterator[str]:
    # With the slash at its end: `ingest` does not open `ingest_raw`.
    return (f"{bucket_of(task.team)}{task_path(task)}/" for task in granted_tasks(teams, name))


def server_config(identities: Iterable[Identity]) -> str:
    """The file that SeaweedFS reads its identities from: JSON, full of secrets."""
    told = [
        {
            "name": one.name,
            "credentials": [{"accessKey": one.keys.access, "secretKey": one.keys.secret}],
            "actions": one.actions,
        }
        for one in identities
    ]
    return json.dumps({"identities": told})
