"""The Airflow of a workspace: its teams' DAG files as they are on disk, with everything it writes below one folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from airflow_bindings.contracts import SETTING
from airflow_bindings.export import bundles_of
from airflow_bindings.local import archive
from airflow_bindings.local.attach import findable, kept
from airflow_bindings.local.caching import cached
from airflow_bindings.local.oncluster import OnNode, on_node
from airflow_bindings.local.ports import export_anew, export_ports, fingerprint
from airflow_bindings.local.settings import PARALLELISM, AirflowStack, TeamBundle
from airflow_bindings.local.supervisor import Running, Say, running
from framework.errors import ConfigError
from framework.servers.ports import free_port
from framework.servers.sites import Site, opened
from framework.tenancy.model import TEAM_FILES, Teams
from framework.tenancy.places import CacheKind, StoreKind
from framework.world import World

HOME: Final = ".teamspark/demo"
LANDING: Final = f"{HOME}/landing"
WATCH_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What is asked for: a store of this machine in place of those that the team files name, and what is before it; ``cluster``:
    runs are pods of a Kubernetes on this machine, and that store is in a bucket.
    """

    store: StoreKind | None = None
    cache: CacheKind = CacheKind.none
    cluster: bool = False


@dataclass(frozen=True)
class Premises:
    """What a workspace's Airflow runs on: code, team files, and the stores that these name.

    ``site``: stores of this machine in place of those that the team files name; ``cache``: what is before them; ``pods``: where
    runs are, unless they are processes of this machine.
    """

    workspace: Path
    teams: Teams
    site: Site | None = None
    cache: CacheKind = CacheKind.none
    pods: OnNode | None = None

    @property
    def home(self) -> Path:
        """Where everything of it is written. Of each kind of store its own: a run's history is where its outputs are."""
        kind = self.site.kind if self.site else ""
        return self.workspace / HOME / ("pods" if self.pods else kind)

    @property
    def contracts(self) -> Path:
        return self.home / "contracts"

    @property
    def launches(self) -> Path:
        return self.home / "launches"

    @property
    def team_files(self) -> Path | None:
        """The folder of the team files, where that is not the workspace's own."""
        if self.site:
            return self.site.team_files
        return None if self.teams.folder == TEAM_FILES else Path(self.teams.folder)

    @cached_property
    def world(self) -> World:
        """The stores, as the person at this machine sees them. Raises: ConfigError."""
        return World.of(self.workspace, self.team_files, keys=self.site.keys if self.site else None)

    @property
    def option(self) -> str:
        """What commands that start an Airflow are given for the same stores, with a blank before it."""
        before = "" if self.cache == CacheKind.none else f" --cache {self.cache}"
        if self.pods:
            return f" --cluster{before}"
        return f" --store {self.site.kind}{before}" if self.site else ""

    def command(self, text: str) -> str:
        """A command of ``teamspark`` that looks at these stores, as a person types it."""
        return f"teamspark store exec {self.site.kind} -- teamspark {text}" if self.site else f"teamspark {text}"


@contextmanager
def premises(workspace: Path, teams: Teams, ground: Ground, say: Say) -> Iterator[Premises]:
    """With stores of that kind on this machine, open as long as the block lasts; else as the team files say.

    Raises: ConfigError for a cache without a store, SetupError, StoreUnavailable, ServerFailed.
    """
    if ground.cluster:
        if ground.store not in (None, StoreKind.s3):
            raise ConfigError(
                "pods reach a store in a bucket only",
                got=f"--store {ground.store} with --cluster",
                next_step="leave --store out",
            )
        with on_node(workspace, teams, workspace / LANDING, cached=ground.cache != CacheKind.none, say=say) as pods:
            yield Premises(workspace, teams, pods.site, ground.cache, pods)
        return
    if ground.store is None:
        if ground.cache != CacheKind.none:
            raise ConfigError(
                "a cache needs a store of this machine",
                got=f"--cache {ground.cache} without --store",
                next_step="say which: --store directory, efs or s3; or ask for it in the team files: cache: {kind: alluxio}",
            )
        yield Premises(workspace, teams)
        return
    with opened(ground.store, workspace, teams) as site:
        if ground.cache == CacheKind.none:
            yield Premises(workspace, teams, site)
            return
        with cached(site, workspace, say) as before:
            yield Premises(workspace, teams, before, ground.cache)


def stack_of(place: Premises) -> AirflowStack:
    """A bundle for each team that has DAG files here. Raises: ConfigError when there is no such folder."""
    known = place.teams.by_name
    bundles = tuple(TeamBundle(one.team, one.path) for one in bundles_of(place.workspace) if one.team in known)
    settings: dict[str, object] = {
        "workspace": place.pods.workspace if place.pods else place.workspace,
        "team_files": None if place.pods else place.team_files,
        "credentials": place.site and place.site.credentials,
        "state_dir": place.launches,
        "short_jobs": True,
        "launcher": "kubernetes" if place.pods else None,
    }
    extra = {f"AIRFLOW__TEAMSPARK__{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    return AirflowStack(
        home=place.home / "airflow",
        bundles=bundles,
        port=free_port(),
        # A node of one machine has room for one run: two drivers would wait for each other's executors.
        parallelism=1 if place.pods else PARALLELISM,
        kubeconfigs=place.pods.kubeconfigs if place.pods else {},
        extra={**extra, SETTING: str(place.contracts)},
    )


@contextmanager
def started(place: Premises, say: Say) -> Iterator[Running]:
    """The workspace's Airflow and Spark's class-data archive, ready; both stopped with the block."""
    with archive.being_built(place.home / "archive.log") as part:
        export_ports(place.workspace, place.contracts, say)
        with running(stack_of(place), launches=place.launches, say=say) as live:
            archive.await_built(part, say)
            yield replace(live, beside=(place.site.server,) if place.site and place.site.server else ())


@contextmanager
def kept_or_started(place: Premises, say: Say) -> Iterator[Running]:
    """The Airflow that another process keeps for this workspace; without one, as ``started``."""
    live = kept(stack_of(place))
    if live is None:
        with started(place, say) as live:
            yield live
        return
    say(f"using the Airflow that is running: {live.stack.url}")
    export_ports(place.workspace, place.contracts, say)
    # What it read before knew the jobs as they were.
    yield replace(live, since=datetime.now(UTC))


def keep(live: Running, place: Premises, say: Say) -> None:
    """Keep it up until told to go, DAG files compared with the jobs as they are now. Raises: ServerFailed."""
    seen = fingerprint(place.workspace)
    with findable(live):
        while True:
            live.check()
            now = fingerprint(place.workspace)
            if now != seen:
                export_anew(place.workspace, place.contracts)
                say("the jobs have changed: DAG files are compared with them within half a minute")
            seen = now
            time.sleep(WATCH_S)
