"""The layer ``store`` of ``teamspark team``: who may touch which objects, and whose a team's folder is."""

import base64
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from framework.errors import ConfigError, SetupError
from framework.servers.private import write_private
from framework.storage.paths import task_path
from framework.tenancy.layers import Phase, Prospect, Question, Site, Step, Verb, Verdict
from framework.tenancy.model import Team, Teams
from framework.tenancy.names import Names
from framework.tenancy.places import BucketStore, EfsStore
from framework.textfile import read_text
from k8s.identity.deciding import decide
from k8s.identity.documents import aws_documents, roles_in, seaweedfs_roles, token_service, uses_bucket
from k8s.platform import Platform, StoreIdentity, load_platform
from k8s.tenant.differences import differences

NAME: Final = "store"
_KEY_BYTES: Final = 32
_AWS: Final = "AWS' role and policies are documents: teamspark team render {team} --layer store"
_WITHOUT: Final = (
    "no roles of {endpoint} are known (store_identity in k8s/platform.yaml): a store without identities is no wall; "
    "give each team keys of its own that reach its place only"
)
_RESTART: Final = "the S3 server reads {file} when it starts: restart it"


@dataclass(frozen=True)
class StoreLayer:
    """The store's identities of a workspace's teams."""

    site: Site

    @property
    def name(self) -> str:
        return NAME

    @cached_property
    def platform(self) -> Platform:
        return load_platform(self.site.workspace)

    def prospect(self, team: Team) -> Prospect:
        if isinstance(team.store, EfsStore):
            return Prospect(tuple(_folder_steps(team.team, team.store)))
        if not uses_bucket(team):
            return Prospect(remarks=(f"{NAME}: a directory of this machine has no identities: no wall",))
        return self._roles(self.site.teams) or Prospect(remarks=(f"{NAME}: {_elsewhere(team)}",))

    def farewell(self, team: str) -> Prospect:
        others = {name: one for name, one in self.site.teams.by_name.items() if name != team}
        left = Teams(self.site.workspace, others, self.site.teams.folder)
        return self._roles(left) or Prospect()

    def _roles(self, teams: Teams) -> Prospect | None:
        """All roles are one file; None where no server of ours reads one."""
        if not (self.site.workspace / "k8s/platform.yaml").is_file() or (where := self.platform.store_identity) is None:
            return None
        wanted, live = seaweedfs_roles(teams, self.platform, where), read_roles(Path(where.file))
        steps = tuple(_role_steps(wanted, live, where))
        return Prospect(steps, (f"{NAME}: {_RESTART.format(file=where.file)}",) if steps else ())

    def present(self) -> Mapping[str, str]:
        if self.platform.store_identity is None:
            return {}
        live = read_roles(Path(self.platform.store_identity.file))
        prefix = Names("").role
        return {role.removeprefix(prefix): "here" for role in roles_in(live) if role.startswith(prefix)}

    def render(self, team: Team | None) -> str:
        """JSON: AWS' documents of a team; without a team, SeaweedFS' roles of all, but for the secret part."""
        if team is not None:
            return _json(aws_documents(self.site.teams, team, self.platform))
        where = self.platform.store_identity
        if where is None:
            raise ConfigError(
                "no store here takes its roles from a file",
                expected="store_identity in k8s/platform.yaml",
                next_step="name a team for AWS' documents",
            )
        return _json(seaweedfs_roles(self.site.teams, self.platform, where))

    def decide(self, question: Question) -> Verdict:
        return decide(question, self.site.teams, task_path)


def make(site: Site) -> StoreLayer:
    """What the entry point ``teamspark.layers`` names."""
    return StoreLayer(site)


def _elsewhere(team: Team) -> str:
    """Where nothing is applied: what somebody has to do."""
    assert isinstance(team.store, BucketStore)
    if team.store.endpoint is None:
        return _AWS.format(team=team.team)
    return _WITHOUT.format(endpoint=team.store.endpoint)


def read_roles(file: Path) -> dict[str, Any]:
    """What the file says now; nothing where there is none. Raises: ConfigError."""
    if not file.exists():
        return {}
    try:
        found = json.loads(read_text(file))
    except ValueError:
        raise ConfigError("not JSON", where=str(file), next_step="mend it, or remove it: it is written anew") from None
    if not isinstance(found, dict):
        raise ConfigError("not the roles of a store", where=str(file), expected="a JSON object")
    return found


def _role_steps(wanted: dict[str, Any], live: dict[str, Any], where: StoreIdentity) -> Iterator[Step]:
    """One file is written at once, in the phase of the hardest thing that it does."""
    before, after = roles_in(live), roles_in(wanted)
    rest = {key: live.get(key) for key in wanted} != wanted or not live.get("sts")
    if before == after and not rest:
        return
    lines = differences(before, after) or ("what all roles share",)
    gone = sorted(set(before) - set(after))
    changed = any(before[name] != after[name] for name in set(before) & set(after))
    phase = Phase.revoke if gone or changed else Phase.permit
    do = partial(_write, Path(where.file), wanted, where)
    yield Step(NAME, phase, Verb.change if live else Verb.create, f"roles in {where.file}", lines, do)


def _write(file: Path, wanted: dict[str, Any], where: StoreIdentity) -> None:
    """The signing key stays: with another one every session that runs would end."""
    key = (read_roles(file).get("sts") or {}).get("signingKey") or base64.b64encode(
        secrets.token_bytes(_KEY_BYTES)
    ).decode()
    try:
        write_private(file, _json({"sts": token_service(where, key), **wanted}))
    except OSError as error:
        raise SetupError("the store's roles cannot be written", where=str(file), got=error.strerror) from error


def _folder_steps(team: str, store: EfsStore) -> Iterator[Step]:
    """On a file system users are the wall: the team's folder is its own user's."""
    folder = Path(store.root) / team
    if store.uid is None or store.gid is None:
        return
    mode = int(store.mode or "0750", 8)
    found = folder.stat() if folder.exists() else None
    if found is not None and (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (store.uid, store.gid, mode):
        return
    what = f"folder {folder} of user {store.uid}, group {store.gid}, mode {mode:04o}"
    do = partial(_make_folder, folder, (store.uid, store.gid, mode))
    yield Step(NAME, Phase.confine, Verb.change if found else Verb.create, what, (), do)


def _make_folder(folder: Path, owned: tuple[int, int, int]) -> None:
    """Nobody gets into it before it is whose it should be."""
    uid, gid, mode = owned
    try:
        if folder.is_symlink():
            raise SetupError("a link where a team's folder should be", where=str(folder), next_step="remove it")
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, uid, gid, follow_symlinks=False)
        folder.chmod(mode)
    except OSError as error:
        raise SetupError(
            "the team's folder cannot be made",
            where=str(folder),
            got=error.strerror,
            next_step="mount the file system, and run this as root",
        ) from error


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"
