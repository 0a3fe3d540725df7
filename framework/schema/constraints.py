"""Which constraint means something on which type, and its argument as a value of that type.

Only what pydantic and Spark judge alike is allowed: no steps on floating point, no bounds that the column's type
cannot hold, no order on text.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from framework.errors import DefinitionError
from framework.schema.patterns import portable
from framework.schema.shapes import INTEGERS, Constraint, Shape
from framework.schema.spec import SparkType

BOUNDS: Final = frozenset({"ge", "gt", "le", "lt"})
_LENGTHS: Final = frozenset({"min_length", "max_length"})
# Python's own decimal arithmetic, which pydantic uses for steps, has this many digits.
_PYTHON_DIGITS: Final = 28
_DECIMAL: Final = re.compile(r"decimal\((\d+),(\d+)\)")


def type_family(kind: SparkType) -> str:
    """``kind`` without its size: integer, float, decimal, array, map, struct, or its own name."""
    if isinstance(kind, dict):
        return str(kind["type"])
    if kind in INTEGERS:
        return "integer"
    if kind in ("float", "double"):
        return "float"
    return "decimal" if kind.startswith("decimal") else kind


def decimal_size(kind: str) -> tuple[int, int]:
    """Digits and places of ``decimal(digits,places)``."""
    found = _DECIMAL.fullmatch(kind)
    assert found is not None, kind
    return int(found[1]), int(found[2])


_FITTING: Final[Mapping[str, frozenset[str]]] = {
    "integer": BOUNDS | {"multiple_of", "enum"},
    "float": BOUNDS,
    "decimal": BOUNDS | {"multiple_of"},
    "date": BOUNDS,
    "timestamp": BOUNDS,
    "timestamp_ntz": BOUNDS,
    "string": _LENGTHS | {"pattern", "enum"},
    "binary": _LENGTHS,
    "array": _LENGTHS,
    "map": _LENGTHS,
    "boolean": frozenset({"enum"}),
    "struct": frozenset(),
}


def fitting(constraint: Constraint, shape: Shape) -> Constraint:
    """``constraint`` with its argument as a value of the shape's type. Raises: DefinitionError, one sentence."""
    family = type_family(shape.type)
    if constraint.kind not in _FITTING[family]:
        raise DefinitionError(_misfit(constraint.kind, family))
    argument = _ARGUMENTS[_argument_form(constraint.kind, family)](constraint, shape)
    return Constraint(constraint.kind, argument, constraint.policy)


def _argument_form(kind: str, family: str) -> str:
    if kind in _LENGTHS:
        return "length"
    return kind if kind in ("pattern", "enum") else family


def _misfit(kind: str, family: str) -> str:
    if kind == "multiple_of" and family == "float":
        return "multiple_of on a float is a matter of rounding; use Decimal, or a rule in rules="
    allowed = ", ".join(sorted(_FITTING[family])) or "none"
    return f"{kind} means nothing on {family}; its constraints: {allowed}"


def _integer(constraint: Constraint, shape: Shape) -> int:
    value, width = constraint.argument, shape.width
    if isinstance(value, bool) or not isinstance(value, int):
        raise DefinitionError(f"{constraint.kind} of an integer is an int, not {value!r}")
    if constraint.kind == "multiple_of" and value < 1:
        raise DefinitionError(f"multiple_of is 1 or more, not {value}")
    if width is not None and not width.lowest <= value <= width.highest:
        raise DefinitionError(f"{constraint.kind}={value} lies outside {width.bits} bits")
    return value


def _float(constraint: Constraint, shape: Shape) -> float:
    value = constraint.argument
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DefinitionError(f"{constraint.kind} of a float is a finite number, not {value!r}")
    if float(value) != value:
        raise DefinitionError(f"{constraint.kind}={value} is no exact float")
    return float(value)


def _decimal(constraint: Constraint, shape: Shape) -> Decimal:
    value = constraint.argument
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise DefinitionError(f"{constraint.kind} of a Decimal is an int or a Decimal, not {value!r}")
    digits, places = decimal_size(str(shape.type))
    number = Decimal(value)
    if not _fits(number, digits, places):
        raise DefinitionError(f"{constraint.kind}={value} does not fit {shape.type}")
    if constraint.kind == "multiple_of" and (number <= 0 or digits > _PYTHON_DIGITS):
        raise DefinitionError(f"multiple_of={value}: steps are above 0, and for at most {_PYTHON_DIGITS} digits")
    return _at_scale(number, places)


def _fits(number: Decimal, digits: int, places: int) -> bool:
    _, figures, exponent = number.normalize().as_tuple() if number else (0, (0,), 0)
    assert isinstance(exponent, int)
    return -exponent <= places and len(figures) + exponent <= digits - places


def _at_scale(number: Decimal, places: int) -> Decimal:
    """``number`` with ``places`` digits after the point, whatever the arithmetic context."""
    sign, figures, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    shift = exponent + places
    figures = (*figures, *(0,) * shift) if shift >= 0 else figures[:shift] or (0,)
    return Decimal((sign, figures, -places))


def _date(constraint: Constraint, shape: Shape) -> date:
    value = constraint.argument
    if not isinstance(value, date) or isinstance(value, datetime):
        raise DefinitionError(f"{constraint.kind} of a date is a date, not {value!r}")
    return value


def _moment(constraint: Constraint, shape: Shape) -> datetime:
    value = constraint.argument
    aware = shape.type == "timestamp"
    if not isinstance(value, datetime) or (value.tzinfo is not None) != aware:
        kind = "with a time zone" if aware else "without a time zone"
        raise DefinitionError(f"{constraint.kind} of this column is a datetime {kind}, not {value!r}")
    return value


def _length(constraint: Constraint, shape: Shape) -> int:
    value = constraint.argument
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise DefinitionError(f"{constraint.kind} is a count, not {value!r}")
    return value


def _pattern(constraint: Constraint, shape: Shape) -> str:
    if not isinstance(constraint.argument, str):
        raise DefinitionError(f"pattern is text, not {constraint.argument!r}: flags differ between Java and Rust")
    return portable(constraint.argument)


def _enum(constraint: Constraint, shape: Shape) -> tuple[Any, ...]:
    values: tuple[Any, ...] = constraint.argument
    if shape.width is None and any(type(value) is int and not -(2**63) <= value < 2**63 for value in values):
        raise DefinitionError("a value lies outside 64 bits")
    return values


_ARGUMENTS: Final[Mapping[str, Callable[[Constraint, Shape], Any]]] = {
    "integer": _integer,
    "float": _float,
    "decimal": _decimal,
    "date": _date,
    "timestamp": _moment,
    "timestamp_ntz": _moment,
    "length": _length,
    "pattern": _pattern,
    "enum": _enum,
}
