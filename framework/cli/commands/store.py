"""``teamspark store``: stores of this machine, and whether a store keeps its promises."""

import os
import secrets
import shlex
import subprocess
from typing import TYPE_CHECKING, Annotated

import typer

from framework.cli.scope import scope_of
from framework.cli.show import as_json, remark, say
from framework.errors import ConfigError, SetupError
from framework.servers.signals import SIGNALLED
from framework.tenancy.places import BucketStore, StoreKind, key_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from framework.cli.scope import Scope
    from framework.storage.base import Store

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

    words = command[command[0] == "--" :]
    if not words:
        raise ConfigError("there is no command to run", next_step=f"teamspark store exec {kind} -- COMMAND")
    scope = scope_of(ctx)
    with interruptible(), opened(kind, scope.workspace, scope.teams) as site:
        code = _run(words, site.environment(team))
    raise typer.Exit(code)


@app.command()
def selftest(
    ctx: typer.Context,
    team: Annotated[str, typer.Argument(help="Whose store.")],
    peer: Annotated[
        str | None, typer.Option(help="Also race this machine (by ssh) on it; teamspark is there too.")
    ] = None,
    join: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Ask a team's store whether it decides between racing writers: of this machine, and with --peer of two.

    With --peer it also tells how long names and listings lag behind. Run it as who runs the team's tasks.
    """
    from framework.storage.peers import Meeting, meet
    from framework.storage.selftest import self_test
    from framework.world import World

    scope = scope_of(ctx)
    found = World.of(scope.workspace, scope.team_files).store(team)
    if join is not None:
        meet(found, "there", Meeting(join, team))
        return
    self_test(found, team)
    say(f"{found.kind} {found.root}: of racing writers of this machine one wins")
    if peer is not None:
        _race(found, scope, team, peer)


@app.command()
def rules(
    ctx: typer.Context,
    team: Annotated[str, typer.Argument(help="Whose bucket.")],
) -> None:
    """Print the life-cycle rule that a team's bucket should have, as JSON for aws s3api, or any S3 client.

    It removes what nobody can read: parts of uploads without an end and, where versions are kept, old ones.
    """
    from framework.storage.lifecycle import wanted_rules

    place = scope_of(ctx).teams.team(team).store
    if not isinstance(place, BucketStore):
        raise ConfigError(
            "only buckets have life-cycle rules", where=team, got=f"a store of kind {place.kind}", expected="kind: s3"
        )
    as_json(wanted_rules(team, key_prefix(place, team)))
    remark(
        f"beside the rules that bucket '{place.bucket}' has, because a put replaces them all: "
        f"aws s3api put-bucket-lifecycle-configuration --bucket {place.bucket} --lifecycle-configuration file://rules.json"
    )


def _race(found: "Store", scope: "Scope", team: str, peer: str) -> None:
    from framework.storage.peers import Meeting, judge, meet

    token = secrets.token_hex(8)
    options = ["--workspace", str(scope.workspace)]
    options += ["--team-files", str(scope.team_files)] if scope.team_files else []
    remote = shlex.join(["teamspark", *options, "store", "selftest", team, "--join", token])
    try:
        other = subprocess.Popen(["ssh", "-o", "BatchMode=yes", peer, remote], stdout=subprocess.DEVNULL)
    except OSError as error:
        raise SetupError("ssh cannot be started", got=error.strerror, next_step="install an ssh client") from error
    with other:
        try:
            meeting = Meeting(token, team, alive=lambda: other.poll() in (None, 0))
            meet(found, "here", meeting)
            told = judge(found, meeting)
        finally:
            other.terminate()
    say(f"of racing writers of both machines one wins: {told.won_here} here, {told.won_there} on {peer}")
    say(
        f"the longest wait for a file of the other's: {told.name_lag_s:.2f} s by name, {told.list_lag_s:.2f} s more in a listing"
    )


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
    return code if code >= 0 else SIGNALLED - code
