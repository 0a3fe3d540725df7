"""The file from which a SeaweedFS takes its roles: read, changed for one team, written as whoever owns it has it."""

import base64
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from framework.errors import ConfigError, SetupError
from framework.tenancy.names import Names
from framework.textfile import read_text
from k8s.identity.documents import token_service
from k8s.platform import StoreIdentity

_KEY_BYTES: Final = 32
_LISTS: Final = {"roles": "roleName", "policies": "name", "providers": "name"}


def read_roles(file: Path) -> dict[str, Any]:
    """What the file says now; nothing where there is none. Raises: ConfigError."""
    if not file.exists():
        return {}
    try:
        found = json.loads(read_text(file))
    except ValueError:
        raise ConfigError("not JSON", where=str(file), next_step="mend it, or remove it: it is written anew") from None
    if not isinstance(found, dict) or not all(_is_list(found.get(name), key) for name, key in _LISTS.items()):
        raise ConfigError(
            "not the roles of a store",
            where=str(file),
            expected="a JSON object with lists of roles, policies and providers",
        )
    return found


def _is_list(value: object, key: str) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(one, dict) and key in one for one in value))


def require_place(file: Path) -> None:
    """Raises: SetupError where the file could not be written, before anything is done."""
    folder = file.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise SetupError(
            "the store's roles cannot be written",
            where=str(file),
            got="no such folder" if not folder.is_dir() else "not permitted",
            next_step="make the folder, or correct store_identity.file in k8s/platform.yaml; or leave it out: --layer",
        )


def teams_in(live: Mapping[str, Any]) -> Iterator[str]:
    """The teams that have a role there."""
    prefix = Names("").role
    return (
        str(one["roleName"]).removeprefix(prefix)
        for one in _of(live, "roles")
        if str(one["roleName"]).startswith(prefix)
    )


def changed(live: Mapping[str, Any], rendered: Mapping[str, Any], team: str) -> dict[str, Any]:
    """``live`` with the role of ``team`` as it is rendered, and with those of the teams that are there already: a grant of
    one is in the role of another. Nobody else gets a role, and what is not ours stays.
    """
    ours = {Names(name).role for name in (team, *teams_in(live))}
    merged = dict(live) | {"policy": rendered["policy"]}
    for name, key in _LISTS.items():
        new = {one[key]: one for one in rendered[name] if name == "providers" or one[key] in ours}
        kept = [new.pop(one[key], one) for one in _of(live, name)]
        merged[name] = [*kept, *new.values()]
    return merged


def without(live: Mapping[str, Any], team: str) -> dict[str, Any]:
    """``live`` without the role of ``team``; nobody else's changes."""
    role = Names(team).role
    gone = {name: [one for one in _of(live, name) if one[_LISTS[name]] != role] for name in ("roles", "policies")}
    return dict(live) | {name: left for name, left in gone.items() if name in live}


def _of(live: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return list(live.get(name) or ())


def signing_key() -> str:
    """A fresh one for sessions."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def write_roles(file: Path, wanted: Mapping[str, Any], where: StoreIdentity) -> None:
    """Whole or not at all; owner, mode and link stay. The key that signs sessions stays, too: with another every session would end.

    Raises: SetupError, ConfigError.
    """
    target = file.resolve()
    key = (read_roles(target).get("sts") or {}).get("signingKey") or signing_key()
    text = json.dumps({**wanted, "sts": wanted.get("sts") or token_service(where, key)}, indent=2) + "\n"
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        found = target.stat() if target.exists() else None
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
            out.write(text)
        if found is not None:
            os.chown(aside, found.st_uid, found.st_gid)
            aside.chmod(found.st_mode & 0o7777)
        aside.replace(target)
    except OSError as error:
        raise SetupError("the store's roles cannot be written", where=str(file), got=error.strerror) from error
