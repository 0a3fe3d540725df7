"""The layers that keep teams apart, as installed distributions offer them: entry points of the group ``teamspark.layers``."""

import os
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from framework.cli.scope import Scope
from framework.errors import ConfigError, SetupError, clip
from framework.tenancy.layers import Layer, Site

GROUP: Final = "teamspark.layers"
# Places are made from the first on, and left from the last: rights in a namespace, then a role at the store, then tasks.
ORDER: Final = ("kubernetes", "store", "airflow")


def layers_of(
    scope: Scope, names: Iterable[str] = (), *, kubeconfig: Path | None = None, context: str | None = None
) -> tuple[Layer, ...]:
    """The layers called ``names``, or all that are installed. Nothing is asked of any yet.

    Raises: ConfigError for a layer that is not there; SetupError for one that cannot be loaded.
    """
    options = {"kubeconfig": None if kubeconfig is None else str(kubeconfig), "context": context}
    given = {name: value for name, value in options.items() if value is not None}
    site = Site(scope.workspace, scope.teams, dict(os.environ), given)
    return tuple(_load(entry, site) for entry in _chosen(tuple(names)))


def _chosen(names: tuple[str, ...]) -> Iterator[EntryPoint]:
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    order = [*(name for name in ORDER if name in found), *sorted(set(found) - set(ORDER))]
    if unknown := [name for name in names if name not in found]:
        raise ConfigError("no such layer", got=", ".join(unknown), expected=f"of {', '.join(order)}")
    return (found[name] for name in order if not names or name in names)


def _load(entry: EntryPoint, site: Site) -> Layer:
    try:
        made: Layer = entry.load()(site)
    except ImportError as error:
        raise SetupError(
            f"the layer '{entry.name}' cannot be loaded",
            where=entry.value,
            got=clip(str(error)),
            next_step="install what it needs (make setup), or leave it out with --layer",
        ) from error
    return made
