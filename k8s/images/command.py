"""``teamspark image``: what a team's drivers and executors run in, Airflow's workers, and caches; as an archive, and in a registry."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from framework.cli.scope import Scope, scope_of
from framework.cli.show import as_json, facts, remark, say
from framework.cli.words import words_of
from framework.errors import ConfigError

if TYPE_CHECKING:
    from k8s.images.parts import Builder
    from k8s.images.recipes import Recipe

_HELP: Final = "Images for a cluster: built here, without Docker, and pushed."
app = typer.Typer(help=_HELP, no_args_is_help=True)

LOCK: Final = "locks/jobs.txt"
TeamArgument = Annotated[str | None, typer.Argument(help="The team, whose jobs are in jobs/TEAM/.")]
AirflowOption = Annotated[bool, typer.Option("--airflow", help="What Airflow's workers run in, one for all teams.")]
CacheOption = Annotated[bool, typer.Option("--cache", help="What teams' caches run in, one for all teams.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def image() -> None:
    """Images for a cluster: built here, without Docker, and pushed."""


@app.command()
def build(  # noqa: PLR0913, PLR0917  typer makes an option of each argument
    ctx: typer.Context,
    team: TeamArgument = None,
    airflow: AirflowOption = False,
    cache: CacheOption = False,
    output: Annotated[
        Path | None, typer.Option(help="A folder for the archive; by default the user's cache.", file_okay=False)
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="What the name begins with; by default local/teamspark.", metavar="REGISTRY/PATH")
    ] = None,
    thin: Annotated[
        bool, typer.Option("--thin", help="Without the Spark image's layers, for nodes that have imported that one.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Build what is missing, and print name, digest and archive; the archive is for `ctr -n k8s.io images import`.

    The first build takes about two minutes and needs root, debootstrap and, for teams, a JDK 17; after a change of jobs only,
    seconds.
    """
    asked = Asked(team, airflow, cache)
    if cache and output is not None:
        raise ConfigError("this image is kept where images are", got="--output", expected="--cache without it")
    recipe = _recipe(scope_of(ctx), asked, output=output, prefix=prefix)
    if thin and recipe.thin is None:
        raise ConfigError("this image has none below it", got="--thin", expected="TEAM --thin")
    made = (recipe.thin if thin and recipe.thin else recipe.whole)()
    told = {"name": made.name, "digest": made.digest, "archive": str(made.archive)}
    if recipe.base is not None:
        base = recipe.base()
        told |= {"base": base.name, "base archive": str(base.archive)}
    if json:
        as_json({key.replace(" ", "_"): value for key, value in told.items()})
    else:
        facts(told.items())


@app.command()
def push(
    ctx: typer.Context,
    team: TeamArgument = None,
    airflow: AirflowOption = False,
    cache: CacheOption = False,
    to: Annotated[
        str | None,
        typer.Option(help="Where to; by default where the `image` of the team file is.", metavar="REGISTRY/PATH"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Push what `build` makes, and print its name, its digest and the line for the team file. Layers that are there are not sent.

    Needs skopeo. Logins are those of `skopeo login` and `docker login`.
    """
    from k8s.images.kept import images_home
    from k8s.images.places import airflow_place, cache_place, team_place
    from k8s.images.push import push as pushed
    from k8s.images.registry import Registry
    from k8s.platform import load_platform

    scope = scope_of(ctx)
    recipe = _recipe(scope, Asked(team, airflow, cache))
    if team is not None:
        place = team_place(scope.teams.team(team), scope.teams.file(team), to)
    else:
        place = (cache_place if cache else airflow_place)(load_platform(scope.workspace), to)
    done = pushed(Registry(os.environ, images_home(os.environ)), place, [*filter(None, [recipe.thin]), recipe.whole])
    if json:
        as_json({"name": done.name, "digest": done.digest, "sent": done.sent, "image": done.pinned})
        return
    facts({"name": done.name, "digest": done.digest, "sent": "yes" if done.sent else "no, it was there"}.items())
    where, key = ("team", "image") if team else ("platform's", "cache_image") if cache else ("", "image")
    remark(f"in the {where} file:" if where else "in Airflow's deployment:")
    say(f"{key}: {done.pinned}")


@app.command()
def tool(  # noqa: PLR0913, PLR0917  typer makes an option of each argument
    ctx: typer.Context,
    team: Annotated[str, typer.Argument(help="The team whose tool it is.")],
    name: Annotated[str, typer.Argument(help="What the tool is called: small letters, digits, dashes.")],
    folder: Annotated[
        Path,
        typer.Option("--from", help="A folder, which becomes /opt/tool in the image.", exists=True, file_okay=False),
    ],
    entrypoint: Annotated[str, typer.Option(help="What runs, in one text: 'python3 /opt/tool/score.py'.")],
    bare: Annotated[
        bool, typer.Option("--bare", help="Over nothing, for a static binary; else over Debian with Python.")
    ] = False,
    prefix: Annotated[
        str | None, typer.Option(help="What the name begins with; by default local/teamspark.", metavar="REGISTRY/PATH")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Push it there, below one of the team file's `images`.", metavar="REGISTRY/PATH/NAME"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Build an image of any program for ExecutionEnvironmentOperator, without Docker; print name, digest and archive.

    Names that begin with a dot are left out: nobody means to ship .git and .env. With --to it is pushed there (needs skopeo), and the
    line for the task is printed.
    """
    from k8s.images.kept import images_home
    from k8s.images.places import team_place
    from k8s.images.push import push as pushed
    from k8s.images.registry import Registry
    from k8s.images.tool import Tool, build_tool, folder_part, left_out, require_runnable

    scope, words = scope_of(ctx), words_of(entrypoint, where="--entrypoint")
    known = scope.teams.team(team)
    place = None if to is None else team_place(known, scope.teams.file(team), to)
    builder = _builder(scope, prefix)
    require_runnable(words, folder, bare=bare)
    below = () if bare else (builder.debian(),)
    if hidden := left_out(folder):
        remark(f"left out: {', '.join(hidden)}", style="yellow")
    made = build_tool(builder, Tool(team, name, (*below, folder_part(f"tool-{name}", folder)), words))
    told = {"name": made.name, "digest": made.digest, "archive": str(made.archive)}
    if place is not None:
        told["image"] = pushed(Registry(os.environ, images_home(os.environ)), place, [lambda: made]).pinned
    as_json(told) if json else facts(told.items())


def _builder(scope: Scope, prefix: str | None) -> "Builder":
    """Raises: ConfigError for a prefix that no registry has."""
    from framework.tenancy.images import check_repository
    from k8s.images.parts import PREFIX, Builder

    try:
        return Builder(
            os.environ, scope.workspace / LOCK, remark, check_repository(PREFIX if prefix is None else prefix)
        )
    except ValueError as error:
        raise ConfigError("no image can be called so", where="--prefix", got=prefix, expected=str(error)) from None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which image is meant."""

    team: str | None
    airflow: bool
    cache: bool


def _recipe(scope: Scope, asked: Asked, *, output: Path | None = None, prefix: str | None = None) -> "Recipe":
    """Of the one image that is asked for. Raises: ConfigError for none, for several, for a team without jobs."""
    from k8s.images.recipes import airflow_recipe, cache_recipe, team_recipe

    builder = _builder(scope, prefix)
    match asked:
        case Asked(str(team), False, False):
            return team_recipe(scope.workspace, team, builder, output)
        case Asked(None, True, False):
            return airflow_recipe(scope.workspace, builder, output)
        case Asked(None, False, True):
            return cache_recipe(builder)
    words = [asked.team, "--airflow" if asked.airflow else None, "--cache" if asked.cache else None]
    given = " ".join(filter(None, words)) or "nothing"
    raise ConfigError("one image at a time", got=given, expected="TEAM, --airflow or --cache")
