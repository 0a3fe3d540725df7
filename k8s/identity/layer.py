"""The layer ``store`` of ``teamspark team``: who may touch which objects, and whose a team's folder is."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from framework.errors import ConfigError, SetupError
from framework.storage.paths import task_path
from framework.tenancy.layers import Phase, Prospect, Question, Site, Step, Verb, Verdict
from framework.tenancy.model import Team
from framework.tenancy.places import BucketStore, EfsStore
from k8s.identity.deciding import LAYER as NAME
from k8s.identity.deciding import decide
from k8s.identity.documents import FOLDER_MODE, aws_documents, roles_in, seaweedfs_roles
from k8s.identity.roles import changed, read_roles, require_place, teams_in, without, write_roles
from k8s.platform import FILE as PLATFORM_FILE
from k8s.platform import NO_ACCOUNT, Platform, StoreIdentity, load_platform
from k8s.tenant.differences import differences

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
        if not isinstance(team.store, BucketStore):
            return Prospect(remarks=(f"{NAME}: a directory of this machine has no identities: no wall",))
        where = self._server()
        if where is None:
            return Prospect(remarks=(f"{NAME}: {_elsewhere(team, self.site)}",))
        file = Path(where.file)
        require_place(file)
        live = read_roles(file)
        return _prospect(live, changed(live, seaweedfs_roles(self.site.teams, self.platform, where), team.team), where)

    def farewell(self, team: str) -> Prospect:
        """Its role, and nobody else's: what others were granted by it they lose with their own next apply."""
        where = self._server()
        if where is None:
            return Prospect()
        live = read_roles(Path(where.file))
        return _prospect(live, without(live, team), where)

    def _server(self) -> StoreIdentity | None:
        """None where no server of ours reads roles from a file."""
        return self.platform.store_identity if (self.site.workspace / PLATFORM_FILE).is_file() else None

    def present(self) -> Mapping[str, str]:
        where = self._server()
        return {} if where is None else dict.fromkeys(teams_in(read_roles(Path(where.file))), "here")

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


def _elsewhere(team: Team, site: Site) -> str:
    """Where nothing is applied: what somebody has to do."""
    assert isinstance(team.store, BucketStore)
    if team.store.endpoint is not None:
        return _WITHOUT.format(endpoint=team.store.endpoint)
    known = (site.workspace / PLATFORM_FILE).is_file() and load_platform(site.workspace).account != NO_ACCOUNT
    return _AWS.format(team=team.team) + ("" if known else "; they need 'account' in k8s/platform.yaml")


def _prospect(live: dict[str, Any], wanted: dict[str, Any], where: StoreIdentity) -> Prospect:
    """One file is written at once, in the phase of the hardest thing that it does."""
    before, after = roles_in(live), roles_in(wanted)
    if live == wanted and live.get("sts"):
        return Prospect()
    lines = differences(before, after) or ("what all roles share",)
    loses = any(after.get(name) != before[name] for name in before)
    do = partial(write_roles, Path(where.file), wanted, where)
    verb = Verb.change if live else Verb.create
    step = Step(NAME, Phase.revoke if loses else Phase.permit, verb, f"roles in {where.file}", lines, do)
    return Prospect((step,), (f"{NAME}: {_RESTART.format(file=where.file)}",))


def _folder_steps(team: str, store: EfsStore) -> Iterator[Step]:
    """On a file system users are the wall: the team's folder is its own user's."""
    folder = Path(store.root) / team
    if store.uid is None or store.gid is None:
        return
    mode = int(store.mode or FOLDER_MODE, 8)
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
