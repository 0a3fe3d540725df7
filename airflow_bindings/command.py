"""The command line and the environment of a local run.

The Spark provider's submit hook resolves the team's connection and writes the options; they reach Spark through
``PYSPARK_SUBMIT_ARGS``, because the driver plans before it starts a JVM, and ``spark-submit`` would start one first.
"""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from airflow_bindings.settings import Settings
from framework.errors import ConfigError, SetupError
from framework.launch.base import CONFIG, CONNECTIONS, RESULT

# What a run may see of the worker's environment. Airflow's own variables hold its signing and encryption keys.
PASSED: Final = (
    "HOME",
    "JAVA_HOME",
    "LANG",
    "LC_ALL",
    "PATH",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
)
_LOCAL: Final = re.compile(r"local(\[(\d+|\*)(,\s*\d+)?\])?")


def connection_id(team: str) -> str:
    return f"{team}__spark"


def submit_options(team: str, *, name: str) -> tuple[str, ...]:
    """The options of ``spark-submit`` for the team's connection, from ``--master`` on.

    The author's settings are not among them: they travel in the exported configuration, where the session knows them
    as the author's. Here ``--conf spark.master=...`` would pass for the connection's word.

    Raises: ConfigError when the connection is missing or is not of this machine.
    """
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    conn_id = connection_id(team)
    _require_connection(conn_id)
    hook = SparkSubmitHook(conn_id=conn_id, name=name)
    application = "-"
    command = hook._build_spark_submit_command(application)  # noqa: SLF001  its submit() blocks and cannot be adopted
    options = tuple(command[1 : command.index(application, len(command) - 1)])
    _require_local(conn_id, options)
    return options


def _require_connection(conn_id: str) -> None:
    """The hook itself would fall back to YARN in silence. Raises: ConfigError."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigError(
            "the team has no Spark connection",
            where=conn_id,
            expected="a connection of type spark, host local[2]",
            next_step=f"set AIRFLOW_CONN__<TEAM>___{conn_id.upper()} on the API server, or add it in the UI",
        ) from error


def _require_local(conn_id: str, options: tuple[str, ...]) -> None:
    master = options[options.index("--master") + 1]
    mode = options[options.index("--deploy-mode") + 1] if "--deploy-mode" in options else "client"
    if not _LOCAL.fullmatch(master) or mode != "client":
        raise ConfigError(
            "the local launcher runs Spark on this machine only",
            where=conn_id,
            got=f"master {master}, deploy mode {mode}",
            expected="host local[2] (any number of threads), deploy mode client",
        )


def driver_command(settings: Settings, *, connections: bool) -> tuple[str, ...]:
    """``connections``: whether any are handed over."""
    more = ("--connections", CONNECTIONS) if connections else ()
    return (settings.python, "-m", settings.driver, "--config", CONFIG, "--result", RESULT, *more)


def container_command(settings: Settings, *, connections: bool) -> tuple[str, ...]:
    """Of a task that runs another image: both steps of ours, and what runs on this machine in its place between them."""
    more = ("--connections", CONNECTIONS) if connections else ()
    return (settings.python, "-m", "framework.container", "local", "--config", CONFIG, "--result", RESULT, *more)


def driver_environment(settings: Settings, options: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a run; ``PATH`` begins with the jobs' own programs."""
    kept = {name: environ[name] for name in PASSED if name in environ}
    programs = str(Path(settings.python).parent)
    return kept | {
        "PATH": os.pathsep.join([programs, kept.get("PATH", os.defpath)]),
        "PYSPARK_PYTHON": settings.python,
        "PYSPARK_SUBMIT_ARGS": shlex.join([*options, "pyspark-shell"]),
    }


def credentials_of(settings: Settings, team: str) -> Path | None:
    """The file of the team's store credentials, which is not opened here: no Airflow process has them.

    Raises: SetupError where the platform hands out such files, and this team has none.
    """
    if settings.credentials is None:
        return None
    file = settings.credentials / f"{team}.json"
    if not file.is_file():
        raise SetupError(
            "the team has no credentials for its store",
            where=str(file),
            next_step="ask who runs this Airflow for the file, mode 0600: a JSON object of AWS_... variables",
        )
    return file
