"""What every sub-command is told by the root's options: where the workspace is, and how much to say of an error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from framework.errors import ConfigError

if TYPE_CHECKING:
    from framework.storage.base import Store
    from framework.tenancy.model import Teams
    from framework.world import World

LOCAL_STORE: Final = ".teamspark/local"


@dataclass(frozen=True)
class Scope:
    """The root's options. Everything is looked up at first use, so that ``--help`` works anywhere."""

    given: Path | None = None
    debug: bool = False
    given_files: Path | None = None

    @cached_property
    def workspace(self) -> Path:
        """The given directory, else the nearest one at or above the current directory with team files.

        Raises: ConfigError.
        """
        if self.given is None:
            from framework.tenancy.load import find_workspace

            return find_workspace(Path.cwd())
        if not self.given.is_dir():
            raise ConfigError("no such workspace", got=str(self.given), next_step="name an existing directory")
        return self.given.resolve()

    @cached_property
    def new_workspace(self) -> Path:
        """Like ``workspace``, but the current directory where there are no team files yet."""
        try:
            return self.workspace
        except ConfigError:
            if self.given is not None:
                raise
            return Path.cwd()

    @cached_property
    def local_store(self) -> "Store":
        """Where runs of this machine are written."""
        from framework.storage.posix import DirectoryStore

        return DirectoryStore(self.workspace / LOCAL_STORE)

    @cached_property
    def team_files(self) -> Path | None:
        """The folder of the team files, where that is not the workspace's own."""
        return None if self.given_files is None else self.given_files.resolve()

    @cached_property
    def teams(self) -> "Teams":
        """What the team files say. Raises: ConfigError."""
        from framework.tenancy.load import load_teams

        return load_teams(self.workspace, self.team_files)

    def without_teams(self) -> "Scope":
        """The same workspace as if it had no team files, for what must be possible while they are broken."""
        from framework.tenancy.model import Teams

        found = replace(self)
        found.__dict__["teams"] = Teams(self.workspace, {})
        return found

    @cached_property
    def shared(self) -> "World":
        """The teams and their stores, as production sees them. Raises: ConfigError."""
        from framework.world import World

        return World.of(self.workspace, self.team_files)

    @cached_property
    def world(self) -> "World":
        """The same, with a team's runs of this machine found in its store too. Raises: ConfigError."""
        from framework.cli.stores import WithLocalRuns

        shared = self.shared
        return replace(shared, store=lambda team: WithLocalRuns(shared.store(team), self.local_store))

    @cached_property
    def connected(self) -> "World":
        """The world with the connections of this laptop: for commands that read sources. Raises: ConfigError."""
        from framework.connections import laptop_connections

        return replace(self.world, connections=laptop_connections(self.workspace, os.environ))

    @contextmanager
    def importing(self) -> Iterator[None]:
        """``jobs.*`` of this workspace can be imported; it goes before what is installed."""
        place = str(self.workspace)
        sys.path.insert(0, place)
        try:
            yield
        finally:
            sys.path.remove(place)


def scope_of(ctx: typer.Context) -> Scope:
    """The scope that the root command made for this call."""
    scope = ctx.find_object(Scope)
    assert scope is not None, "every command hangs below the root"
    return scope
