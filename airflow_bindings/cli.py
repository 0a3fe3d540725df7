"""``teamspark dags``: the command line's view of DAG files."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from framework.cli.options import CacheOption, ClusterOption, StoreOption
from framework.cli.scope import scope_of
from framework.cli.show import remark
from framework.servers.signals import SIGNALLED
from framework.tenancy.places import CacheKind

app = typer.Typer(help="DAG files: what feeds what, and one run of one of them.", no_args_is_help=True)


@app.callback()
def dags() -> None:
    """DAG files: what feeds what, and one run of one of them."""


@app.command()
def export(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option(help="The file to write; default: the screen.")] = None,
) -> None:
    """Write the edges of all DAGs below airflow_bindings/dags/<team>/ as JSON, for `teamspark check`.

    Ports are those of the workspace's jobs as they are now. Exit codes: 0 written, 64 a DAG file does not load (every
    import error is told).
    """
    from airflow_bindings.export import bundles_of, export_edges
    from airflow_bindings.local.ports import export_ports

    workspace = scope_of(ctx).workspace
    with _import_errors_told(), tempfile.TemporaryDirectory(prefix="teamspark-") as ports:
        export_ports(workspace, Path(ports), remark)
        edges = export_edges(bundles_of(workspace), Path(ports))
    text = edges.model_dump_json(indent=2)
    if out is None:
        typer.echo(text)
        return
    out.write_text(f"{text}\n", encoding="utf-8")
    typer.echo(f"{len(edges.tasks)} tasks in {out}")


@app.command()
def run(
    ctx: typer.Context,
    dag_id: Annotated[str, typer.Argument(help="<team>.<name>")],
    date: Annotated[str, typer.Option(help="The logical date: 2013-01-01 (UTC), or a moment.")],
    store: StoreOption = None,
    cache: CacheOption = CacheKind.none,
    cluster: ClusterOption = False,
) -> None:
    """Run a DAG for one date in a local Airflow, as its team: the one that `demo --keep` left up, else one made for it.

    Exit codes: 0 every task succeeded, 64 no such DAG or its file does not load, 65 a task failed (the end of its log
    is told).
    """
    from airflow_bindings.local.dagrun import run_dag
    from airflow_bindings.local.drive import Leg
    from airflow_bindings.local.workspace import Ground
    from framework.cli.asking import parse_date

    given = parse_date(date)
    moment = given if isinstance(given, datetime) else datetime.combine(given, time())
    leg = Leg(dag_id.partition(".")[0], dag_id, moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    scope = scope_of(ctx)
    with _import_errors_told(), _interruption_told(leg.team):
        run_dag(scope.workspace, scope.teams, leg, ground=Ground(store, cache, cluster))


@app.command("database-roles")
def print_database_roles(
    ctx: typer.Context,
    database: Annotated[str, typer.Argument(help="The database's name, on a PostgreSQL.")],
    remove: Annotated[
        str | None, typer.Option(help="A team that is gone: what takes its roles away, and no more.")
    ] = None,
) -> None:
    """Print SQL for Airflow's database: a role for each component, and for each team where its code runs beside one.

    For psql, as a superuser, once the database is migrated; the same again changes nothing. Passwords are set apart.
    """
    from airflow_bindings.onboarding.postgres import connections_needed, removal, statements

    teams = tuple(scope_of(ctx).teams.by_name)
    if remove is None:
        typer.echo(f"-- max_connections of the server: {connections_needed(teams)} or more")
    for line in statements(teams, database) if remove is None else removal(remove):
        typer.echo(line)


@app.command()
def reconcile(ctx: typer.Context) -> None:
    """Find DAG ids that another team's bundle has taken over, in the Airflow of this environment. Exits with 1 when there are.

    Airflow keeps one row for an id, and whoever was read last has it. The tenancy policy refuses such a DAG; this finds those of
    before it was there.
    """
    import os

    from airflow_bindings.onboarding.layer import AirflowLayer
    from framework.tenancy.layers import Site

    scope = scope_of(ctx)
    found = AirflowLayer(Site(scope.workspace, scope.teams, dict(os.environ))).takeovers()
    for line in found:
        typer.echo(line)
    if found:
        raise typer.Exit(1)
    typer.echo("every DAG id is its own team's")


@contextmanager
def _interruption_told(team: str) -> Iterator[None]:
    try:
        yield
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > SIGNALLED:
            remark(f"interrupted: nothing goes on here; what was published stays: teamspark outputs ls {team}")
        raise


@contextmanager
def _import_errors_told() -> Iterator[None]:
    from airflow_bindings.export import DagsRefused

    try:
        yield
    except DagsRefused as error:
        for text in error.told:
            remark(text)
        raise
