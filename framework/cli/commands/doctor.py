"""``teamspark doctor``: what is broken here, each line with its fix."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, say

if TYPE_CHECKING:
    from framework.cli.diagnosis import Diagnosis

app = typer.Typer()

MARKS = {"ok": ("ok    ", "green"), "note": ("note  ", "yellow"), "broken": ("BROKEN", "red")}


@app.command()
def doctor(
    ctx: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find what is broken on this machine, with the fix. Exits with 1 when something is."""
    from framework.cli.diagnosis import Machine, broken, diagnose

    scope = scope_of(ctx)
    with scope.importing():
        found = []
        machine = Machine.of_this_process(os.environ)
        for one in diagnose(machine, scope.workspace, scope.local_store, scope.team_files):
            found.append(one)
            if not json:
                _tell(one)
    if json:
        as_json([one.to_json() for one in found])
    if broken(found):
        raise typer.Exit(1)


def _tell(one: "Diagnosis") -> None:
    mark, style = MARKS[one.verdict]
    fix = f"; fix: {one.fix}" if one.verdict == "broken" else ""
    say(f"{mark} {one.probe}: {one.told}{fix}", style=style if one.verdict == "broken" else None)
