"""``teamspark team``: what a team file makes of a cluster."""

from typing import Annotated

import typer

from framework.cli.scope import scope_of
from framework.errors import ConfigError

app = typer.Typer(help="A team's part of a cluster, from its file.", no_args_is_help=True)


@app.callback()
def team() -> None:
    """A team's part of a cluster, from its file."""


@app.command()
def render(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The team; without, what is one for all teams.")] = None,
) -> None:
    """Print Kubernetes objects as YAML, for kubectl apply --server-side -f -.

    What is one for all teams (the kind of the limits, and the admission policies) goes first, once. The same files give the
    same bytes.
    """
    from k8s.platform import load_platform
    from k8s.render.objects import as_yaml
    from k8s.render.team import cluster_objects, team_objects

    scope = scope_of(ctx)
    if name is None:
        typer.echo(as_yaml(cluster_objects()), nl=False)
    else:
        teams = scope.teams
        if loose := tuple(teams.loose_grants()):
            raise ConfigError(
                "grants to nobody",
                details=loose,
                next_step="mend the names, or take out what was granted to a team that is gone",
            )
        objects = team_objects(teams.team(name), load_platform(scope.workspace))
        typer.echo(as_yaml(objects), nl=False)
