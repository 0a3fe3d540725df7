"""``teamspark new``: a team, a job or a DAG that works as written."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.scope import scope_of
from framework.cli.show import remark, say

if TYPE_CHECKING:
    from framework.cli.scaffold import Scaffold

app = typer.Typer(no_args_is_help=True, help="Start a team, a job or a DAG from a working example.")


@app.command("team")
def new_team(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="3 to 30 of a-z 0-9, a letter first.")],
    owner: Annotated[str | None, typer.Option(help="Whom to ask: someone@example.org. Needed.")] = None,
    root: Annotated[
        str, typer.Option(help="Directory of its outputs; relative to the workspace.")
    ] = ".teamspark/store",
) -> None:
    """A team file. The current directory becomes a workspace if it is none."""
    from framework.cli import scaffold
    from framework.errors import ConfigError

    if owner is None:
        raise ConfigError(
            "a team has an owner, who is asked about its data",
            got=f"no --owner for {name}",
            next_step=f"teamspark new team {name} --owner you@example.org",
        )
    _write(scope_of(ctx).new_workspace, scaffold.new_team(name, owner=owner, root=root))


@app.command("job")
def new_job(
    ctx: typer.Context,
    team: Annotated[str, typer.Argument(help="The team; it must have a team file.")],
    name: Annotated[str, typer.Argument(help="snake_case: the module's name; the class is named after it.")],
    source: Annotated[
        bool, typer.Option("--source/--no-source", help="Fed by files from outside, or by another task.")
    ] = True,
) -> None:
    """A job with schemas, a fixture and its expected result. A schemas.py that is there stays as it is."""
    from framework.cli import scaffold

    scope = scope_of(ctx)
    scope.world.teams.team(team)
    _write(scope.workspace, scaffold.new_job(scope.workspace, team, name, source=source))
    if source:
        _remark_reads(scope.workspace, team, name, reads=scope.world.teams.team(team).reads)


def _remark_reads(workspace: Path, team: str, name: str, *, reads: tuple[str, ...]) -> None:
    places = {f"landing/{team}/*", f"landing/{team}/{name}/*", "landing/*"}
    if not places & set(reads):
        remark(f'next: allow its place in k8s/teams/{team}.yaml: add "landing/{team}/*" to reads')


@app.command("dag")
def new_dag(
    ctx: typer.Context,
    team: Annotated[str, typer.Argument(help="The team; it must have a team file.")],
    name: Annotated[str, typer.Argument(help="snake_case: the DAG becomes <team>.<name>, with one task of this name.")],
    job: Annotated[
        str | None, typer.Option(help="The job to run; by default jobs.<team>.<name> and its class.")
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", metavar="PORT=TASK", help="team/dag/task[:output] that feeds a port.")
    ] = None,
) -> None:
    """A daily DAG of one Spark task."""
    from framework.cli import scaffold
    from framework.cli.addresses import parse_output
    from framework.cli.options import pairs
    from framework.job import contract_of, load_job

    scope = scope_of(ctx)
    scope.world.teams.team(team)
    scaffold.check_name(name, what="DAG")
    with scope.importing():
        contract = contract_of(load_job(job or f"jobs.{team}.{name}:{scaffold.class_of(name)}"))
    fed = {port: parse_output(text) for port, text in pairs(inputs or (), option="--input").items()}
    _write(scope.workspace, scaffold.new_dag(team, name, contract, fed))


def _write(workspace: Path, scaffold: "Scaffold") -> None:
    from framework.cli.scaffold import write

    for place in write(workspace, scaffold):
        say(f"wrote {place}")
    for step in scaffold.next_steps:
        remark(f"next: {step}")
