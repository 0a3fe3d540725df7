"""``teamspark explain``: what a run would do, without doing it."""

import os
from typing import TYPE_CHECKING, Any

import typer

from framework.cli.commands.run import (
    CommandOption,
    ConfOption,
    DateOption,
    FixturesOption,
    InputOption,
    JobArgument,
    JsonOption,
    ParamOption,
)
from framework.cli.scope import scope_of
from framework.cli.show import as_json, facts, remark, say, table

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer()


@app.command()
def explain(  # noqa: PLR0913, PLR0917  typer makes an option of each argument
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
    """Say what a run would do: inputs found and pinned, its path, its checks, every Spark setting and who set it."""
    from framework.cli.asking import Ask, prepare
    from framework.cli.explaining import as_facts, explain_settings
    from framework.plan import make_plan

    scope = scope_of(ctx)
    ask = Ask(job, date, tuple(inputs or ()), fixtures, tuple(params or ()), tuple(conf or ()), command)
    with scope.importing():
        prepared = prepare(ask, scope.workspace)
        plan = make_plan(prepared.request, scope.connected.writing_to(scope.local_store))
        settings = explain_settings(prepared, scope, os.environ)
    for note in prepared.notes:
        remark(note, style="yellow")
    found = as_facts(plan, settings, scope.local_store)
    if json:
        as_json(found)
    else:
        _tell(found)


def _tell(found: "Mapping[str, Any]") -> None:
    say(found["job"], style="bold")
    run = found["run"]
    facts(
        [
            ("contract", found["contract"]),
            ("parameters", ", ".join(f"{name}={value}" for name, value in found["parameters"].items()) or "none"),
            ("date", run["date"] or "none"),
            ("interval", run["start"] and f"{run['start']} to {run['end']}"),
            ("path", found["path"]),
            ("below", found["root"]),
            ("attempts", f"{found['attempts']} so far"),
        ]
    )
    say()
    table(("segment", "of", "why"), [tuple(segment.values()) for segment in found["segments"]])
    say()
    rows = [(port, *_read(read)) for port, reads in found["inputs"].items() for read in reads or [{}]]
    table(("input", "from", "path", "attempt", "size"), rows)
    say()
    outputs = found["outputs"].items()
    table(("output", "schema", "checks"), [(name, one["schema"], ", ".join(one["checks"])) for name, one in outputs])
    say()
    if found["command"] is not None:
        say(f"here, in place of an image: {' '.join(found['command']) or 'nothing; --command would say it'}")
        return
    settings = [(one["key"], one["value"], one["set_by"], ", ".join(one["over"])) for one in found["settings"]]
    table(("Spark setting", "value", "set by", "over"), settings)


def _read(read: "Mapping[str, Any]") -> tuple[object, ...]:
    if not read:
        return ("nothing: the port is optional", "", "", "")
    output = f":{read['output']}" if "output" in read else ""
    size = f"{read['rows']:,} rows" if "rows" in read else f"{read['bytes']:,} bytes"
    return (read["from"], f"{read['path']}{output}", read.get("attempt", ""), size)
