"""A local stack's settings, and the environment variables they mean. Pure: no I/O, no clock, no randomness."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from airflow_bindings.local.secrets import Secrets
from framework.servers.ports import HOST

ADMIN: Final = "admin"
PARALLELISM: Final = 2
# What a parent process may have set for another Airflow must not reach this one; nor may the keys of whoever starts it:
# no process that teams share has any to a store.
FOREIGN: Final = ("AIRFLOW_", "_AIRFLOW_", "AIRFLOW__", "AWS_")
LOCAL_BUNDLE: Final = "airflow.dag_processing.bundles.local.LocalDagBundle"


@dataclass(frozen=True, slots=True)
class TeamBundle:
    """One team and the directory its DAG files are in."""

    team: str
    dags: Path


@dataclass(frozen=True, slots=True)
class AirflowStack:
    """What decides how a local Airflow runs.

    ``home`` holds everything it writes: database, logs, secrets. ``port`` is its API's, on this machine only.
    ``parallelism`` is the number of tasks at once, over all teams. ``triggerers``: one per team, about
    250 MB each; without them a deferred task waits for ever. ``extra`` are further environment variables of
    all components; they cannot replace what the stack itself sets. ``kubeconfigs``: each team's way to a cluster.
    """

    home: Path
    bundles: tuple[TeamBundle, ...]
    port: int
    parallelism: int = PARALLELISM
    triggerers: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    kubeconfigs: Mapping[str, Mapping[str, Any]] = field(repr=False, default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def teams(self) -> tuple[str, ...]:
        return tuple(bundle.team for bundle in self.bundles)

    @property
    def users(self) -> tuple[str, ...]:
        """One user per team, named as the team, and an administrator."""
        return (ADMIN, *self.teams)


def environment(stack: AirflowStack, secrets: Secrets, inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of every component, without connections.

    From ``inherited`` comes what is not Airflow's: ``PATH``, ``HOME``, ``JAVA_HOME``. The stack's own
    settings are applied last.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(FOREIGN)}
    named = {f"AIRFLOW__{name.upper()}": value for name, value in _settings(stack, secrets).items()}
    return {**kept, **stack.extra, "AIRFLOW_HOME": str(stack.home), "no_proxy": _no_proxy(inherited), **named}


def connections(stack: AirflowStack) -> dict[str, str]:
    """Each team's connections: only for the API server, which hands them out team by team.

    LocalExecutor tasks inherit the scheduler's environment; a connection there would be every team's.
    """
    spark = json.dumps({"conn_type": "spark", "host": "local[2]"})
    found = {_variable(team, "SPARK"): spark for team in stack.teams}
    for team, config in stack.kubeconfigs.items():
        told = {"conn_type": "kubernetes", "extra": {"kube_config": config}}
        found[_variable(team, "KUBERNETES")] = json.dumps(told)
    return found


def _variable(team: str, name: str) -> str:
    return f"AIRFLOW_CONN__{team.upper()}___{team.upper()}__{name}"


def _no_proxy(inherited: Mapping[str, str]) -> str:
    before = inherited.get("no_proxy") or inherited.get("NO_PROXY") or ""
    return ",".join(filter(None, [before, HOST, "localhost"]))


def _settings(stack: AirflowStack, secrets: Secrets) -> dict[str, str]:
    """Airflow's settings as ``section__key``: who may come in, where things are, and how fast to look."""
    return {
        **_tenancy(stack),
        **_places(stack),
        "api_auth__jwt_secret": secrets.jwt,
        "api__secret_key": secrets.api,
        "core__fernet_key": secrets.fernet,
        "core__executor": "LocalExecutor",
        "core__parallelism": str(stack.parallelism),
        "core__load_examples": "False",
        "api__workers": "1",
        # Runs are made by whoever asks over REST: a schedule of past dates must not start its own.
        "scheduler__use_job_schedule": "False",
        # Every look costs two small cores something that the tasks would use.
        "scheduler__scheduler_idle_sleep_time": "1",
        "dag_processor__refresh_interval": "10",
        "dag_processor__min_file_process_interval": "30",
        "dag_processor__parsing_processes": "1",
        "usage_data_collection__enabled": "False",
    }


def _tenancy(stack: AirflowStack) -> dict[str, str]:
    users = [f"{ADMIN}:admin", *(f"{team}:user:{team}" for team in stack.teams)]
    return {
        "core__multi_team": "True",
        "core__simple_auth_manager_users": ",".join(users),
        "core__simple_auth_manager_passwords_file": str(stack.home / "passwords.json"),
        "dag_processor__dag_bundle_config_list": json.dumps([_bundle(bundle) for bundle in stack.bundles]),
    }


def _bundle(bundle: TeamBundle) -> dict[str, object]:
    return {
        "name": bundle.team,
        "classpath": LOCAL_BUNDLE,
        "kwargs": {"path": str(bundle.dags)},
        "team_name": bundle.team,
    }


def _places(stack: AirflowStack) -> dict[str, str]:
    return {
        "database__sql_alchemy_conn": f"sqlite:///{stack.home}/airflow.db",
        "logging__base_log_folder": str(stack.home / "logs"),
        "api__host": HOST,
        "api__port": str(stack.port),
        "api__base_url": stack.url,
        # Follows the port; without it tasks would ask port 8080.
        "core__execution_api_server_url": f"{stack.url}/execution/",
    }
