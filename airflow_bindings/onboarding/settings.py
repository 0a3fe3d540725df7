"""What an Airflow deployment is told about its teams: environment variables, as a pure function of the team files."""

import json
from collections.abc import Iterable
from typing import Final

from framework.tenancy.names import Names

EXECUTOR: Final = "KubernetesExecutor"
_BUNDLE: Final = "airflow.providers.git.bundles.git.GitDagBundle"


def settings(teams: Iterable[str], api: str) -> dict[str, str]:
    """``teams`` in any order. ``api``: the execution API's address.

    An executor of a team inherits nothing: where the API is has to be said to each again.
    """
    names = sorted(teams)
    common = {
        "AIRFLOW__CORE__MULTI_TEAM": "True",
        "AIRFLOW__CORE__EXECUTOR": ";".join([EXECUTOR, *(f"{name}={EXECUTOR}" for name in names)]),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": api,
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle(name) for name in names]),
    }
    own = [pair for name in names for pair in _of_team(name, api)]
    return {**common, **dict(own)}


def _of_team(name: str, api: str) -> list[tuple[str, str]]:
    before = f"AIRFLOW__{name.upper()}___"
    return [
        (f"{before}CORE__EXECUTION_API_SERVER_URL", api),
        (f"{before}KUBERNETES_EXECUTOR__NAMESPACE", Names(name).airflow_namespace),
    ]


def bundle(team: str) -> dict[str, object]:
    """The team's DAG files: a connection of the team knows the repository."""
    kwargs = {"git_conn_id": Names(team).connection("dags"), "tracking_ref": "main"}
    return {"name": team, "classpath": _BUNDLE, "kwargs": kwargs, "team_name": team}


def processes(teams: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Unix user and command of what runs per team: author code is parsed, and waits, as nobody else's user."""
    found = [
        part
        for name in sorted(teams)
        for part in (
            (f"airflow-{name}", ("airflow", "dag-processor", "--bundle-name", name)),
            (f"airflow-{name}", ("airflow", "triggerer", "--team-name", name)),
        )
    ]
    return tuple(found)
