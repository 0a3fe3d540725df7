"""``teamspark cache``: a team's cache: started and ended on this machine, looked at, filled and emptied."""

from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, facts, remark, say, size, table
from framework.errors import ConfigError

if TYPE_CHECKING:
    from framework.cli.caching import Chosen

app = typer.Typer(no_args_is_help=True, help="Start, look at, fill and empty the cache before a team's store.")

Team = Annotated[str, typer.Option("--team", help="Whose cache.")]
TeamOfPath = Annotated[str | None, typer.Option("--team", help="Whose cache; by default that of the run's team.")]
Run = Annotated[str, typer.Argument(help="team/DAG id/task id/run[@attempt]; the run as date, moment or segment.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(ctx: typer.Context, team: Team) -> None:
    """Start the team's Alluxio on this machine, before its store, with the store's credentials of this environment."""
    from framework.cli.caching import start

    running = start(scope_of(ctx), team, notice=remark)
    say(f"the cache of team {team} is up: alluxio://{running.master}, before {running.store}")


@app.command()
def down(ctx: typer.Context, team: Team) -> None:
    """End it, and remove what it held. Nothing is lost: the store has everything."""
    from framework.cli.caching import stop

    ended = stop(scope_of(ctx), team)
    say(f"the cache of team {team} {'is down' if ended else 'was not up'}")


@app.command()
def status(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(help="A published run: what the cache holds of it.")] = None,
    team: TeamOfPath = None,
    json: Json = False,
) -> None:
    """Whether a team's cache is up and well (if not, exits with 1), or what it holds of a published run."""
    from framework.cli.caching import chosen, health_of

    if run is not None:
        _tell_held(chosen(scope_of(ctx), run, team), json=json)
        return
    if team is None:
        raise ConfigError(
            "whose cache?", got="neither a run nor --team", next_step="teamspark cache status --team TEAM"
        )
    health = health_of(scope_of(ctx), team)
    if json:
        as_json(health.to_json())
    else:
        say(f"{health.place}: {'well' if health.well else 'not well'}")
        facts(health.facts)
    if not health.well:
        raise typer.Exit(1)


@app.command()
def warm(
    ctx: typer.Context,
    run: Run,
    team: TeamOfPath = None,
    within: Annotated[float, typer.Option(min=1, help="Seconds it may take.")] = 600.0,
) -> None:
    """Bring a published run's files into the cache."""
    from framework.cli.caching import chosen

    what = chosen(scope_of(ctx), run, team)
    what.warm(within)
    _tell_held(what)


@app.command()
def pin(ctx: typer.Context, run: Run, team: TeamOfPath = None) -> None:
    """Keep a published run's files, once they are there, until they are freed."""
    from framework.cli.caching import chosen

    what = chosen(scope_of(ctx), run, team)
    what.pin()
    _tell_held(what)


@app.command()
def free(ctx: typer.Context, run: Run, team: TeamOfPath = None) -> None:
    """Let go of a published run's files, pinned or not. The store keeps them."""
    from framework.cli.caching import chosen

    what = chosen(scope_of(ctx), run, team)
    what.free()
    say(f"{len(what.paths)} file(s) let go of")


def _tell_held(what: "Chosen", *, json: bool = False) -> None:
    held = what.held()
    if json:
        as_json([{"path": one.path, "bytes": one.bytes, "hot": one.hot, "pinned": one.pinned} for one in held])
        return
    rows = [(one.path, size(one.bytes), size(one.hot), "pinned" if one.pinned else "") for one in held]
    table(("file", "size", "hot", "pinned"), rows, right=("size", "hot"))
    total, hot = sum(one.bytes for one in held), sum(one.hot for one in held)
    say(f"{size(hot)} of {size(total)} in the cache, {len(held)} file(s)")
