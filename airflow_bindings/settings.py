"""The platform's settings of these bindings: section ``[teamspark]`` of Airflow's configuration.

Read when a task runs, never at import. Airflow's own rules give the environment's names:
``AIRFLOW__TEAMSPARK__WORKSPACE`` and so on.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from framework.errors import ConfigError
from framework.tenancy.load import find_workspace

SECTION: Final = "teamspark"
DRIVER: Final = "framework.driver"
LauncherKind: TypeAlias = Literal["local", "kubernetes"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the platform decided for every team."""

    workspace: Path
    """Where ``k8s/teams`` and ``jobs`` are; runs start there. Default: at or above the working directory."""
    state_dir: Path
    """Where the local launcher keeps launches: a local disk. Default: ``<workspace>/.teamspark/launches``."""
    python: str
    """Interpreter of the jobs' environment (it has pyspark). Default: the one running Airflow."""
    driver: str
    """Module started for a run, with ``--config FILE --result FILE``. Default: ``framework.driver``."""
    poll_s: float
    """Seconds between two looks at a run. Default 1: short beside a JVM's start, cheap beside a file read."""
    pause_s: float
    """Shortest pause before a run starts again because an input was not there. Default 5; it grows with the wait."""
    lost_budget: int
    """How often one try starts again after the machine lost its run, unseen by the author's retries. Default 3."""
    short_jobs: bool
    """Start every run for jobs of seconds: quick compiler, serial collector. Default False: long jobs would crawl."""
    team_files: Path | None = None
    """The folder of the team files, where that is not the workspace's ``k8s/teams``: on a cluster they are mounted."""
    launcher: LauncherKind = "local"
    """Where runs are started: ``local``, beside the worker, or ``kubernetes``, as pods of the team. Default: local."""
    pending_s: float = 600.0
    """How long a pod may wait for a node, its image or its files before the try is given up. Default 600."""
    credentials: Path | None = None
    """The folder with a file of store credentials for each team, ``<team>.json``, which only that team's runs read.
    Default: none, a run's identity comes from where it runs (a service account's role)."""


def _launcher(given: str | None) -> LauncherKind:
    match given:
        case None | "" | "local":
            return "local"
        case "kubernetes":
            return "kubernetes"
    raise ConfigError(
        "no such launcher", where=f"[{SECTION}] launcher", got=given, expected=" or ".join(get_args(LauncherKind))
    )


def read_settings() -> Settings:
    """Raises: ConfigError when no workspace is configured and none is found, or for a launcher that there is not."""
    from airflow.sdk.configuration import conf

    named = conf.get(SECTION, "workspace", fallback=None)
    workspace = Path(named) if named else find_workspace(Path.cwd())
    state_dir = conf.get(SECTION, "state_dir", fallback=None)
    team_files = conf.get(SECTION, "team_files", fallback=None)
    credentials = conf.get(SECTION, "credentials", fallback=None)
    return Settings(
        workspace=workspace,
        launcher=_launcher(conf.get(SECTION, "launcher", fallback=None)),
        team_files=Path(team_files) if team_files else None,
        credentials=Path(credentials) if credentials else None,
        state_dir=Path(state_dir) if state_dir else workspace / ".teamspark" / "launches",
        python=conf.get(SECTION, "python", fallback=None) or sys.executable,
        driver=conf.get(SECTION, "driver", fallback=None) or DRIVER,
        poll_s=float(conf.get(SECTION, "poll_s", fallback=None) or 1.0),
        pause_s=float(conf.get(SECTION, "pause_s", fallback=None) or 5.0),
        lost_budget=int(conf.get(SECTION, "lost_budget", fallback=None) or 3),
        pending_s=float(conf.get(SECTION, "pending_s", fallback=None) or 600.0),
        short_jobs=conf.getboolean(SECTION, "short_jobs", fallback=False),
    )
