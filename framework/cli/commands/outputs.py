"""``teamspark outputs``: what has been published: tasks, runs, one attempt, and what differs between two."""

from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, facts, say, size, table, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework.cli.differences import Difference
    from framework.cli.published import InputState
    from framework.manifest import Manifest
    from framework.storage.base import Store
    from framework.storage.publish import AttemptState, Published
    from framework.world import World

app = typer.Typer(no_args_is_help=True, help="Look at what runs have published.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AttemptArgument = Annotated[
    str, typer.Argument(help="team/DAG id/task id/run[@attempt]; the run as date, moment or segment.")
]


@app.command("ls")
def ls(
    ctx: typer.Context,
    place: Annotated[
        str | None, typer.Argument(help="team, team/DAG id, or team/DAG id/task id; without one: every team.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """The teams or tasks that have published, or the runs of one task. Runs of this machine: team/_local."""
    from framework.cli.addresses import parse_parts
    from framework.cli.published import roots_of, runs_listed, tasks_of
    from framework.identity import TaskKey

    if place is None:
        _teams(scope_of(ctx).world, json=json)
        return
    parts = parse_parts(place, 3)
    store = scope_of(ctx).world.store(parts[0])
    below = roots_of(store, parts)
    if len(parts) < 3:
        tasks = list(tasks_of(store, *parts))
        if json:
            as_json([one.to_json() for one in tasks])
        else:
            lines = [(one.task, one.runs, one.newest) for one in tasks]
            below += "" if tasks else _meant(store, parts)
            _rows(("task", "runs", "newest"), lines, right=("runs",), below=below)
        return
    runs = list(runs_listed(store, TaskKey(*parts)))
    if json:
        as_json([one.to_json() for one in runs])
        return
    below += "" if runs else _meant(store, parts)
    rows = [
        (_run_of(one.published), one.published.number, f"{one.rows:,}", size(one.bytes), one.modified) for one in runs
    ]
    _rows(("run", "attempt", "rows", "size", "published"), rows, right=("attempt", "rows", "size"), below=below)


def _teams(world: "World", *, json: bool) -> None:
    from framework.cli.published import teams_listed

    teams = list(teams_listed(world))
    if json:
        as_json([one.to_json() for one in teams])
    else:
        lines = [(one.team, one.tasks) for one in teams]
        _rows(
            ("team", "tasks"), lines, right=("tasks",), below=f"the stores of {', '.join(sorted(world.teams.by_name))}"
        )


def _rows(heads: "Sequence[str]", rows: "Sequence[Sequence[object]]", *, right: "Sequence[str]", below: str) -> None:
    if rows:
        table(heads, rows, right=right)
    else:
        say(f"nothing published below {below}")


def _meant(store: "Store", parts: "Sequence[str]") -> str:
    """What has been published under a name like this one; a misspelt name is not told from one to come."""
    from framework.cli.published import tasks_of
    from framework.schema.annotations import nearest

    known = {"/".join(str(one.task).split("/")[: len(parts)]) for one in tasks_of(store, parts[0])}
    return nearest("/".join(parts), sorted(known))


def _run_of(published: "Published") -> str:
    key = published.key
    return key.run if key.map_index is None else f"{key.run}/map-{key.map_index}"


@app.command("show")
def show(ctx: typer.Context, run: AttemptArgument, json: JsonOption = False) -> None:
    """One attempt (the newest, if none is named): outputs, checks, what it read, and whether that is still the newest."""
    from framework.cli.addresses import parse_attempt
    from framework.cli.published import find_attempt, history, input_states, standing, table_states

    world = scope_of(ctx).world
    address = parse_attempt(run)
    store = world.store(address.key.team)
    published = find_attempt(store, address)
    inputs = list(input_states(world, published.manifest))
    attempts = history(store, address.key)
    tables = list(table_states(store, published))
    if json:
        as_json(
            {
                "manifest": published.manifest.model_dump(mode="json"),
                "digest": published.digest,
                "directory": published.directory,
                "uri": store.uri(published.directory),
                "inputs": [one.to_json() for one in inputs],
                "tables": [one.to_json() for one in tables],
                "attempts": [
                    {"number": one.number, "standing": standing(one), "who": one.claim.who} for one in attempts
                ],
            }
        )
        return
    _tell(published, store.uri(published.directory), attempts)
    facts(
        [
            (f"data of {one.name}", store.uri(published.output_dir(one.name)))
            for one in published.manifest.outputs
            if one.table
        ]
    )
    facts([(f"table {one.output}", f"{store.uri(one.path)}: {one.told}") for one in tables])
    _tell_outputs(published.manifest)
    _tell_inputs(published.manifest, inputs)


def _tell(published: "Published", uri: str, attempts: "Sequence[AttemptState]") -> None:
    from framework.cli.published import standing

    manifest = published.manifest
    say(visible(f"{published.key} attempt {published.number}"), style="bold")
    facts(
        [
            ("job", manifest.job),
            ("parameters", ", ".join(f"{name}={value}" for name, value in manifest.parameters.items()) or None),
            # A table's rows lie below the table.
            ("data", None if all(one.table for one in manifest.outputs) else uri),
            ("digest", published.digest),
            ("contract", manifest.contract),
            ("code", manifest.code_digest),
            ("made by", ", ".join(f"{name} {number}" for name, number in manifest.producer.items())),
        ]
    )
    for one in attempts:
        facts([(f"attempt {one.number}", f"{standing(one)}, claimed by {one.claim.who}")])


def _tell_outputs(manifest: "Manifest") -> None:
    say()
    rows = []
    for one in manifest.outputs:
        found = {name: count for name, count in one.checks.items() if count}
        broken = ", ".join(f"{name}: {count:,}" for name, count in found.items()) or f"none of {len(one.checks)}"
        dropped = ", ".join(f"{name}: {count:,}" for name, count in one.dropped.items() if count) or "none"
        rows.append((one.name, f"{one.rows:,}", len(one.files), size(one.bytes), broken, dropped))
    table(("output", "rows", "files", "size", "checks broken", "rows dropped"), rows, right=("rows", "files", "size"))


def _tell_inputs(manifest: "Manifest", inputs: "Sequence[InputState]") -> None:
    say()
    rows: list[tuple[object, ...]] = [
        (one.port, f"{one.read.path}:{one.read.output}", one.read.attempt, f"{one.read.rows:,} rows", one.told)
        for one in inputs
    ]
    for entry in manifest.inputs:
        rows += [
            (
                entry.port,
                f"{one.path} version {one.version}",
                None,
                f"{one.rows:,} rows",
                f"runs up to {one.run or 'any'}",
            )
            for one in entry.tables
        ]
        rows += [(entry.port, file.uri, None, size(file.bytes), None) for file in entry.files]
    if rows:
        table(("input", "read", "attempt", "size", "now"), rows, right=("attempt",))


@app.command("diff")
def diff(
    ctx: typer.Context,
    one: AttemptArgument,
    other: AttemptArgument,
    output: Annotated[str | None, typer.Option(help="Only this output.")] = None,
    json: JsonOption = False,
) -> None:
    """What differs between two attempts or runs: schema, rows, checks, content. Exits with 1 when something does."""
    from framework.cli.addresses import parse_attempt
    from framework.cli.differences import Side, differences
    from framework.cli.published import find_attempt

    world = scope_of(ctx).world
    sides = []
    for address in map(parse_attempt, (one, other)):
        store = world.store(address.key.team)
        sides.append(Side(store, find_attempt(store, address)))
    found = differences(*sides, output=output)
    if json:
        as_json([each.to_json() for each in found])
    else:
        _tell_differences(found)
    if not all(each.same for each in found):
        raise typer.Exit(1)


def _tell_differences(found: "Sequence[Difference]") -> None:
    for one in found:
        say(f"{one.output}: {'the same' if one.same else 'different'}", style="green" if one.same else "red")
        for line in one.lines():
            say(f"  {line}")
