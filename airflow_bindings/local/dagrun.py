"""``teamspark dags run``: one run of one DAG in the workspace's Airflow, to its end."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from airflow_bindings.export import Bundle, bundles_of, dag_file
from airflow_bindings.local.drive import Driver, Leg
from airflow_bindings.local.ports import export_ports
from airflow_bindings.local.telling import Talk, look_closer, tell_outputs, told_facts
from airflow_bindings.local.workspace import Ground, kept_or_started, premises
from framework.cli import show
from framework.errors import ConfigError
from framework.servers.signals import interruptible
from framework.tenancy.model import Teams

# A task may wait for another team's output, and Ctrl-C ends it at any time.
PATIENCE_S: Final = 4 * 3600.0


def run_dag(workspace: Path, teams: Teams, leg: Leg, *, ground: Ground) -> None:
    """Run it, with progress on stderr; then its outputs. ``ground`` as in ``premises``.

    Raises: ConfigError when there is no such DAG or its file does not load, JobFailed with the end of the failed
    task's log, ServerFailed.
    """
    talk = Talk()
    with interruptible():
        # Seconds, where Airflow's own answer takes a minute of starting.
        file = require_dag(workspace, leg, talk)
        teams.team(leg.team)
        with premises(workspace, teams, ground, talk) as place:
            with kept_or_started(place, talk) as live:
                driver = Driver(live, talk, timeout_s=PATIENCE_S)
                driver.refresh(leg)
                driver.await_dags({leg.dag_id: leg.team}, live.since, file=file)
                arrivals = driver.travel([[leg]])
                rows = told_facts(live, place, arrivals)
            talk("the run has succeeded")
            tell_outputs(rows, place.world)
            for line in look_closer(rows, place):
                show.say(line)


def require_dag(workspace: Path, leg: Leg, say: Callable[[str], None]) -> str:
    """The DAG's file within its bundle. Raises: ConfigError."""
    bundle = _bundle(workspace, leg)
    with tempfile.TemporaryDirectory(prefix="teamspark-") as folder:
        export_ports(workspace, Path(folder), say)
        return dag_file(bundle, leg.dag_id, Path(folder), date=leg.date)


def _bundle(workspace: Path, leg: Leg) -> Bundle:
    bundles = {bundle.team: bundle for bundle in bundles_of(workspace)}
    if leg.team not in bundles:
        raise ConfigError(
            "no team has such a DAG",
            got=leg.dag_id,
            expected=f"an id that starts with {', '.join(f'{team}.' for team in bundles)}",
            next_step="write one: teamspark new dag <team> <name>",
        )
    return bundles[leg.team]
