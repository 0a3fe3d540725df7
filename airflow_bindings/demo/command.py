"""``teamspark demo``: everything in order, progress while it works, the table at the end."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import typer

from airflow_bindings.demo.itinerary import DAGS, MAX_DAYS, itineraries
from airflow_bindings.demo.landing import installed_data, land
from airflow_bindings.local import workspace as local
from airflow_bindings.local.drive import Arrival, Driver
from airflow_bindings.local.facts import TaskFacts
from airflow_bindings.local.supervisor import Running
from airflow_bindings.local.telling import Talk, look_closer, tell_outputs, told_facts
from framework.cli import show
from framework.cli.options import CacheOption, ClusterOption, StoreOption
from framework.cli.scope import scope_of
from framework.servers.signals import interruptible
from framework.tenancy.places import CacheKind

# Generous: a machine that is busy with other things is no failure.
PATIENCE_S: Final = 1200.0
PER_DAY_S: Final = 300.0
NOT_A_WALL: Final = (
    "Both teams' tasks ran as processes of one user (LocalExecutor): that shows how things work, and keeps no team "
    "from another's data. The walls are the cluster's."
)

A_WALL: Final = (
    "Each team's runs were pods of its own namespace, under its quota and the platform's policies, at the store by roles that "
    "their own tokens take on: neither team's pods reach the other's data, pods or logs."
)

app = typer.Typer(help="Run two teams' DAGs of Spark jobs on real flights, in a real Airflow on this machine.")


@app.command()
def demo(
    ctx: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="Flight dates, from 2013-01-01 on.")] = 2,
    store: StoreOption = None,
    cache: CacheOption = CacheKind.none,
    cluster: ClusterOption = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave Airflow running until Ctrl-C.")] = False,
) -> None:
    """Run two teams' DAGs of Spark jobs on real flights, in a real Airflow on this machine."""
    scope, talk = scope_of(ctx), Talk()
    with interruptible():
        written = land(installed_data(), scope.workspace / local.LANDING)
        talk(f"source data in {local.LANDING} ({len(written)} file(s) unpacked now)")
        ground = local.Ground(store, cache, cluster)
        with (
            local.premises(scope.workspace, scope.teams, ground, talk) as place,
            local.started(place, talk) as live,
        ):
            arrivals = _drive(live, days, talk)
            talk("all runs published")
            _tell(told_facts(live, place, arrivals), place)
            if keep:
                _say_kept(live, place)
                local.keep(live, place, talk)


def _drive(live: Running, days: int, talk: Talk) -> list[Arrival]:
    driver = Driver(live, talk, timeout_s=PATIENCE_S + PER_DAY_S * days)
    driver.await_dags({dag.dag_id: dag.team for dag in DAGS}, since=live.since)
    return driver.travel(itineraries(days))


def _tell(rows: Sequence[TaskFacts], place: local.Premises) -> None:
    tell_outputs(rows, place.world)
    show.say(f"{A_WALL if place.pods else NOT_A_WALL}\n")
    for line in _next_steps(rows, place):
        show.say(line)


def _next_steps(rows: Sequence[TaskFacts], place: local.Premises) -> Iterator[str]:
    yield "What to try next:"
    yield f"  {_make(place):36} again: the same paths get their next attempt, and downstream reads it"
    yield f"  {_make(place, '--keep'):36} stays up: look at the DAGs in Airflow's own pages"
    yield f"  teamspark dags run flights.daily --date 2013-01-03{place.option}"
    yield from look_closer(rows, place)


def _make(place: local.Premises, more: str = "") -> str:
    arguments = f"{place.option} {more}".strip()
    quote = "'" if " " in arguments else ""
    return f"make demo ARGS={quote}{arguments}{quote}" if arguments else "make demo"


def _say_kept(live: Running, place: local.Premises) -> None:
    show.say(f"\nAirflow is at {live.stack.url}; users and passwords: {live.stack.home / 'passwords.json'}")
    show.say(f"A DAG of yours, from another terminal: teamspark dags run <dag id> --date 2013-01-01{place.option}")
    show.say("Ctrl-C stops it.")
