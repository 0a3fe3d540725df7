"""The secrets of one local Airflow: made at random once, kept in files that only their owner can read."""

import base64
import json
import secrets as random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from framework.servers.private import write_private


@dataclass(frozen=True, slots=True)
class Secrets:
    """``jwt`` signs tokens between components, ``fernet`` encrypts the database, ``api`` signs sessions.

    ``passwords`` are the users' own.
    """

    jwt: str = field(repr=False)
    api: str = field(repr=False)
    fernet: str = field(repr=False)
    passwords: Mapping[str, str] = field(repr=False)


def make(users: Iterable[str]) -> Secrets:
    """Fresh random secrets, and a password for each of ``users``."""
    fernet = base64.urlsafe_b64encode(random.token_bytes(32)).decode()
    return Secrets(random.token_hex(32), random.token_hex(32), fernet, {user: random.token_hex(8) for user in users})


def load_or_make(home: Path, users: Iterable[str]) -> Secrets:
    """The secrets kept in ``home``; made there on first use, with passwords for users that have none."""
    file = home / "secrets.json"
    fresh = make(users)
    found = Secrets(**json.loads(file.read_text())) if file.exists() else fresh
    found = replace(found, passwords={user: found.passwords.get(user, new) for user, new in fresh.passwords.items()})
    kept = {name: getattr(found, name) for name in ("jwt", "api", "fernet", "passwords")}
    write_private(file, json.dumps(kept))
    # The form that Airflow's simple auth manager reads.
    write_private(home / "passwords.json", json.dumps(dict(found.passwords)))
    return found
