"""``teamspark spark-ui``: Spark's own pages of a run that is over, by its history server on this machine."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, remark, say, size, table
from framework.errors import ConfigError

if TYPE_CHECKING:
    from framework.cli.history import LogLine
    from framework.servers.history import Served

app = typer.Typer()


@app.command()
def spark_ui(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="team/DAG id/task id/run[@attempt]; the run as date, moment or segment.")],
    log: Annotated[str | None, typer.Option(help="The log of one launch, by its name; by default the newest.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only say which logs there are.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="By default a free one.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Open Spark's history server on a run's event log, on loopback, until Ctrl-C."""
    from framework.cli.addresses import parse_attempt
    from framework.cli.history import chosen, lines_of, read_log

    address = parse_attempt(run)
    store = scope_of(ctx).world.store(address.key.team)
    if listed:
        _tell_list(lines_of(store, address.key), json=json)
        return
    line = chosen(store, address, log)
    _serve(line, read_log(store, line), port, json=json)


def _serve(line: "LogLine", data: bytes, port: int | None, *, json: bool) -> None:
    from framework.java import find_java
    from framework.servers.history import Wanted, serving
    from framework.servers.signals import interruptible
    from framework.spark.eventlog import application_of

    application = application_of(data)
    if application is None:
        raise ConfigError("an event log tells of no application", where=line.log.path, got=size(len(data)))
    with interruptible(), serving(Wanted(data, application, find_java(), port)) as served:
        _tell(line, served, json=json)
        sys.stdout.flush()
        served.wait()


def _tell(line: "LogLine", served: "Served", *, json: bool) -> None:
    if json:
        as_json({**line.to_json(), "application": served.application, "url": served.url})
    else:
        say(served.url)
    remark(f"{line.log.key}, log {line.log.name}, kept {line.kept.isoformat()}; Ctrl-C ends it")


def _tell_list(lines: "tuple[LogLine, ...]", *, json: bool) -> None:
    if json:
        as_json([one.to_json() for one in lines])
        return
    rows = [(one.log.name, one.kept, size(one.log.entry.bytes), ", ".join(map(str, one.attempts))) for one in lines]
    table(("log", "kept", "size", "attempts"), rows, right=("size",))
