"""``teamspark cluster``: a Kubernetes of one node on this machine, to try a team's files, images and runs on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from framework.cli.scope import scope_of
from framework.cli.show import facts, remark, say
from framework.errors import ConfigError, SetupError

if TYPE_CHECKING:
    from k8s.local.node.layout import Layout
    from k8s.local.node.running import Node

app = typer.Typer(help="A Kubernetes of one node on this machine.", no_args_is_help=True)

FOLDER: Final = ".teamspark/cluster"
_LINES: Final = 40
Name = Annotated[str, typer.Option(help="Of the cluster, where there are several.", metavar="NAME")]
DEFAULT: Final = "teamspark"


@app.callback()
def cluster() -> None:
    """A Kubernetes of one node on this machine."""


@app.command()
def up(ctx: typer.Context, name: Name = DEFAULT) -> None:
    """Start it, empty, and print how to reach it. It runs until `teamspark cluster down`, or until the machine stops.

    Needs root, and Debian's containerd and nftables. Kubernetes itself is built once, unless an archive of it is named.
    """
    from k8s.local.binaries import ensure_binaries
    from k8s.local.node import running

    layout = _layout(ctx, name, ensure_binaries(os.environ, remark))
    if running.found(layout) is not None:
        raise SetupError(
            "this cluster is up already", where=name, next_step="teamspark cluster down, or another --name"
        )
    node = running.up(layout)
    facts(_facts(node))
    remark(
        f"nobody has anything on it yet: teamspark team apply TEAM --layer kubernetes --kubeconfig {node.kubeconfig}"
    )


@app.command()
def down(ctx: typer.Context, name: Name = DEFAULT) -> None:
    """End it, with all that runs on it. Images that it was given stay, for its next start."""
    from k8s.local.node import running

    say("it is down" if running.down(_layout(ctx, name)) else "it was not up")


@app.command()
def status(ctx: typer.Context, name: Name = DEFAULT) -> None:
    """Say whether it is up, what runs on it, and where its API server is. Exit code 1 when it is not up."""
    node = _found(ctx, name)
    from k8s.client import Cluster

    pods = Cluster.of(node.kubeconfig).list("v1", "Pod")
    phases = [f"{one['metadata']['namespace']}/{one['metadata']['name']}: {one['status']['phase']}" for one in pods]
    facts([*_facts(node), ("pods", str(len(phases)))])
    for line in phases:
        say(line)


@app.command()
def kubeconfig(ctx: typer.Context, name: Name = DEFAULT) -> None:
    """Print the administrator's kubeconfig: its file, for `export KUBECONFIG=$(teamspark cluster kubeconfig)`."""
    say(str(_found(ctx, name).kubeconfig))


@app.command()
def load(
    ctx: typer.Context,
    archives: Annotated[list[Path], typer.Argument(help="Of images, as `teamspark image build` makes them.")],
    name: Name = DEFAULT,
) -> None:
    """Give it images: there is no registry that it could fetch them from."""
    from k8s.local.node.images import import_images

    if missing := [str(one) for one in archives if not one.is_file()]:
        raise ConfigError("no such archive", got=", ".join(missing))
    node = _found(ctx, name)
    new = import_images(node.layout, [one.resolve() for one in archives], node.inside)
    say(f"{len(new)} of {len(archives)} are new to it")


@app.command()
def logs(
    ctx: typer.Context,
    part: Annotated[
        str | None, typer.Argument(help="kubelet, kube-apiserver ...; without, the parts are listed.")
    ] = None,
    name: Name = DEFAULT,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many, from the end.", min=1)] = _LINES,
) -> None:
    """Print the end of what a part of it said, also after it went down."""
    folder = _layout(ctx, name).logs
    parts = sorted(path.stem for path in folder.glob("*.log"))
    if part is None:
        say("\n".join(parts) or "it was never up")
        return
    if part not in parts:
        raise ConfigError("no such part", got=part, expected=", ".join(parts) or "a cluster that was up")
    text = (folder / f"{part}.log").read_text(errors="replace")
    say("\n".join(text.splitlines()[-lines:]))


def _layout(ctx: typer.Context, name: str, binaries: Path | None = None) -> "Layout":
    from k8s.local.binaries import home_of
    from k8s.local.node.layout import Layout

    return Layout.of(name, scope_of(ctx).workspace / FOLDER / name, binaries or home_of(os.environ))


def _found(ctx: typer.Context, name: str) -> "Node":
    from k8s.local.node import running

    node = running.found(_layout(ctx, name))
    if node is None:
        say("it is not up")
        raise typer.Exit(1)
    return node


def _facts(node: "Node") -> list[tuple[str, str]]:
    where = node.layout.where
    return [
        ("api", where.endpoint),
        ("kubeconfig", str(node.kubeconfig)),
        ("this machine, for pods", node.layout.host),
        ("logs", str(node.layout.logs)),
    ]
