"""``teamspark run``: one run of a job on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.scope import Scope, scope_of
from framework.cli.show import as_json, remark, say

if TYPE_CHECKING:
    from framework.cli.asking import Prepared
    from framework.cli.running import Compared
    from framework.config import RunResult

app = typer.Typer()

JobArgument = Annotated[str, typer.Argument(help="jobs.<team>.<module>:<Class>")]
DateOption = Annotated[str | None, typer.Option(help="The logical date: 2013-01-01, or a moment.")]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="PORT=FROM",
        help="A .csv or .json file, a folder with in.PORT.*, of Files a folder, or a published output: team/dag/task[:output].",
    ),
]
FixturesOption = Annotated[
    Path | None,
    typer.Option(help="A case: in.* feed the ports, case.yaml says run and parameters, out.* are compared."),
]
ParamOption = Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the job.")]
CommandOption = Annotated[
    str | None,
    typer.Option(
        "--command",
        help="Of a Contract: what runs here in place of its image, as words of one text; no shell reads them.",
    ),
]
ConfOption = Annotated[list[str] | None, typer.Option("--conf", metavar="KEY=VALUE", help="A Spark setting.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def run(  # noqa: PLR0913, PLR0917  typer makes an option of each argument
    ctx: typer.Context,
    job: JobArgument,
    date: DateOption = None,
    inputs: InputOption = None,
    fixtures: FixturesOption = None,
    params: ParamOption = None,
    conf: ConfOption = None,
    command: CommandOption = None,
    json: JsonOption = False,
) -> None:
    """Run a job here, as it would run in production; it writes only below .teamspark/. Exits with 1 when a case differs."""
    from framework.cli.asking import Ask, prepare

    scope = scope_of(ctx)
    ask = Ask(job, date, tuple(inputs or ()), fixtures, tuple(params or ()), tuple(conf or ()), command)
    with scope.importing():
        prepared = prepare(ask, scope.workspace)
        for note in prepared.notes:
            remark(note, style="yellow")
        result, compared = _run(scope, prepared, json=json)
    if json:
        told = None if result is None else result.model_dump(mode="json")
        as_json({"result": told, "root": scope.local_store.root, "case": compared and compared.to_json()})
    else:
        _tell(scope, result, compared)
    if compared and compared.differences:
        raise typer.Exit(1)


def _run(scope: Scope, prepared: "Prepared", *, json: bool) -> "tuple[RunResult | None, Compared | None]":
    from framework.cli.app import INTERRUPTED
    from framework.cli.progress import bar
    from framework.cli.running import compare, published_by, run_here, told_of
    from framework.errors import TeamsparkError
    from framework.report import failed

    world = scope.connected.writing_to(scope.local_store)
    root = scope.local_store.root
    try:
        with bar() as shown:
            return compare(prepared, lambda: run_here(prepared, world, scope.workspace, shown), scope.local_store)
    except TeamsparkError as error:
        if json:
            result = failed(prepared.request.config, error)
            as_json({"result": result.model_dump(mode="json"), "root": root, "case": None})
        raise
    except KeyboardInterrupt:
        remark(f"interrupted; {told_of(published_by(prepared.request.config, scope.local_store))}", style="red")
        if json:
            as_json({"result": None, "root": root, "case": None})
        raise typer.Exit(INTERRUPTED) from None


def _tell(scope: Scope, result: "RunResult | None", compared: "Compared | None") -> None:
    from framework.report import lines

    if result is not None:
        for line in lines(result):
            say(line)
        say(f"  below    {scope.local_store.root}")
    if compared is None:
        return
    if compared.differences:
        for name, text in compared.differences.items():
            remark(f"{name}: {text}", style="red")
    elif compared.failed_as_told is not None:
        say(f"checks failed as the case says: {compared.failed_as_told}", style="green")
    else:
        say("as expected", style="green")
