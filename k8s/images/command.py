"""``teamspark image``: the image that a team's drivers and executors run in, as an archive."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, facts, remark

app = typer.Typer(help="Images of teams, for a cluster: built here, without Docker.", no_args_is_help=True)

LOCK: Final = "locks/jobs.txt"


@app.callback()
def image() -> None:
    """Images of teams, for a cluster: built here, without Docker."""


@app.command()
def build(
    ctx: typer.Context,
    team: Annotated[str, typer.Argument(help="The team, whose jobs are in jobs/TEAM/.")],
    output: Annotated[
        Path | None, typer.Option(help="A folder for the archive; by default the user's cache.", file_okay=False)
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="What the name begins with; by default local/teamspark.", metavar="REGISTRY/PATH")
    ] = None,
    thin: Annotated[
        bool, typer.Option("--thin", help="Without the Spark image's layers, for nodes that have imported that one.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build what is missing, and print name, digest and archive; the archive is for `ctr -n k8s.io images import`.

    The first build takes about two minutes and needs root, debootstrap and a JDK 17; after a change of jobs only, seconds.
    """
    from k8s.images.parts import PREFIX, Builder
    from k8s.images.spark import build_spark
    from k8s.images.team import build_team, code_part

    workspace = scope_of(ctx).workspace
    code_part(workspace, team)  # a name that is wrong is told before minutes are spent
    builder = Builder(os.environ, workspace / LOCK, remark, prefix or PREFIX)
    base = build_spark(builder)
    made = build_team(workspace, team, base, builder=builder, output=output, thin=thin)
    told = {"name": made.name, "digest": made.digest, "archive": str(made.archive)}
    told |= {"base": base.name, "base archive": str(base.archive)}
    if json:
        as_json({key.replace(" ", "_"): value for key, value in told.items()})
    else:
        facts(told.items())
