"""What a kind of destination is: three questions, of which two are asked while a DAG file is parsed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from pydantic import ValidationError

from framework.connections import Connections
from framework.datafile import DataFile
from framework.identity import RunKey
from framework.records import Record, mistakes, real_errors
from framework.schema.spec import SchemaSpec
from framework.storage.attempts import Published
from framework.tenancy.model import Teams

Verdict: TypeAlias = Literal["delivered", "already there", "overtaken"]
"""What became of a delivery; ``overtaken``: the destination holds a newer attempt's."""


@dataclass(frozen=True)
class Delivery:
    """One output of one published attempt. ``files``: its data, in the order of its manifest."""

    published: Published
    output: str
    files: tuple[DataFile, ...]

    @property
    def key(self) -> RunKey:
        return self.published.key

    @property
    def schema(self) -> SchemaSpec:
        return SchemaSpec.from_json(self.published.output(self.output).schema_)

    @property
    def rows(self) -> int:
        return self.published.output(self.output).rows

    @property
    def names(self) -> tuple[str, ...]:
        """Each file's path below the output's folder."""
        return tuple(file.path.removeprefix(f"{self.output}/") for file in self.published.files(self.output))


@dataclass(frozen=True)
class Outside:
    """What a kind may use: who delivers, what the team files permit, and the connections that were handed over."""

    teams: Teams
    team: str
    connections: Connections


class Destination(Protocol):
    """One place."""

    @property
    def place(self) -> str:
        """Where it is, as people say it, without a secret."""

    def rehearse(self, schema: SchemaSpec) -> None:
        """Ask, before anything is computed, whether rows of ``schema`` will be taken; nothing is changed.

        Raises: ConfigError, PolicyError, SetupError, SchemaMismatch; StoreUnavailable, which need not last.
        """

    def deliver(self, delivery: Delivery) -> Verdict:
        """Bring it there, all of it or nothing, unless a newer attempt's is there; again is the same as once.

        Raises: as ``rehearse``.
        """


class Kind(Protocol):
    """A ``type`` of destinations: an entry point of the group ``teamspark.destinations`` names one.

    DAG files are parsed with it, so its module imports nothing heavy.
    """

    def mistakes(self, data: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with ``data`` whatever its templates are filled in with, as ``place: what``."""

    def connections(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        """The connections that a delivery needs, by name."""

    def open(self, data: Mapping[str, Any], outside: Outside) -> Destination:
        """The destination; nothing is asked of it yet. Raises: ConfigError, PolicyError."""


@runtime_checkable
class Permitted(Protocol):
    """A kind that opens some places with the run's own identity: ``writes`` in the team file says which."""

    def permitted(self, data: Mapping[str, Any], workspace: Path) -> str | None:
        """The place, as ``writes`` names it; None for one that a connection opens. Raises: ConfigError."""


def record_mistakes(model: type[Record], data: Mapping[str, Any]) -> Iterator[str]:
    """The mistakes of ``data`` as a ``model``; those about a value that is a template are not known yet."""
    try:
        model.model_validate(dict(data), strict=False)
    except ValidationError as error:
        for item, line in zip(real_errors(error), mistakes(error), strict=True):
            if not (item["loc"] and is_template(data.get(str(item["loc"][0])))):
                yield line


def is_template(value: object) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)
