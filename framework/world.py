"""The outside of a run in one record: the teams, and a store for each. Everything above asks here, nothing else opens."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Self

from framework.cache.base import Cache
from framework.cache.none import NoCache
from framework.cache.opening import open_cache
from framework.connections import NONE, Connections
from framework.errors import SetupError
from framework.storage.base import Access, InBucket, Store
from framework.storage.keys import Keys
from framework.storage.lifecycle import BucketFacts
from framework.storage.ownership import Ownership
from framework.storage.paths import task_path
from framework.storage.posix import DirectoryStore
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams
from framework.tenancy.places import BucketStore, EfsStore, StorePlace
from framework.tenancy.places import DirectoryStore as DirectoryPlace
from framework.tenancy.reach import granted_tasks


@dataclass(frozen=True)
class World:
    """Team files, and how to open the store of a team, and the cache before it.

    ``private``: where this process writes instead of the team's store, so that a laptop or a test reads shared
    outputs and never adds to them. ``connections``: what was handed over to this process for sources and destinations.
    """

    teams: Teams
    store: Callable[[str], Store]
    private: Store | None = None
    connections: Connections = field(default=NONE, repr=False)
    cache: Callable[[str], Cache] = lambda _: NoCache()

    def output_store(self, team: str) -> Store:
        """The store that a run of ``team`` writes to."""
        return self.private or self.store(team)

    @classmethod
    def of(cls, workspace: Path, team_files: Path | None = None, *, keys: Keys | None = None) -> Self:
        """The world that the team files describe: those of ``workspace``, or those in the folder ``team_files``.

        ``keys`` open buckets; without, it is the identity of this process. Raises: ConfigError.
        """
        return cls.of_teams(load_teams(workspace, team_files), keys=keys)

    @classmethod
    def of_teams(cls, teams: Teams, *, keys: Keys | None = None) -> Self:
        """As ``of``, for team files that were read."""

        @cache
        def store(name: str) -> Store:
            return open_store(teams.team(name).store, workspace=teams.workspace, keys=keys)

        @cache
        def before(name: str) -> Cache:
            # A laptop's run may be nobody's.
            team = teams.by_name.get(name)
            return NoCache() if team is None else open_cache(team, store(name), workspace=teams.workspace)

        return cls(teams, store, cache=before)

    def granted(self, team: str) -> tuple[tuple[Store, str], ...]:
        """Stores and folders of the tasks of others that the team may read, where those are not in its own store."""
        own = self.store(team)
        found = ((self.store(task.team), task_path(task)) for task in granted_tasks(self.teams, team))
        return tuple((store, path) for store, path in found if store.root != own.root)

    def bucket_facts(self, team: str) -> BucketFacts:
        """How the bucket of ``team`` is set up. Raises: StoreUnavailable; SetupError, also when its store is in none."""
        store = self.store(team)
        if not isinstance(store, InBucket):
            raise SetupError("this team's store is in no bucket", where=store.root)
        return store.facts()

    def accesses(self, teams: Iterable[str]) -> tuple[Access, ...]:
        """What Spark has to be told before it opens URIs of the stores of ``teams``, and of the one written to."""
        stores = [*map(self.store, teams), *([self.private] if self.private else [])]
        return tuple(dict.fromkeys(store.access for store in stores))

    def writing_to(self, private: Store) -> Self:
        """The same world for reading, with another place to write."""
        return replace(self, private=private)


def open_store(place: StorePlace, *, workspace: Path, keys: Keys | None = None) -> Store:
    """The store that a team file describes; nothing is asked of it yet. ``keys`` as in ``World.of``. Raises: SetupError."""
    match place:
        case DirectoryPlace():
            return DirectoryStore(workspace / place.root)
        case EfsStore():
            mode = None if place.mode is None else int(place.mode, 8)
            owned = Ownership(place.uid, place.gid, mode)
            return DirectoryStore(Path(place.root), kind=place.kind, owned=owned, mounted=True)
    return _bucket_store(place, keys)


def _bucket_store(place: BucketStore, keys: Keys | None) -> Store:
    try:
        from framework.storage.s3 import S3Store  # only now: nobody else pays for boto3
        from framework.storage.s3client import Bucket, connect
    except ModuleNotFoundError as error:
        raise SetupError(
            "a store in a bucket needs boto3",
            where=f"s3://{place.bucket}",
            got=str(error),
            next_step="run this where jobs run, or install teamspark[jobs]",
        ) from error
    bucket = Bucket(place.bucket, place.prefix, place.endpoint, place.region)
    return S3Store(bucket, connect=lambda one: connect(one, keys))
