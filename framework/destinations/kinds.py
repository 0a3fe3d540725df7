"""Which kinds of destination there are, and the questions asked of all entries of a ``job_config`` at once."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final, cast

from framework.config import DestinationEntry
from framework.destinations.base import Destination, Kind, Outside, Permitted, is_template
from framework.destinations.bucket import BucketKind
from framework.destinations.directory import DirectoryKind
from framework.destinations.postgres import PostgresKind
from framework.errors import ConfigError
from framework.tenancy.model import Teams

GROUP: Final = "teamspark.destinations"
OURS: Final[Mapping[str, Kind]] = MappingProxyType(
    {"path": DirectoryKind(), "postgres": PostgresKind(), "s3": BucketKind()}
)

Entries = Mapping[str, tuple[DestinationEntry, ...]]
"""By output."""


def kind_of(name: str) -> Kind | None:
    """The kind called ``name``; ours cannot be replaced. Installed packages are looked at only for another's."""
    if name in OURS:
        return OURS[name]
    found = entry_points(group=GROUP, name=name)
    return cast("Kind", next(iter(found)).load()) if found else None


def mistakes(entries: Entries) -> Iterator[str]:
    """Everything that is wrong with ``entries`` however their templates are filled in, each with its place."""
    seen: dict[str, str] = {}
    for output, many in entries.items():
        for number, entry in enumerate(many):
            place = f"output.{output}.destinations.{number}"
            kind = kind_of(entry.type)
            if kind is None:
                yield f"{place}.type: {_unknown(entry.type)}"
                continue
            yield from (f"{place}.data.{line}" for line in kind.mistakes(entry.data))
            other = seen.setdefault(entry.model_dump_json(), place)
            if other != place:
                yield f"{place}: the same place as {other}; two deliveries never share one"


def connections_of(entries: Entries) -> tuple[str, ...]:
    """The connections that ``entries`` name. Raises: ConfigError for an unknown kind."""
    names = (name for many in entries.values() for entry in many for name in _kind(entry).connections(entry.data))
    return tuple(sorted(set(names)))


def require_writes(entry: DestinationEntry, teams: Teams, team: str) -> bool:
    """Whether it is known where ``entry`` goes: a template is filled in for each run.

    Raises: PolicyError unless the team file permits what no connection opens; ConfigError.
    """
    kind = _kind(entry)
    if any(is_template(value) for value in entry.data.values()):
        return False
    place = kind.permitted(entry.data, teams.workspace) if isinstance(kind, Permitted) else None
    if place is not None:
        teams.require_write(team, place)
    return True


def open_destination(entry: DestinationEntry, outside: Outside) -> Destination:
    """Raises: ConfigError, PolicyError."""
    return _kind(entry).open(entry.data, outside)


def _kind(entry: DestinationEntry) -> Kind:
    kind = kind_of(entry.type)
    if kind is None:
        raise ConfigError("no such destination", got=entry.type, expected=", ".join(_names()))
    return kind


def _unknown(name: str) -> str:
    close = get_close_matches(name, _names(), n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    return f"no destination '{name}'{hint}; there are {', '.join(_names())}"


def _names() -> tuple[str, ...]:
    return tuple(sorted({*OURS, *(point.name for point in entry_points(group=GROUP))}))
