"""What people ask of a team's cache: started and ended on this machine, its health, and what it holds of one run."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework.cache.base import Cache, Held
from framework.cache.opening import home_of
from framework.cli.addresses import parse_attempt
from framework.cli.published import find_attempt
from framework.cli.scope import Scope
from framework.errors import CacheUnavailable, ConfigError
from framework.jars.sync import Notice
from framework.storage.base import Store
from framework.storage.publish import Published
from framework.tenancy.places import AlluxioPlace

if TYPE_CHECKING:
    from framework.cache.looking import Cluster


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a team's cache is up and well, and what is known of it."""

    place: str
    well: bool
    facts: tuple[tuple[str, object], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"place": self.place, "well": self.well, **dict(self.facts)}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A published run, and the cache that is asked about it."""

    cache: Cache
    store: Store
    published: Published

    @property
    def paths(self) -> tuple[str, ...]:
        outputs = self.published.manifest.outputs
        return tuple(path for output in outputs for path in self.published.paths(output.name))

    def require_cached(self) -> "Chosen":
        """Raises: CacheUnavailable when there is no cache before the run's store."""
        location = self.cache.resolve(self.store, self.published.directory)
        if not location.cached:
            raise CacheUnavailable(
                "no cache is before this store",
                where=self.store.root,
                got=location.why or f"cache {self.cache.kind}",
                next_step="start it: teamspark cache up --team TEAM; or look which store the team file names",
            )
        return self

    def held(self) -> tuple[Held, ...]:
        """Each of the run's files. Raises: CacheUnavailable."""
        folders = [self.published.output_dir(output.name) for output in self.published.manifest.outputs]
        known = {held.path: held for folder in folders for held in self.cache.status(self.store, folder)}
        files = ((path, file.bytes) for path, file in zip(self.paths, self._files, strict=True))
        return tuple(known.get(path) or Held(path, size, 0) for path, size in files)

    @property
    def _files(self) -> tuple[Any, ...]:
        return tuple(file for output in self.published.manifest.outputs for file in output.files)

    def warm(self, within_s: float) -> None:
        """Raises: CacheUnavailable."""
        cold = [held.path for held in self.held() if held.hot < held.bytes]
        self.cache.warm(self.store, cold, within_s=within_s)

    def pin(self) -> None:
        """Raises: CacheUnavailable."""
        self.cache.pin(self.store, self.paths)

    def free(self) -> None:
        """Raises: CacheUnavailable."""
        self.cache.free(self.store, self.paths)


def chosen(scope: Scope, text: str, team: str | None) -> Chosen:
    """The run that ``text`` names, before which ``team``'s cache is asked, its own team's by default.

    Raises: ConfigError, PathError, CacheUnavailable.
    """
    address = parse_attempt(text)
    store = scope.world.store(address.key.team)
    cache = scope.world.cache(team or address.key.team)
    return Chosen(cache, store, find_attempt(store, address)).require_cached()


def start(scope: Scope, team: str, *, notice: Notice) -> "Cluster":
    """Raises: ConfigError; SetupError, ServerFailed, CacheUnavailable."""
    from framework.cache.cluster import up
    from framework.cache.parts import Wanted

    place = _local(scope, team)
    # Not the store as this machine sees it: runs of this machine are outside the team's store.
    store = scope.shared.store(team)
    return up(
        Wanted(team, store, home_of(team, scope.workspace), place.memory_bytes, scope.shared.granted(team)),
        os.environ,
        notice=notice,
    )


def stop(scope: Scope, team: str) -> bool:
    """Whether there was anything to end. Raises: ConfigError, SetupError."""
    from framework.cache.cluster import down

    scope.world.teams.team(team)
    return down(home_of(team, scope.workspace))


def health_of(scope: Scope, team: str) -> Health:
    """Raises: ConfigError."""
    cache = scope.world.cache(team)
    if cache.kind != "alluxio":
        return Health(cache.place, well=False, facts=(("why", getattr(cache, "why", None) or "the team has no cache"),))
    home = home_of(team, scope.workspace)
    return _local_health(home) if _is_local(scope, team) else _remote_health(scope, team, cache)


def _local_health(home: Path) -> Health:
    from framework.cache.cluster import known
    from framework.cache.looking import ailing, used

    cluster = known(home)
    assert cluster is not None, "it was opened by what is known"
    silent, room = ailing(cluster), used(cluster)
    found = {
        "store": cluster.store,
        "proxy": cluster.proxy,
        "held": None if room is None else f"{room[0]:,} of {room[1]:,} bytes",
        "memory": cluster.tier,
        "logs": str(home / "logs"),
        "silent": ", ".join(silent) or None,
    }
    return Health(f"alluxio://{cluster.master}", well=not silent, facts=tuple(found.items()))


def _remote_health(scope: Scope, team: str, cache: Cache) -> Health:
    location = cache.resolve(scope.shared.store(team), "/")
    why = location.why or "it is not before the team's store"
    return Health(cache.place, well=location.cached, facts=() if location.cached else (("why", why),))


def _is_local(scope: Scope, team: str) -> bool:
    place = scope.world.teams.team(team).cache
    return place is not None and place.master is None


def _local(scope: Scope, team: str) -> AlluxioPlace:
    place = scope.world.teams.team(team).cache
    if place is None or place.master is not None:
        raise ConfigError(
            f"team '{team}' has no cache of this machine",
            where=f"k8s/teams/{team}.yaml",
            got="no cache" if place is None else f"cache at {place.master}",
            expected="cache: {kind: alluxio}, without master and proxy",
        )
    return place
