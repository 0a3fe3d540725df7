"""``teamspark dags``: the command line's view of DAG files."""

from pathlib import Path
from typing import Annotated

import typer

from framework.cli.scope import scope_of

app = typer.Typer(help="DAG files: what feeds what.", no_args_is_help=True)


@app.callback()
def dags() -> None:
    """DAG files: what feeds what."""


@app.command()
def export(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option(help="The file to write; default: the screen.")] = None,
) -> None:
    """Write the edges of all DAGs below airflow_bindings/dags/<team>/ as JSON, for `teamspark check`.

    Exit codes: 0 written, 64 a DAG file does not load (every import error is told).
    """
    from airflow_bindings.export import bundles_of, export_edges

    edges = export_edges(bundles_of(scope_of(ctx).workspace))
    text = edges.model_dump_json(indent=2)
    if out is None:
        typer.echo(text)
        return
    out.write_text(f"{text}\n", encoding="utf-8")
    typer.echo(f"{len(edges.tasks)} tasks in {out}")
