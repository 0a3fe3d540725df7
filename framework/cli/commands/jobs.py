"""``teamspark jobs``: which jobs there are, and their contracts as a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, remark, say, table

if TYPE_CHECKING:
    from framework.job import JobContract

app = typer.Typer(no_args_is_help=True, help="List the jobs, or export their contracts.")

Team = Annotated[str | None, typer.Argument(help="Only this team's jobs.")]


@app.command("list")
def list_jobs(
    ctx: typer.Context,
    team: Team = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Every job of the workspace with its ports and parameters. Broken ones are told on stderr, and exit with 1."""
    from framework.cli.discovery import discover

    scope = scope_of(ctx)
    with scope.importing():
        found = discover(scope.workspace, team)
    if json:
        as_json([_line(one) for one in found.contracts])
    elif found.contracts:
        heads = ("job", "inputs", "outputs", "parameters")
        table(heads, [list(_line(one).values())[: len(heads)] for one in found.contracts])
    else:
        say("no jobs yet: teamspark new job <team> <name>")
    for one in found.broken:
        remark(f"{one.where}: {one.error}", style="red")
    if found.broken:
        raise typer.Exit(1)


def _line(contract: "JobContract") -> dict[str, str]:
    inputs = [f"{port.name}{'?' if port.optional else ''}: {port.schema.name}" for port in contract.inputs]
    return {
        "job": contract.job,
        "inputs": ", ".join(inputs),
        "outputs": ", ".join(f"{port.name}: {port.schema.name}" for port in contract.outputs),
        "parameters": ", ".join(contract.parameters.get("properties", {})),
        "description": contract.description,
        "contract": contract.hash,
    }


@app.command("export")
def export(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option(help="The file to write; by default standard output.")] = None,
    team: Team = None,
) -> None:
    """The contracts as JSON (jobs.json): ports, schemas, checks, parameters and hash. Refused while one is broken."""
    from framework.cli.discovery import discover
    from framework.exports import JobsExport

    scope = scope_of(ctx)
    with scope.importing():
        contracts = discover(scope.workspace, team).require_whole()
    data = JobsExport.of(contracts).model_dump(mode="json")
    if out is None:
        as_json(data)
        return
    write_json(out, data)
    remark(f"{len(contracts)} job(s) written to {out}")


def write_json(path: Path, data: object) -> None:
    """``data`` under ``path``, whole or not at all. Raises: ConfigError where nothing can be written."""
    import json
    import os

    from framework.errors import ConfigError

    whole = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        whole.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        whole.replace(path)
    except OSError as error:
        raise ConfigError("cannot write this file", got=str(path), expected=error.strerror) from error
