"""The root command: options for all, sub-commands looked up by name, and the border where errors become messages."""

import importlib
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from framework.cli.plugins import Plugin, installed_plugins
from framework.cli.scope import Scope
from framework.cli.show import remark
from framework.errors import SetupError, TeamsparkError

EPILOG: Final = (
    "Exit codes: 0 done; 1 looked, and found something wrong (check, doctor) or different (outputs diff); "
    "2 the command line itself; 64 a configuration is wrong; 65 will fail again until something is changed; "
    "74 may work later; 75 an input is not published yet; 130 interrupted."
)


INTERRUPTED: Final = 130

# In the order of the help; each is a module of framework.cli.commands that holds an ``app``.
BUILTINS: Final = (
    "run",
    "explain",
    "check",
    "jobs",
    "outputs",
    "spark-ui",
    "gc",
    "store",
    "cache",
    "path",
    "team",
    "new",
    "jars",
    "doctor",
)


class Root(TyperGroup):
    """Finds sub-commands by name without importing the others, and lets no error of a user end in a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*BUILTINS, *(plugin.name for plugin in _plugins() if plugin.name not in BUILTINS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            command = _builtin(cmd_name) or _offered(cmd_name)
            if command is None:
                # Only now: a wrong name is compared with every right one.
                self.commands.update({name: self.commands.get(name) or _stub(name) for name in self.list_commands(ctx)})
                return None
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TeamsparkError as error:
            if ctx.params.get("debug"):
                traceback.print_exception(error, file=sys.stderr)
            remark(str(error), style="red")
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            remark("interrupted", style="red")
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name="teamspark",
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    ctx: typer.Context,
    workspace: Annotated[
        Path | None, typer.Option(help="The directory with k8s/teams/; by default the nearest one, here or above.")
    ] = None,
    team_files: Annotated[
        Path | None,
        typer.Option(
            envvar="TEAMSPARK_TEAM_FILES", help="A folder of team files to use instead of the workspace's k8s/teams/."
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Typed Spark jobs of many teams: write, run, check and find their outputs."""
    ctx.obj = Scope(workspace, debug, team_files)


def _plugins() -> tuple[Plugin, ...]:
    return installed_plugins()


def _builtin(name: str) -> Any:
    if name not in BUILTINS:
        return None
    module = importlib.import_module(f"framework.cli.commands.{name.replace('-', '_')}")
    return _command(module.app, name)


def _offered(name: str) -> Any:
    plugin = next((plugin for plugin in _plugins() if plugin.name == name), None)
    if plugin is None:
        return None
    try:
        return _command(plugin.load(), name)
    except SetupError as error:
        return _stub(name, error)


def _command(app: typer.Typer, name: str) -> Any:
    command = typer.main.get_command(app)
    command.name = name
    return command


def _stub(name: str, error: SetupError | None = None) -> Any:
    """A command that only tells why it is not there: it has a line in the help, and raises when called."""
    broken = typer.Typer(add_completion=False)

    @broken.command(name, help="Not available: see teamspark doctor." if error else "", context_settings=_ANYTHING)
    def tell() -> None:
        if error is not None:
            raise error

    return _command(broken, name)


_ANYTHING: Final = {"allow_extra_args": True, "ignore_unknown_options": True}
