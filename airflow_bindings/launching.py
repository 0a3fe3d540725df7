"""Where a task's run is started, and what it is told there: beside the worker, or as pods of the team.

The rest of a task's life is the same for both. Kubernetes' client is imported where it is used: a worker of one machine has none.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from airflow_bindings.admission import Admitted
from airflow_bindings.command import (
    container_command,
    credentials_of,
    driver_command,
    driver_environment,
    submit_options,
)
from airflow_bindings.edges import TaskSpec
from airflow_bindings.onboarding.rows import KUBERNETES
from airflow_bindings.settings import DRIVER, Settings
from airflow_bindings.state import LaunchState
from framework.config import CodeFacts
from framework.container.layout import POD
from framework.errors import ConfigError, SetupError, clip
from framework.job.digest import tree_digest
from framework.launch.base import CONFIG, CONNECTIONS, RESULT, Launcher, LaunchRequest, Program, step_command
from framework.launch.local import LocalLauncher
from framework.tenancy.images import wished
from framework.tenancy.kept import load_last_whole
from framework.tenancy.model import Team, Teams
from framework.tenancy.names import Names
from framework.tenancy.places import BucketStore


class Site(Protocol):
    """One of the two."""

    @property
    def launcher(self) -> Launcher: ...
    def request(self, admitted: Admitted, state: LaunchState, connections: bytes | None) -> LaunchRequest:
        """What the launch that ``state`` names is told. Raises: ConfigError, SetupError."""
        ...


def site_of(settings: Settings, team: str) -> Site:
    """Raises: ConfigError, SetupError when the team has no way to a cluster."""
    return Beside(settings) if settings.launcher == "local" else OnCluster(settings, team)


@dataclass(frozen=True)
class Beside:
    """On the worker's own machine."""

    settings: Settings

    @property
    def launcher(self) -> Launcher:
        return LocalLauncher(self.settings.state_dir)

    def request(self, admitted: Admitted, state: LaunchState, connections: bytes | None) -> LaunchRequest:
        run, settings, name = admitted.run, self.settings, _name(state)
        self._require_size(admitted)
        return LaunchRequest(
            name=name,
            key=run.key,
            epoch=state.epoch,
            clear_number=run.clear_number,
            command=self._command(admitted, connections=connections is not None),
            config=admitted.config(state.epoch),
            env=driver_environment(settings, self._spark(admitted, name), os.environ),
            directory=settings.workspace,
            connections=connections,
            credentials=credentials_of(settings, run.key.team),
        )

    def _require_size(self, admitted: Admitted) -> None:
        """A size counts for nothing here, but a word that no cluster would know is told. Raises: ConfigError."""
        from k8s.launch.sizes import unknown_size

        name, size = admitted.run.key.team, admitted.linked.spec.size
        if size is None:
            return
        teams = load_last_whole(self.settings.workspace, self.settings.team_files, lambda _: None)
        team = teams.team(name)
        if team.sizes and (wrong := unknown_size(team, size)):
            raise ConfigError("the team has no such size", where=teams.file(name), details=wrong)

    def _command(self, admitted: Admitted, *, connections: bool) -> tuple[str, ...]:
        """Raises: ConfigError for an image with nothing to run here in its place."""
        program = admitted.told.container
        if program is None:
            return driver_command(self.settings, connections=connections)
        if not program.command:
            raise ConfigError(
                "an image needs a cluster, and this task has no command to run here in its place",
                where=str(admitted.run.key),
                got=program.image,
                next_step='add local_command=["python", "score.py"], or run it as a pod: teamspark dags run ... --cluster',
            )
        return container_command(self.settings, connections=connections)

    def _spark(self, admitted: Admitted, name: str) -> tuple[str, ...]:
        return () if admitted.told.container else submit_options(admitted.run.key.team, name=name)


@dataclass(frozen=True)
class OnCluster:
    """In the team's namespace, as the team's own account may."""

    settings: Settings
    team: str

    @property
    def launcher(self) -> Launcher:
        from k8s.launch.launcher import Habits, KubernetesLauncher
        from k8s.launch.reading import Patience
        from k8s.standing import standing_of

        standing = standing_of(self.teams.team(self.team), self.platform)
        habits = Habits(patience=Patience(self.settings.pending_s))
        return KubernetesLauncher(cluster_of(self.team), self.team, standing, habits)

    @cached_property
    def platform(self) -> Any:
        from k8s.platform import load_platform

        return load_platform(self.settings.workspace)

    @cached_property
    def teams(self) -> Teams:
        return load_last_whole(self.settings.workspace, self.settings.team_files, lambda _: None)

    def request(self, admitted: Admitted, state: LaunchState, connections: bytes | None) -> LaunchRequest:
        from k8s.images.parts import PACKAGES
        from k8s.launch.parts import FILES, PLATFORM
        from k8s.launch.sizes import resources_of

        run, teams = admitted.run, self.teams
        # The image's own word for what is a module elsewhere.
        words = ("driver",) if self.settings.driver == DRIVER else ("python3", "-m", self.settings.driver)
        more = ("--connections", CONNECTIONS) if connections is not None else ()
        team, spec = teams.team(self.team), admitted.linked.spec
        file = teams.file(self.team)
        # What a retry runs is what the first try ran: of a program, its own image.
        image = team.image if spec.program else state.image or _wished(spec, team.image, where=file)
        resources = resources_of(team, spec.size, image=image, file=file)
        program = _program(admitted, team, state.image, connections=more)
        # Of what is there as the run is launched; where the worker has DAG files only there is nothing to compare.
        code = CodeFacts(image=resources.image, digest=tree_digest(self.settings.workspace / "jobs", self.team))
        return LaunchRequest(
            name=_name(state),
            key=run.key,
            epoch=state.epoch,
            clear_number=run.clear_number,
            command=(*words, "--config", CONFIG, "--result", RESULT, "--platform", f"{FILES}/{PLATFORM}", *more),
            config=admitted.config(state.epoch, workspace=PACKAGES, team_files=f"{FILES}/teams", code=code),
            connections=connections,
            resources=resources if program is None else replace(resources, executors=0),
            program=program,
            files=dict(self._team_files(admitted)),
        )

    def _team_files(self, admitted: Admitted) -> Iterator[tuple[str, str]]:
        """The team's own file, with its cache where pods find it, and those of the teams that it reads of."""
        from framework.tenancy.render import as_yaml
        from k8s.render.cache import as_in_cluster

        read = {edge.team for edges in admitted.told.inputs.values() for edge in edges}
        for name in sorted({admitted.run.key.team, *read}):
            yield f"teams/{name}.yaml", as_yaml(as_in_cluster(self.teams.team(name), self.platform))


def _program(admitted: Admitted, team: Team, pinned: str | None, *, connections: tuple[str, ...]) -> Program | None:
    """The task's own image between two steps of ours. Raises: ConfigError for one that the team may not run."""
    told, spec = admitted.told, admitted.linked.spec
    if told.container is None:
        return None
    image = pinned or told.container.image
    if team.images and not team.may_run(image):
        raise ConfigError(
            "this image is not one of the team's", where=str(told.key), got=image, expected=", ".join(team.images),
            next_step="push it below one of these, or add its registry to images in the team file",
        )  # fmt: skip
    data = told.container.data or ("copy" if isinstance(team.store, BucketStore) else "volume")
    # Where nobody exported its contract: each has one that is called so.
    outputs = admitted.linked.outputs or spec.untyped or ("default", *spec.outputs)
    env = POD.variables(told.inputs, outputs)
    return Program(
        image,
        step_command("prepare", *connections),
        step_command("publish", *connections),
        env,
        opens_uris=data == "uri",
    )


def _wished(spec: TaskSpec, default: str | None, *, where: str) -> str | None:
    """Raises: ConfigError for a tag in a team without an image."""
    try:
        return wished(spec.image, spec.tag, default)
    except ValueError as error:
        raise ConfigError(
            "this task has no image", where=where, got=str(error), expected="image in the team file"
        ) from None


def cluster_of(team: str) -> Any:
    """The cluster as the team's connection ``<team>__kubernetes`` reaches it: from within, or by a kubeconfig in ``extra``.

    Raises: ConfigError for a connection that is missing or says neither; SetupError, ClusterUnavailable.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    name = Names(team).connection(KUBERNETES)
    try:
        extra = BaseHook.get_connection(name).extra_dejson
    except AirflowNotFoundException as error:
        raise ConfigError(
            "the team has no connection to a cluster",
            where=name,
            next_step=f"teamspark team apply {team} --layer airflow",
        ) from error
    return opened(extra, where=name)


def opened(extra: Mapping[str, Any], *, where: str) -> Any:
    """As the Kubernetes provider reads a connection: ``in_cluster``, ``kube_config_path`` or ``kube_config``, ``cluster_context``."""
    try:
        from k8s.client import Cluster
    except ImportError as error:
        raise SetupError(
            "there is no Kubernetes client here", got=clip(str(error)), next_step="install teamspark[k8s]"
        ) from error
    import yaml

    context = extra.get("cluster_context")
    if path := extra.get("kube_config_path"):
        return Cluster.of(Path(str(path)), context)
    if given := extra.get("kube_config"):
        data = yaml.safe_load(given) if isinstance(given, str) else given
        return Cluster.with_config(data, context, where=where)
    if extra.get("in_cluster"):
        return Cluster.within()
    raise ConfigError(
        "this connection leads to no cluster",
        where=where,
        got=f"extra with {', '.join(sorted(extra)) or 'nothing'}",
        expected="in_cluster, kube_config_path or kube_config",
    )


def _name(state: LaunchState) -> str:
    assert state.name is not None, "a launch is remembered before it is started"
    return state.name
