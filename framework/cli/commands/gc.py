"""``teamspark gc``: remove what no reader can need any more; without ``--apply`` only say what that is."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, remark, say, size, table
from framework.durations import DEFAULT_GRACE, DEFAULT_LOGS, EXPECTED, is_duration, seconds_of
from framework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework.cli.collecting import Line, Unreadable
    from framework.storage.retention import Step

_FREES: Final = ("delete", "forget")

app = typer.Typer()


@app.command()
def gc(
    ctx: typer.Context,
    places: Annotated[
        list[str] | None, typer.Argument(help="team, team/DAG id, or team/DAG id/task id; by default all teams.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, only say what would be done.")] = False,
    grace: Annotated[str, typer.Option(help="How long closed and retired attempts keep their data.")] = DEFAULT_GRACE,
    logs: Annotated[str, typer.Option(help="How long Spark's event logs are kept.")] = DEFAULT_LOGS,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Close abandoned attempts, retire superseded and outlived ones, delete the data of those that have long been so.

    Also delete Spark's event logs that are old, and in buckets let go of uploads that were never completed.
    """
    from framework.cli.collecting import Line, Sweep, Unreadable, collect
    from framework.driver import who

    seconds, logs_s = _seconds("--grace", grace), _seconds("--logs", logs)
    sweep = Sweep(seconds, f"teamspark gc {who()}" if apply else None, logs_s)
    found = list(collect(scope_of(ctx).world, places or (), sweep))
    lines = [one for one in found if isinstance(one, Line)]
    unreadable = [one for one in found if isinstance(one, Unreadable)]
    if json:
        steps, problems = [one.to_json() for one in lines], [one.to_json() for one in unreadable]
        as_json({"applied": apply, "grace": grace, "logs": logs, "steps": steps, "unreadable": problems})
    else:
        _tell(lines, apply=apply)
    _tell_unreadable(unreadable)


def _seconds(option: str, text: str) -> int:
    if not is_duration(text):
        raise ConfigError(f"{option} is no duration", got=text, expected=f"{EXPECTED}; never none at all")
    return seconds_of(text)


def _tell(lines: "Sequence[Line]", *, apply: bool) -> None:
    """What is due, and folders that nobody claims, whenever they are; of the rest how many, and when the first."""
    shown = [one for one in lines if one.outcome != "later" or _is_stray(one.step)]
    if shown:
        heads = ("action", "run", "attempt", "files", "size", "earliest", "why", "outcome")
        table(heads, map(_row, shown), right=("attempt", "files", "size"))
    freed = [one.step for one in shown if one.step.action in _FREES and one.outcome != "later"]
    total = f"{sum(len(step.files) for step in freed):,} files, {size(sum(step.bytes for step in freed))}"
    due = sum(one.outcome != "later" for one in lines)
    say(f"{due} steps {'done' if apply else 'due'}; {total} {'deleted' if apply else 'to delete'}")
    later = [one.moment for one in lines if one.outcome == "later"]
    if later:
        say(f"{len(later)} steps later, the first on {min(later).isoformat()}; --json shows them")
    if due and not apply:
        remark("nothing was changed; do it with --apply")


def _is_stray(step: "Step") -> bool:
    return step.action == "delete" and step.attempt is None


def _row(line: "Line") -> tuple[object, ...]:
    step = line.step
    count, volume = len(step.files) + len(step.uploads), "?" if step.uploads else size(step.bytes)
    return (step.action, line.key, step.attempt, count, volume, line.moment.isoformat(), step.why, line.outcome)


def _tell_unreadable(found: "Sequence[Unreadable]") -> None:
    for one in found:
        remark(f"left alone: {one.key}\n{one.error}", style="red")
    if found:
        raise typer.Exit(1)
