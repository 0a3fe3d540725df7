"""What a ``transform`` signature says: the alias ``Frame``, the options in ``Annotated``, and ports as records."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, get_args

from typing_extensions import TypeAliasType

from framework.durations import EXPECTED, is_duration
from framework.errors import DefinitionError
from framework.schema.model import Schema
from framework.schema.spec import SchemaSpec

S = TypeVar("S", bound=Schema)

# For type checkers a Frame[Flight] *is* a DataFrame, so nothing in a transform needs a cast; at run time it carries
# the schema and needs no pyspark.
if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    Frame = TypeAliasType("Frame", DataFrame, type_params=(S,))
else:
    Frame = TypeAliasType("Frame", "DataFrame", type_params=(S,))

CacheUse = Literal["auto", "pin", "bypass"]
_SOURCE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Input:
    """Options of an input port. ``cache``: keep its files in the cache (``pin``), read past it (``bypass``), or neither.

    Raises: DefinitionError.
    """

    cache: CacheUse = "auto"

    def __post_init__(self) -> None:
        if self.cache not in get_args(CacheUse):
            raise DefinitionError("Input(cache=) is unknown", got=self.cache, expected="auto, pin or bypass")


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
    """One input: its name, the rows it needs, and whether the dataset may be absent. ``source``: fed from outside."""

    name: str
    schema: SchemaSpec
    optional: bool = False
    source: str | None = None
    cache: str = "auto"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "schema": self.schema.to_json(),
            "optional": self.optional,
            "source": self.source,
            "cache": self.cache,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["name"], SchemaSpec.from_json(data["schema"]), data["optional"], data["source"], data["cache"])


@dataclass(frozen=True, slots=True)
class OutputPort:
    """One output: its name, the rows it holds, and how long it is kept (an ISO duration, None for good)."""

    name: str
    schema: SchemaSpec
    keep: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "schema": self.schema.to_json(), "keep": self.keep}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["name"], SchemaSpec.from_json(data["schema"]), data["keep"])
