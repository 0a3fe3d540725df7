"""``teamspark store``: stores of this machine, and whether a store keeps its promises."""

import os
import subprocess
from typing import TYPE_CHECKING, Annotated, Final

import typer

from framework.cli.scope import scope_of
from framework.errors import ConfigError
from framework.tenancy.places import StoreKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIGNALLED: Final = 128

app = typer.Typer(help="Stores of this machine; whether a store keeps its promises.", no_args_is_help=True)


@app.callback()
def store() -> None:
    """Stores of this machine; whether a store keeps its promises."""


@app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def execute(
    ctx: typer.Context,
    kind: Annotated[StoreKind, typer.Argument(help="What `demo --store` was given.")],
    command: Annotated[list[str], typer.Argument(help="A command and its arguments, behind --.")],
    team: Annotated[str | None, typer.Option(help="As this team; without, as one who may only look.")] = None,
) -> None:
    """Run a command beside a store of this machine, where `demo --store` puts outputs; its exit code is the command's.

    An S3 server is started for it, unless one is up, and stopped after it.
    """
    from framework.servers.signals import interruptible
    from framework.servers.sites import opened

    scope = scope_of(ctx)
    with interruptible(), opened(kind, scope.workspace, scope.teams) as site:
        code = _run(command, site.environment(team))
    raise typer.Exit(code)


def _run(command: "Sequence[str]", more: "Mapping[str, str]") -> int:
    """The exit code of ``command``, as a shell tells it. Raises: ConfigError when there is no such command."""
    try:
        child = subprocess.Popen(command, env={**os.environ, **more})
    except OSError as error:
        raise ConfigError("this command cannot be run", got=command[0], expected=error.strerror) from error
    with child:
        try:
            code = child.wait()
        finally:
            child.terminate()
    return code if code >= 0 else _SIGNALLED - code
