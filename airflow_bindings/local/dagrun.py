"""``teamspark dags run``: one run of one DAG in the workspace's Airflow, to its end."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from airflow_bindings.export import Bundle, bundles_of, dag_file
from airflow_bindings.local.drive import Driver, Leg
from airflow_bindings.local.facts import task_facts
from airflow_bindings.local.ports import export_ports
from airflow_bindings.local.signals import interruptible
from airflow_bindings.local.telling import Talk, look_closer, tell_outputs
from airflow_bindings.local.workspace import kept_or_started
from framework.cli import show
from framework.errors import ConfigError
from framework.world import World

# A task may wait for another team's output, and Ctrl-C ends it at any time.
PATIENCE_S: Final = 4 * 3600.0


def run_dag(workspace: Path, dag_id: str, date: datetime) -> None:
    """Run it, with progress on stderr; then its outputs.

    Raises: ConfigError when there is no such DAG or its file does not load, JobFailed with the end of the failed
    task's log, ServerFailed.
    """
    leg = Leg(dag_id.partition(".")[0], dag_id, date)
    world, talk = World.of(workspace), Talk()
    with interruptible():
        # Seconds, where Airflow's own answer takes a minute of starting.
        file = require_dag(workspace, leg, talk)
        with kept_or_started(workspace, world, talk) as live:
            driver = Driver(live, talk, timeout_s=PATIENCE_S)
            driver.refresh(leg)
            driver.await_dags({dag_id: leg.team}, live.since, file=file)
            arrivals = driver.travel([[leg]])
        rows = task_facts(world, arrivals)
        talk("the run has succeeded")
        tell_outputs(rows, world)
        for line in look_closer(rows):
            show.say(line)


def require_dag(workspace: Path, leg: Leg, say: Callable[[str], None]) -> str:
    """The DAG's file within its bundle. Raises: ConfigError."""
    bundle = _bundle(workspace, leg)
    with tempfile.TemporaryDirectory(prefix="teamspark-") as folder:
        export_ports(workspace, Path(folder), say)
        return dag_file(bundle, leg.dag_id, Path(folder))


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
