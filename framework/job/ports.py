"""What a ``transform`` signature says: the aliases ``Frame`` and ``Table``, ``Files``, the options in ``Annotated``, and ports as
records.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, get_args

from typing_extensions import TypeAliasType

from framework.durations import EXPECTED, is_duration
from framework.errors import DefinitionError
from framework.schema.model import Schema
from framework.schema.spec import SchemaSpec

S = TypeVar("S", bound=Schema)

# For type checkers a Frame[Flight] *is* a DataFrame, so nothing in a transform needs a cast; at run time it carries
# the schema and needs no pyspark. A Frame is the rows of one run, a Table those of many.
if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    Frame = TypeAliasType("Frame", DataFrame, type_params=(S,))
    Table = TypeAliasType("Table", DataFrame, type_params=(S,))
else:
    Frame = TypeAliasType("Frame", "DataFrame", type_params=(S,))
    Table = TypeAliasType("Table", "DataFrame", type_params=(S,))

UNTYPED: Final = SchemaSpec("Files", ())
"""The schema of files that nobody typed: no column."""


@dataclass(frozen=True, slots=True)
class Files:
    """A set of files that nobody typed, such as a model or an archive. In ``transform`` it is a folder of this machine that holds
    exactly the published files, and is not to be changed.
    """

    path: Path

    @property
    def names(self) -> tuple[str, ...]:
        """Paths below ``path``, with ``/``, sorted. What begins with ``_`` or ``.`` is never published, and not among them."""
        return self._files(marked=False)

    @property
    def markers(self) -> tuple[str, ...]:
        """Those others."""
        return self._files(marked=True)

    def _files(self, *, marked: bool) -> tuple[str, ...]:
        found = (p.relative_to(self.path) for p in self.path.rglob("*") if p.is_file())
        return tuple(sorted(p.as_posix() for p in found if any(part[0] in "_." for part in p.parts) == marked))

    def __truediv__(self, name: str) -> Path:
        return self.path / name


CacheUse = Literal["auto", "pin", "bypass"]
AsOf = Literal["run", "latest"]
_SOURCE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Input:
    """Options of an input port. ``cache``: keep its files in the cache (``pin``), read past it (``bypass``), or neither.

    ``as_of`` is for a ``Table``: rows of runs up to this one (``run``), so that a backfill does not see the future, or
    of all runs that there are (``latest``).

    Raises: DefinitionError.
    """

    cache: CacheUse = "auto"
    as_of: AsOf = "run"

    def __post_init__(self) -> None:
        if self.cache not in get_args(CacheUse):
            raise DefinitionError("Input(cache=) is unknown", got=self.cache, expected="auto, pin or bypass")
        if self.as_of not in get_args(AsOf):
            raise DefinitionError("Input(as_of=) is unknown", got=self.as_of, expected="run or latest")


@dataclass(frozen=True, slots=True)
class Output:
    """Options of an output. ``keep``: how long its attempts are kept, in days or weeks (``P30D``, ``P4W``); None: for good.

    Raises: DefinitionError.
    """

    keep: str | None = None

    def __post_init__(self) -> None:
        if self.keep is not None and not is_duration(self.keep):
            raise DefinitionError("Output(keep=) is no duration", got=self.keep, expected=EXPECTED)


@dataclass(frozen=True, slots=True)
class Source:
    """A port fed from outside, by its name in the team's ``sources.yaml``. Raises: DefinitionError."""

    name: str

    def __post_init__(self) -> None:
        if not _SOURCE.fullmatch(str(self.name)):
            raise DefinitionError(
                "Source(...) has no legal name",
                got=self.name,
                expected="a letter, then letters, digits and _, lower case",
            )


@dataclass(frozen=True, slots=True)
class InputPort:
    """One input: its name, the rows it needs, and whether the dataset may be absent. ``source``: fed from outside.

    ``table``: rows of many runs, of which ``as_of`` says which; else those of one. ``files``: a folder of files instead of rows.
    """

    name: str
    schema: SchemaSpec
    optional: bool = False
    source: str | None = None
    cache: str = "auto"
    table: bool = False
    as_of: str = "run"
    files: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "schema": self.schema.to_json(),
            "optional": self.optional,
            "source": self.source,
            "cache": self.cache,
            "table": self.table,
            "as_of": self.as_of,
            "files": self.files,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "schema": SchemaSpec.from_json(data["schema"])})


@dataclass(frozen=True, slots=True)
class OutputPort:
    """One output: its name, the rows it holds, and how long it is kept (an ISO duration, None for good).

    ``table``: its rows are this run's share of a table of many runs. ``files``: files that nobody typed.
    """

    name: str
    schema: SchemaSpec
    keep: str | None = None
    table: bool = False
    files: bool = False

    def to_json(self) -> dict[str, Any]:
        plain = {"name": self.name, "keep": self.keep, "table": self.table, "files": self.files}
        return plain | {"schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "schema": SchemaSpec.from_json(data["schema"])})


def other_kind(wanted: InputPort, given: OutputPort) -> str | None:
    """Why an output of that kind cannot feed the port; None when it can. A run's own rows of a table are a ``Frame``."""
    if wanted.table and not given.table:
        return f"'{wanted.name}' is a Table, '{given.name}' a Frame: {NO_TABLE}"
    if given.files and not wanted.files:
        return f"'{wanted.name}' is a Frame, '{given.name}' is Files: {NO_ROWS}"
    return None


NO_ROWS: Final = "declare the input Files, or the producer's output Frame[S]"
NO_TABLE: Final = "declare the input Frame[S], or the producer's output Table[S]"
