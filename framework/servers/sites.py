"""Stores of this machine in place of the ones that the team files name: made, opened and found again.

A site is a folder of team files, the workspace's own but for ``store``, and, where the store asks who is there, a file
of credentials for each team. Nothing of the workspace is edited. A cluster has the same two folders, mounted.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from framework.errors import ConfigError, SetupError
from framework.servers import processes, seaweed
from framework.servers.identities import REGION, administrator, bucket_of, of_teams, onlooker
from framework.servers.private import private_folder, write_private
from framework.storage.keys import Keys
from framework.tenancy.model import Team, Teams
from framework.tenancy.places import BucketStore, DirectoryStore, EfsStore, StoreKind, StorePlace
from framework.tenancy.render import as_yaml, with_store

HOME: Final = ".teamspark/stores"
TEAM_FILES: Final = "TEAMSPARK_TEAM_FILES"
_EFS_MODE: Final = 0o750


@dataclass(frozen=True, slots=True)
class Site:
    """Stores that are open. ``keys``: who looks on at all of them; ``server``: what ends with us, if anything does."""

    kind: StoreKind
    team_files: Path
    credentials: Path | None = None
    keys: Keys | None = None
    server: processes.Started | None = None

    def environment(self, team: str | None = None) -> dict[str, str]:
        """What makes a command look here, as ``team`` or as the onlooker. Raises: ConfigError for a team without keys."""
        return {TEAM_FILES: str(self.team_files), **self._identity(team)}

    def _identity(self, team: str | None) -> Mapping[str, str]:
        if team is None or self.credentials is None:
            return self.keys.environment() if self.keys else {}
        if team not in _names(self.team_files):
            raise ConfigError("no such team here", got=team, expected=", ".join(sorted(_names(self.team_files))))
        return dict(json.loads((self.credentials / f"{team}.json").read_text()))


def opened(kind: StoreKind, workspace: Path, teams: Teams) -> AbstractContextManager[Site]:
    """The site of that kind of store, for as long as the block lasts; what was stored there before is there again.

    Raises: SetupError, StoreUnavailable, ServerFailed.
    """
    return _KINDS[kind](private_folder(workspace / HOME / kind), teams)


@contextmanager
def _directory(home: Path, teams: Teams) -> Iterator[Site]:
    yield Site(
        StoreKind.directory, _render(home, teams, lambda _: DirectoryStore(kind="directory", root=str(home / "root")))
    )


@contextmanager
def _efs(home: Path, teams: Teams) -> Iterator[Site]:
    """A directory that is not mounted, with the owner and the modes of one that is."""
    root = home / "root"
    root.mkdir(exist_ok=True)
    root.chmod(_EFS_MODE)
    place = EfsStore(kind="efs", root=str(root), uid=os.getuid(), gid=os.getgid(), mode=f"0{_EFS_MODE:o}")
    yield Site(StoreKind.efs, _render(home, teams, lambda _: place))


@contextmanager
def _s3(home: Path, teams: Teams) -> Iterator[Site]:
    """The server that another process of this workspace runs, or one of our own."""
    if processes.in_use(home / "server"):
        yield _found(home)
        return
    admin, looking, by_team = administrator(), onlooker(), of_teams(teams)
    with seaweed.running(home / "server", (admin, looking, *by_team)) as live:
        live.make_buckets(map(bucket_of, teams.by_name), admin.keys)
        credentials = private_folder(home / "credentials")
        try:
            for one in by_team:
                write_private(credentials / f"{one.name}.json", json.dumps(one.keys.environment()))
            team_files = _render(home, teams, partial(bucket_place, live.endpoint))
            write_private(home / "onlooker.json", json.dumps([looking.keys.access, looking.keys.secret]))
            yield Site(StoreKind.s3, team_files, credentials, looking.keys, live.part)
        finally:
            # They are of no use without this server.
            (home / "onlooker.json").unlink(missing_ok=True)
            shutil.rmtree(credentials, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Roles:
    """A server that knows no team's keys: pods take on roles with tokens of theirs. ``iam``: its roles, as the server reads them;
    ``address``: where pods reach it; ``more``: buckets beside the teams' own.
    """

    iam: str = field(repr=False)
    address: str
    more: tuple[str, ...] = ()


@contextmanager
def opened_to_roles(
    workspace: Path, teams: Teams, roles: Roles, change: Callable[[Team, BucketStore], Team]
) -> Iterator[tuple[Site, Keys]]:
    """The site ``s3`` with the same buckets, for pods; ``change`` makes the team files. Also an administrator's keys.

    Raises: as ``opened``.
    """
    home = private_folder(workspace / HOME / StoreKind.s3)
    admin, looking = administrator(), onlooker()
    with seaweed.running(home / "server", (admin, looking), iam=roles.iam, address=roles.address) as live:
        live.make_buckets((*map(bucket_of, teams.by_name), *roles.more), admin.keys)
        changed = [change(team, bucket_place(live.endpoint, team)) for team in teams.by_name.values()]
        team_files = write_team_files(home / "teams-in-pods", changed)
        yield Site(StoreKind.s3, team_files, None, looking.keys, live.part), admin.keys


def bucket_place(endpoint: str, team: Team) -> BucketStore:
    return BucketStore(kind="s3", bucket=bucket_of(team.team), endpoint=endpoint, region=REGION)


def _found(home: Path) -> Site:
    try:
        access, secret = json.loads((home / "onlooker.json").read_text())
    except FileNotFoundError:
        raise SetupError(
            "the S3 server of this workspace is starting, or stopping",
            where=str(home),
            next_step="try again in a few seconds",
        ) from None
    return Site(StoreKind.s3, home / "teams", home / "credentials", Keys(access, secret))


def _render(home: Path, teams: Teams, place: Callable[[Team], StorePlace]) -> Path:
    """The team files with other stores."""
    return write_team_files(home / "teams", [with_store(team, place(team)) for team in teams.by_name.values()])


def write_team_files(folder: Path, teams: Iterable[Team]) -> Path:
    """Team files of a site; one that is there no more goes. Returns ``folder``."""
    wanted = {team.team: team for team in teams}
    folder.mkdir(exist_ok=True)
    for gone in _names(folder) - set(wanted):
        (folder / f"{gone}.yaml").unlink(missing_ok=True)
    for name, team in wanted.items():
        write_private(folder / f"{name}.yaml", as_yaml(team))
    return folder


def _names(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.yaml")}


_KINDS: Final[Mapping[StoreKind, Callable[[Path, Teams], AbstractContextManager[Site]]]] = {
    StoreKind.directory: _directory,
    StoreKind.efs: _efs,
    StoreKind.s3: _s3,
}
