"""Words that team code puts into annotations: smaller number types, and what a broken check does to its row."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from annotated_types import Ge, GroupedMetadata, Le
from pydantic import GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from framework.schema.spec import Policy


@dataclass(frozen=True, slots=True)
class IntWidth(GroupedMetadata):
    """An integer of ``bits`` bits: pydantic sees the bounds, Spark the type."""

    bits: int
    spark: str

    @property
    def lowest(self) -> int:
        return -(1 << (self.bits - 1))

    @property
    def highest(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def __iter__(self) -> Iterator[object]:
        yield Ge(self.lowest)
        yield Le(self.highest)


@dataclass(frozen=True, slots=True)
class SinglePrecision:
    """A 32-bit float: a Python row holds the value that Spark will, so that both judge the same number."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(to_single, handler(source))


def to_single(value: float) -> float:
    """The 32-bit float nearest to ``value``. Raises: ValueError when it would overflow."""
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError as error:
        raise ValueError("does not fit a 32-bit float") from error
    return rounded


LONG: Final = IntWidth(64, "long")
WIDTHS: Final = (IntWidth(8, "byte"), IntWidth(16, "short"), IntWidth(32, "integer"), LONG)
Int8 = Annotated[int, WIDTHS[0]]
Int16 = Annotated[int, WIDTHS[1]]
Int32 = Annotated[int, WIDTHS[2]]
Float32 = Annotated[float, SinglePrecision()]


class Policed(GroupedMetadata):
    """Constraints, or the SQL text of a rule, with a policy of their own. pydantic still enforces the constraints."""

    policy: Policy

    def __init__(self, *rules: object) -> None:
        self.rules = rules

    def __iter__(self) -> Iterator[object]:
        for rule in self.rules:
            if isinstance(rule, FieldInfo):
                yield from rule.metadata
            elif isinstance(rule, GroupedMetadata):
                yield from rule
            else:
                yield rule

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.rules))})"


class Drop(Policed):
    """A row that breaks this is left out of the output, and counted: ``Annotated[float, Drop(Ge(0))]``."""

    policy: Policy = "drop"


class Warn(Policed):
    """A row that breaks this stays, and is counted: ``rules={"lands_later": Warn("arrival >= departure")}``."""

    policy: Policy = "warn"
