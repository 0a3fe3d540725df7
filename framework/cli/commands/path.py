"""``teamspark path``: where a run's output is, and why there."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, facts, say, table

if TYPE_CHECKING:
    from framework.identity import RunKey

app = typer.Typer(no_args_is_help=True, help="Where a run's output is.")


@app.callback()
def root() -> None:
    """Where a run's output is."""


@app.command("explain")
def explain(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="team/DAG id/task id/run; the run as date, moment or segment.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Each segment of a run's path: what it is made of, and why it looks as it does."""
    from framework.cli.addresses import parse_attempt
    from framework.storage.paths import explain_path, run_path

    key = parse_attempt(run).key
    notes = explain_path(key)
    root_of = _root(ctx, key)
    if json:
        segments = [note._asdict() for note in notes]
        as_json({"path": run_path(key), "root": root_of, "segments": segments})
        return
    say(run_path(key), style="bold")
    table(("segment", "of", "why"), [(note.encoded, note.raw, note.why) for note in notes])
    facts([("below", root_of)])


def _root(ctx: typer.Context, key: "RunKey") -> Any:
    """The root of the team's store, where there is a workspace that knows the team; of a run of this machine this one's."""
    from framework.errors import TeamsparkError
    from framework.storage.paths import LOCAL_DAG

    scope = scope_of(ctx)
    try:
        return (scope.local_store if key.dag_id == LOCAL_DAG else scope.world.store(key.team)).root
    except TeamsparkError:
        return None
