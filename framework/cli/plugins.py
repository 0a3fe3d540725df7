"""Sub-commands of other rooms: typer apps in the entry-point group ``teamspark.commands``, loaded when asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import typer

from framework.errors import SetupError, clip

GROUP: Final = "teamspark.commands"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One sub-command that an installed distribution offers."""

    name: str
    entry: EntryPoint

    def load(self) -> typer.Typer:
        """The plugin's app.

        Raises: SetupError when its module does not import, or holds something else.
        """
        try:
            app = self.entry.load()
        except Exception as error:  # a plugin may fail in any way; none may take the other commands with it
            raise self._broken(f"{type(error).__name__}: {clip(str(error))}") from error
        if not isinstance(app, typer.Typer):
            raise self._broken(f"a {type(app).__name__}, not a typer app")
        return app

    def _broken(self, got: str) -> SetupError:
        return SetupError(
            f"the sub-command '{self.name}' cannot be loaded",
            where=self.entry.value,
            got=got,
            next_step="install what it needs (make setup), or remove the package that offers it",
        )


def installed_plugins(entries: Iterable[EntryPoint] | None = None) -> tuple[Plugin, ...]:
    """Every offered sub-command by name, none of them loaded. Of two with one name the first installed wins."""
    found: dict[str, Plugin] = {}
    for entry in entry_points(group=GROUP) if entries is None else entries:
        found.setdefault(entry.name, Plugin(entry.name, entry))
    return tuple(found[name] for name in sorted(found))
