"""The Airflow of a workspace: its teams' DAG files as they are on disk, with everything it writes below one folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from airflow_bindings.contracts import SETTING
from airflow_bindings.export import bundles_of
from airflow_bindings.local import archive
from airflow_bindings.local.attach import findable, kept
from airflow_bindings.local.ports import export_anew, export_ports, fingerprint
from airflow_bindings.local.settings import AirflowStack, TeamBundle
from airflow_bindings.local.supervisor import Running, Say, running
from framework.servers.ports import free_port
from framework.world import World

HOME: Final = ".teamspark/demo"
WATCH_S: Final = 1.0


def contracts_folder(workspace: Path) -> Path:
    return workspace / HOME / "contracts"


def launches_folder(workspace: Path) -> Path:
    return workspace / HOME / "launches"


def stack_of(workspace: Path, world: World) -> AirflowStack:
    """A bundle for each team that has DAG files here. Raises: ConfigError when there is no such folder."""
    bundles = tuple(TeamBundle(one.team, one.path) for one in bundles_of(workspace) if one.team in world.teams.by_name)
    return AirflowStack(
        home=workspace / HOME / "airflow",
        bundles=bundles,
        port=free_port(),
        extra={
            "AIRFLOW__TEAMSPARK__WORKSPACE": str(workspace),
            "AIRFLOW__TEAMSPARK__STATE_DIR": str(launches_folder(workspace)),
            "AIRFLOW__TEAMSPARK__SHORT_JOBS": "True",
            SETTING: str(contracts_folder(workspace)),
        },
    )


@contextmanager
def started(workspace: Path, world: World, say: Say) -> Iterator[Running]:
    """The workspace's Airflow and Spark's class-data archive, ready; both stopped with the block."""
    with archive.being_built(workspace / HOME / "archive.log") as part:
        export_ports(workspace, contracts_folder(workspace), say)
        with running(stack_of(workspace, world), launches=launches_folder(workspace), say=say) as live:
            archive.await_built(part, say)
            yield live


@contextmanager
def kept_or_started(workspace: Path, world: World, say: Say) -> Iterator[Running]:
    """The Airflow that another process keeps for this workspace; without one, as ``started``."""
    live = kept(stack_of(workspace, world))
    if live is None:
        with started(workspace, world, say) as live:
            yield live
        return
    say(f"using the Airflow that is running: {live.stack.url}")
    export_ports(workspace, contracts_folder(workspace), say)
    # What it read before knew the jobs as they were.
    yield replace(live, since=datetime.now(UTC))


def keep(live: Running, workspace: Path, say: Say) -> None:
    """Keep it up until told to go, DAG files compared with the jobs as they are now. Raises: ServerFailed."""
    seen = fingerprint(workspace)
    with findable(live):
        while True:
            live.check()
            now = fingerprint(workspace)
            if now != seen:
                export_anew(workspace, contracts_folder(workspace))
                say("the jobs have changed: DAG files are compared with them within half a minute")
            seen = now
            time.sleep(WATCH_S)
