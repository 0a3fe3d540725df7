"""The outside of a run in one record: the teams, and a store for each. Everything above asks here, nothing else opens."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self

from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams


@dataclass(frozen=True)
class World:
    """Team files, and how to open the store of a team.

    ``private``: where this process writes instead of the team's store, so that a laptop or a test reads shared
    outputs and never adds to them.
    """

    teams: Teams
    store: Callable[[str], Store]
    private: Store | None = None

    def output_store(self, team: str) -> Store:
        """The store that a run of ``team`` writes to."""
        return self.private or self.store(team)

    @classmethod
    def of(cls, workspace: Path) -> Self:
        """The world that the team files of ``workspace`` describe. Raises: ConfigError."""
        teams = load_teams(workspace)

        @cache
        def store(name: str) -> Store:
            return DirectoryStore(teams.store_root(name))

        return cls(teams, store)

    def writing_to(self, private: Store) -> Self:
        """The same world for reading, with another place to write."""
        return replace(self, private=private)
