"""Destinations of type ``path``: a directory of this machine, or one that is mounted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from framework.destinations.base import Delivery, Destination, Outside, Verdict, record_mistakes
from framework.destinations.files import deliver_files
from framework.errors import SetupError
from framework.records import Record
from framework.schema.spec import SchemaSpec
from framework.storage.base import Depot
from framework.storage.posix import DirectoryStore


class DirectoryData(Record):
    """A relative path starts at the workspace."""

    path: str = Field(min_length=1)


@dataclass(frozen=True)
class Files:
    """A destination that takes files as they are, of any columns. ``advice``: what to do about a refusal."""

    place: str
    depot: Depot
    advice: str

    def rehearse(self, schema: SchemaSpec) -> None:
        try:
            self.depot.folders("/")
        except SetupError as error:
            raise self._advised(error) from error

    def deliver(self, delivery: Delivery) -> Verdict:
        try:
            return deliver_files(self.depot, delivery)
        except SetupError as error:
            raise self._advised(error) from error

    def _advised(self, error: SetupError) -> SetupError:
        return SetupError(error.what, where=self.place, got=error.got, next_step=self.advice)


class DirectoryKind:
    """``{"type": "path", "data": {"path": ...}}``"""

    def mistakes(self, data: Mapping[str, Any]) -> Iterator[str]:
        yield from record_mistakes(DirectoryData, data)

    def connections(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        return ()

    def permitted(self, data: Mapping[str, Any], workspace: Path) -> str:
        told = DirectoryData.parse(data, where="destination of type path")
        return str((workspace / told.path).resolve())

    def open(self, data: Mapping[str, Any], outside: Outside) -> Destination:
        place = self.permitted(data, outside.teams.workspace)
        outside.teams.require_write(outside.team, place)
        return Files(place, DirectoryStore(Path(place)), "let this user write there, or name another path")
