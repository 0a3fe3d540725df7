"""``teamspark check``: every job's definition, and for each edge between two jobs who would break whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.scope import Scope, scope_of
from framework.cli.show import as_json, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from framework.cli.checking import Finding
    from framework.exports import EdgesExport
    from framework.job import JobContract

app = typer.Typer()


@app.command()
def check(
    ctx: typer.Context,
    jobs: Annotated[
        Path | None,
        typer.Option(help="jobs.json (teamspark jobs export): then no job is imported, and no pyspark needed."),
    ] = None,
    edges: Annotated[
        Path | None, typer.Option(help="edges.json (teamspark dags export): compare along each edge.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check all jobs, and who would break whom. Exits with 1 when there is an error."""
    scope = scope_of(ctx)
    known = _edges(edges)
    with scope.importing():
        contracts, findings = _jobs(scope, jobs)
    findings += _texts(scope) + _declared(scope, contracts)
    if known is not None:
        from framework.cli.checking import check_edges, check_grants

        findings += check_edges(contracts, known, scope.world.teams) + check_grants(known, scope.world.teams)
    count = sum(len(refs) for one in known.tasks for refs in one.inputs.values()) if known else None
    _tell(len(contracts), count, findings, json=json)
    if any(one.severity == "error" for one in findings):
        raise typer.Exit(1)


def _edges(path: Path | None) -> "EdgesExport | None":
    from framework.exports import EdgesExport

    return None if path is None else EdgesExport.parse_json(_read(path), where=str(path))


def _jobs(scope: Scope, path: Path | None) -> "tuple[Mapping[str, JobContract], tuple[Finding, ...]]":
    """Contracts from the file, else from the modules; and what is wrong with the modules."""
    from framework.cli.checking import Finding
    from framework.cli.discovery import discover
    from framework.exports import JobsExport

    if path is not None:
        return JobsExport.parse_json(_read(path), where=str(path)).contracts(), ()
    found = discover(scope.workspace)
    broken = tuple(Finding("error", one.where, str(one.error)) for one in found.broken)
    return {one.job: one for one in found.contracts}, broken


def _declared(scope: Scope, contracts: "Mapping[str, JobContract]") -> "tuple[Finding, ...]":
    """The sources that the teams of this workspace declare, as they stand in its files."""
    from functools import partial

    from framework.cli.checking import check_sources
    from framework.sources import sources_in

    # A job of "shared" reads what the team that runs it declares.
    teams = {path.name for path in (scope.workspace / "jobs").glob("*") if path.is_dir()} - {"shared"}
    return check_sources(contracts.values(), partial(sources_in, scope.workspace), teams)


def _texts(scope: Scope) -> "tuple[Finding, ...]":
    """The text of every module, whether or not it can be imported."""
    from framework.cli.checking import check_source
    from framework.cli.discovery import job_files

    def found() -> "Iterator[Finding]":
        for file in job_files(scope.workspace):
            text = file.path.read_text(encoding="utf-8", errors="replace")
            yield from check_source(text, where=str(file.path.relative_to(scope.workspace)))

    return tuple(found())


def _read(path: Path) -> bytes:
    from framework.errors import ConfigError

    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError("cannot read this file", got=str(path), expected=error.strerror) from error


def _tell(jobs: int, edges: int | None, findings: "tuple[Finding, ...]", *, json: bool) -> None:
    if json:
        as_json({"jobs": jobs, "edges": edges, "findings": [one.to_json() for one in findings]})
        return
    for one in findings:
        say(f"{one.severity}: {one.where}: {one.what}", style="red" if one.severity == "error" else "yellow")
    wrong = sum(one.severity == "error" for one in findings)
    along = "no edges given (--edges)" if edges is None else f"{edges} edge(s)"
    say(f"{jobs} job(s), {along}: {wrong} error(s), {len(findings) - wrong} warning(s)", style="bold")
