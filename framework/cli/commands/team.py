"""``teamspark team``: what a team file makes of a cluster, a store and an Airflow; looked at first, then done."""

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, remark, say, table
from framework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework.cli.scope import Scope
    from framework.tenancy.layers import Layer, Prospect, Step
    from framework.tenancy.model import Teams

app = typer.Typer(
    help="A team, from its one file: looked at, applied, taken away, layer by layer.", no_args_is_help=True
)

DIFFERENT: Final = 1
TeamName: TypeAlias = Annotated[str, typer.Argument(help="The team.")]
LayerNames: TypeAlias = Annotated[
    list[str] | None, typer.Option("--layer", help="Only this layer (kubernetes, store, airflow); may be given again.")
]
KubeconfigOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="Of the cluster; by default KUBECONFIG, then ~/.kube/config.")
]
ContextOption: TypeAlias = Annotated[str | None, typer.Option(help="Which of the kubeconfig's contexts.")]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def team() -> None:
    """A team, from its one file: looked at, applied, taken away, layer by layer."""


@app.command()
def render(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The team; without, what is one for all teams.")] = None,
    layer: Annotated[str, typer.Option(help="kubernetes, store or airflow.")] = "kubernetes",
) -> None:
    """Print what other tools take: Kubernetes objects for kubectl apply --server-side -f -, documents of roles, settings.

    What is one for all teams goes first, once. The same files give the same bytes.
    """
    (one,) = _layers(ctx, [layer])
    teams = _sound(ctx)
    typer.echo(one.render(None if name is None else teams.team(name)), nl=False)


@app.command()
def plan(
    ctx: typer.Context,
    name: TeamName,
    layer: LayerNames = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    json: JsonOption = False,
) -> None:
    """Say what apply would do, in its order, and change nothing."""
    found, steps = _prospects(ctx, name, _layers(ctx, layer, kubeconfig, context))
    if json:
        as_json([_facts(step) for step in steps])
    else:
        _tell(steps, lines=False)
        _remarks(found)
        say(f"{len(steps)} steps; nothing was changed" if steps else f"'{name}' is as its file says")


@app.command()
def diff(
    ctx: typer.Context,
    name: TeamName,
    layer: LayerNames = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
) -> None:
    """Show where a team differs from its file, field by field. Exits with 1 when it does, or when somebody gave rights by hand."""
    found, steps = _prospects(ctx, name, _layers(ctx, layer, kubeconfig, context))
    _tell(steps, lines=True)
    _remarks(found)
    if steps or any(one.strays for one in found):
        raise typer.Exit(DIFFERENT)


@app.command()
def apply(
    ctx: typer.Context,
    name: TeamName,
    layer: LayerNames = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
) -> None:
    """Make a team what its file says: rights are taken first, then limits set, then rights given.

    It may be run again at any time, and goes on where it was cut off. Exit codes: 0 done; 64 something is in the way, and
    nothing was changed, or what was changed is told; 74 may work later.
    """
    from framework.tenancy.layers import perform

    found, steps = _prospects(ctx, name, _layers(ctx, layer, kubeconfig, context))
    perform(steps, lambda step: say(f"{step.layer:<10} {step}"), again=_again(ctx, "apply", name, layer))
    _remarks(found)
    say(f"'{name}' is as its file says: {len(steps)} steps done" if steps else f"'{name}' is as its file says")


@app.command()
def offboard(
    ctx: typer.Context,
    name: TeamName,
    do: Annotated[bool, typer.Option("--apply", help="Do it; without, only say what would be done.")] = False,
    layer: LayerNames = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
) -> None:
    """Take a team away: its rights first, then what runs, then its places. Its outputs stay.

    Its file may be there or not. Afterwards remove the file, and what others granted to the team (teamspark doctor).
    """
    from framework.identity import check_team
    from framework.tenancy.layers import in_order, perform

    scope = scope_of(ctx)
    try:
        _ = scope.teams  # read once, here
    except ConfigError as error:
        remark(f"{error}\nwithout them '{name}' is taken away all the same", style="yellow")
        scope = scope.without_teams()
    found = [one.farewell(check_team(name)) for one in _layers_of(scope, layer, kubeconfig, context)]
    steps = in_order(found)
    if do:
        perform(steps, lambda step: say(f"{step.layer:<10} {step}"), again=_again(ctx, "offboard --apply", name, layer))
    else:
        _tell(steps, lines=False)
    _remarks(found)
    if not steps:
        say(f"nothing of '{name}' is here; its outputs, if it had any, are where they were")
    elif do:
        say(f"{len(steps)} steps done; the outputs of '{name}' are where they were")
    else:
        remark("nothing was changed; do it with --apply")


@app.command("list")
def list_teams(
    ctx: typer.Context,
    layer: LayerNames = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    json: JsonOption = False,
) -> None:
    """Show every team that has a file or is in a layer: here, half, going; a dash is nothing."""
    scope = scope_of(ctx)
    present = {one.name: one.present() for one in _layers(ctx, layer, kubeconfig, context)}
    teams = sorted({*scope.teams.by_name, *(name for found in present.values() for name in found)})
    rows = [
        {"team": name, "file": name in scope.teams.by_name, **{key: found.get(name) for key, found in present.items()}}
        for name in teams
    ]
    if json:
        as_json(rows)
    else:
        table(("team", "file", *present), [[_cell(value) for value in row.values()] for row in rows])


@app.command()
def explain(
    ctx: typer.Context,
    name: TeamName,
    action: Annotated[str, typer.Argument(help="get, put, delete, list; a verb of Kubernetes; use.")],
    resource: Annotated[
        str,
        typer.Argument(
            help="s3://bucket/key; namespace/kind, as flights/pods; a file with a pod; connection:, variable:, pool: or dag:NAME."
        ),
    ],
    json: JsonOption = False,
) -> None:
    """Say what each layer decides, and by which rule; from the team files alone, without asking any server."""
    from framework.tenancy.layers import Question

    scope_of(ctx).teams.team(name)
    verdicts = [one.decide(Question(name, action, resource)) for one in _layers(ctx)]
    if all(one.allowed is None for one in verdicts) and not resource.endswith((".yaml", ".yml", ".json")):
        forms = [f"{one.layer}: {one.rule}" for one in verdicts]
        raise ConfigError("no layer knows what is asked", got=f"{action} {resource}", details=forms)
    if json:
        as_json([{"layer": one.layer, "allowed": one.allowed, "rule": one.rule} for one in verdicts])
        return
    words = {True: "allowed", False: "denied", None: "-"}
    table(("layer", "verdict", "rule"), [(one.layer, words[one.allowed], one.rule) for one in verdicts])


@app.command()
def schema() -> None:
    """Print the JSON Schema of a team file, for editors."""
    from framework.tenancy.model import Team

    typer.echo(jsons.dumps(Team.model_json_schema(), indent=2))


def _layers(
    ctx: typer.Context,
    names: "Sequence[str] | None" = None,
    kubeconfig: Path | None = None,
    context: str | None = None,
) -> "tuple[Layer, ...]":
    return _layers_of(scope_of(ctx), names, kubeconfig, context)


def _layers_of(
    scope: "Scope", names: "Sequence[str] | None", kubeconfig: Path | None, context: str | None
) -> "tuple[Layer, ...]":
    from framework.cli.layers import layers_of

    return layers_of(scope, names or (), kubeconfig=kubeconfig, context=context)


def _prospects(ctx: typer.Context, name: str, layers: "Sequence[Layer]") -> "tuple[list[Prospect], tuple[Step, ...]]":
    """What each layer found, and all steps in their order. Raises: what is in the way, before anything is done."""
    from framework.tenancy.layers import in_order

    mine = _sound(ctx).team(name)
    found = [one.prospect(mine) for one in layers]
    return found, in_order(found)


def _sound(ctx: typer.Context) -> "Teams":
    """Teams without a grant to nobody. Raises: ConfigError."""
    teams = scope_of(ctx).teams
    if loose := tuple(teams.loose_grants()):
        raise ConfigError(
            "grants to nobody",
            details=loose,
            next_step="mend the names, or take out what was granted to a team that is gone",
        )
    return teams


def _facts(step: "Step") -> dict[str, object]:
    facts = {"layer": step.layer, "phase": step.phase.name, "verb": step.verb, "what": step.what}
    return {**facts, "lines": list(step.lines)}


def _tell(steps: "Sequence[Step]", *, lines: bool) -> None:
    for step in steps:
        say(f"{step.layer:<10} {step.phase.name:<8} {step}")
        for line in step.lines if lines else ():
            say(f"    {line}")


def _remarks(found: "Sequence[Prospect]") -> None:
    for line in (line for one in found for line in (*one.strays, *one.remarks)):
        remark(line)


def _again(ctx: typer.Context, command: str, name: str, layers: "Sequence[str] | None") -> str:
    chosen = "".join(f" --layer {one}" for one in layers or ())
    return f"teamspark team {command} {name}{chosen} goes on where this ended"


def _cell(value: object) -> object:
    return {True: "yes", False: "no", None: "-"}.get(value, value) if isinstance(value, bool | None) else value
