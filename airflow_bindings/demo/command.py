"""``teamspark demo``: everything in order, progress while it works, the table at the end."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from airflow_bindings.demo.drive import DONE, Arrival, Driver
from airflow_bindings.demo.facts import TaskFacts, task_facts
from airflow_bindings.demo.itinerary import DAGS, MAX_DAYS, Leg, itineraries
from airflow_bindings.demo.landing import installed_data, land
from airflow_bindings.demo.ports import export_ports
from airflow_bindings.local import processes
from airflow_bindings.local.settings import AirflowStack, TeamBundle
from airflow_bindings.local.signals import interruptible
from airflow_bindings.local.supervisor import Running, free_port, running
from framework.cli import show
from framework.cli.scope import scope_of
from framework.world import World

HOME: Final = ".teamspark/demo"
# Generous: a machine that is busy with other things is no failure.
PATIENCE_S: Final = 1200.0
PER_DAY_S: Final = 300.0
HEADS: Final = ("team", "dag", "task", "run", "attempt", "rows read", "rows written", "bytes", "seconds", "path")
NUMBERS: Final = ("attempt", "rows read", "rows written", "bytes", "seconds")
NOT_A_WALL: Final = (
    "Both teams' tasks ran as processes of one user (LocalExecutor): that shows how things work, and keeps no team "
    "from another's data. The walls are the cluster's."
)

app = typer.Typer(help="Run two teams' DAGs of Spark jobs on real flights, in a real Airflow on this machine.")


@app.command()
def demo(
    ctx: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="Flight dates, from 2013-01-01 on.")] = 2,
    keep: Annotated[bool, typer.Option("--keep", help="Leave Airflow running until Ctrl-C.")] = False,
) -> None:
    """Run two teams' DAGs of Spark jobs on real flights, in a real Airflow on this machine."""
    workspace = scope_of(ctx).workspace
    talk = Talk(time.monotonic())
    with interruptible():
        written = land(installed_data(), workspace / HOME / "landing")
        talk(f"source data in {HOME}/landing ({len(written)} file(s) unpacked now)")
        world = World.of(workspace)
        with archive_being_built(workspace, talk) as archive, _airflow(workspace, world, talk) as live:
            arrivals = _drive(live, days, archive, talk)
            _tell(task_facts(world, arrivals), world, talk)
            if keep:
                _keep(live)


@dataclass
class Talk:
    """Tells what happens, on stderr, with the seconds since the start. Also watches the runs."""

    began: float
    told: set[tuple[Leg, str, int]] = field(default_factory=set)

    def __call__(self, text: str) -> None:
        show.remark(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def started(self, leg: Leg, *, again: bool) -> None:
        self(f"{leg}: {'cleared, running again' if again else 'started'}")

    def looked(self, leg: Leg, instances: Sequence[Mapping[str, Any]]) -> None:
        done = [one for one in instances if one["state"] in DONE]
        for one in done:
            name = (leg, str(one["task_id"]), int(one["map_index"]))
            if name not in self.told:
                self.told.add(name)
                took = f"{one['duration'] or 0:.1f} s"
                self(f"{leg}: {one['task_id']} {one['state']} in {took} ({len(done)} of {len(instances)})")


@contextmanager
def archive_being_built(workspace: Path, talk: Talk) -> Iterator[processes.Started]:
    """Spark's class-data archive, being built beside everything else; gone with the block."""
    command = [sys.executable, "-m", "airflow_bindings.demo.classes"]
    part = processes.start("archive", command, os.environ, workspace / HOME / "archive.log")
    try:
        yield part
    finally:
        processes.end_session(part.session)
        part.process.wait()


def _airflow(workspace: Path, world: World, talk: Talk) -> Any:
    home, launches = workspace / HOME / "airflow", workspace / HOME / "launches"
    dags = workspace / "airflow_bindings" / "dags"
    teams = [team for team in sorted(world.teams.by_name) if (dags / team).is_dir()]
    export_ports(workspace, {team: dags / team for team in teams})
    stack = AirflowStack(
        home=home,
        bundles=tuple(TeamBundle(team, dags / team) for team in teams),
        port=free_port(),
        extra={
            "AIRFLOW__TEAMSPARK__WORKSPACE": str(workspace),
            "AIRFLOW__TEAMSPARK__STATE_DIR": str(launches),
            "AIRFLOW__TEAMSPARK__SHORT_JOBS": "True",
        },
    )
    return running(stack, launches=launches, say=talk)


def _drive(live: Running, days: int, archive: processes.Started, talk: Talk) -> list[Arrival]:
    driver = Driver(live, talk, timeout_s=PATIENCE_S + PER_DAY_S * days)
    driver.await_dags({dag.dag_id: dag.team for dag in DAGS}, since=live.since)
    _await_archive(archive, talk)
    return driver.travel(itineraries(days))


def _await_archive(archive: processes.Started, talk: Talk) -> None:
    """Runs that start before the archive is there would each build their own."""
    if archive.process.poll() is None:
        talk("waiting for Spark's class-data archive (built once, about 40 s)")
    code = archive.process.wait()
    if code:
        talk(f"no class-data archive (exit code {code}): runs start slower; see {archive.log}")


def _tell(rows: Sequence[TaskFacts], world: World, talk: Talk) -> None:
    talk("all runs published")
    show.say()
    show.table(HEADS, (_cells(row) for row in rows), right=NUMBERS)
    roots = sorted({world.store(row.key.team).root for row in rows})
    show.say(f"\nPaths are below {', '.join(roots)}.")
    show.say(f"{NOT_A_WALL}\n")
    for line in _next_steps(rows):
        show.say(line)


def _cells(row: TaskFacts) -> tuple[object, ...]:
    key, numbers = row.key, (f"{row.rows_read:,}", f"{row.rows_written:,}", show.size(row.bytes_written))
    return (key.team, key.dag_id, key.task_id, key.run, row.attempt, *numbers, f"{row.seconds:.1f}", row.path)


def _next_steps(rows: Sequence[TaskFacts]) -> Iterator[str]:
    yield "What to try next:"
    yield "  make demo                  again: the same paths get their next attempt, and downstream reads it"
    yield "  make demo ARGS=--keep      stays up: look at the DAGs in Airflow's own pages"
    if rows:
        yield f"  teamspark outputs ls {rows[0].key.task}"


def _keep(live: Running) -> None:
    show.say(f"\nAirflow is at {live.stack.url}; users and passwords: {live.stack.home / 'passwords.json'}")
    show.say("Ctrl-C stops it.")
    while True:
        live.check()
        time.sleep(1)
