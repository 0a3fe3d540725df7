"""``teamspark jars``: the jars that Spark needs for stores, tables and caches; listed, fetched, checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.show import as_json, remark, say, size, table

if TYPE_CHECKING:
    from framework.jars.catalog import JarSet

app = typer.Typer(
    no_args_is_help=True, help="List, fetch and check the jars that Spark needs for S3, Delta and Alluxio."
)

Sets = Annotated[list[str] | None, typer.Argument(metavar="[SET]...", help="Only these sets; by default all of them.")]


@app.command("list")
def list_sets(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Every set: how many jars, how many are there, and what they are for."""
    from framework.jars.catalog import load_catalog
    from framework.jars.place import jars_home

    home = jars_home()
    lines = [_line(home, one) for one in load_catalog().values()]
    if json:
        as_json({"home": str(home), "sets": lines})
        return
    rows = [(line["set"], line["jars"], line["there"], size(int(line["bytes"])), line["about"]) for line in lines]
    table(("set", "jars", "there", "size", "about"), rows, right=("jars", "there", "size"))
    say(f"in {home}")


def _line(home: Path, one: "JarSet") -> dict[str, str | int]:
    from framework.jars.place import missing

    there = len(one.jars) - len(missing(home, one))
    return {"set": one.name, "jars": len(one.jars), "there": there, "bytes": one.bytes, "about": one.about}


@app.command()
def sync(sets: Sets = None) -> None:
    """Fetch what is missing, by Maven; each jar is checked before it counts."""
    from framework.jars import sync as syncing
    from framework.jars.catalog import chosen, load_catalog
    from framework.jars.place import jars_home

    wanted = chosen(sets or (), load_catalog())
    fetched = syncing.sync(jars_home(), wanted, notice=remark)
    say(f"{fetched} jar(s) fetched, {sum(len(one.jars) for one in wanted)} there, in {jars_home()}")


@app.command()
def verify(sets: Sets = None) -> None:
    """Compare size and sha256 of every jar with the list. Exits with 1 when one differs or is missing."""
    from framework.jars.catalog import chosen, load_catalog
    from framework.jars.place import flaws, jars_home, missing

    home, wrong = jars_home(), 0
    for one in chosen(sets or (), load_catalog()):
        bad = [str(flaw) for flaw in flaws(home, one)]
        absent = [jar for jar in missing(home, one) if not (home / one.name / jar.file).exists()]
        for line in [*bad, *(f"{home / one.name / jar.file}: missing" for jar in absent)]:
            remark(line, style="red")
        wrong += len(bad) + len(absent)
        say(f"{one.name}: {len(one.jars) - len(bad) - len(absent)} of {len(one.jars)} jars are the pinned ones")
    if wrong:
        remark(
            "next: teamspark jars sync, which fetches what is missing; files that have the right size and differ, delete first"
        )
        raise typer.Exit(1)
