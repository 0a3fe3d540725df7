"""Values for columns that a test's rows do not mention: the smallest that keeps the column's constraints.

The same columns always get the same values, so that a test cannot depend on them without saying so. Numbers, dates and
moments are counted on one line of integers: units of the last decimal place, days, microseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from framework.schema.constraints import decimal_size, type_family
from framework.schema.patterns import sample
from framework.schema.shapes import Shape

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY: Final = date(1970, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000


def example(shape: Shape, nth: int = 0) -> Any:
    """The value number ``nth`` of ``shape``, nulls left aside; it may have to repeat where the constraints are narrow.

    Lists hold as few items as they may, structs are dictionaries. A pattern together with a length may be beyond it:
    whoever uses the value checks it.
    """
    family = type_family(shape.type)
    if "enum" in (arguments := _arguments(shape)):
        return arguments["enum"][nth % len(arguments["enum"])]
    if family == "boolean":
        return bool(nth % 2)
    if family == "struct":
        return {name: _inner(part) for name, part in shape.parts}
    return _EXAMPLES[family](shape, nth)


def _inner(shape: Shape) -> Any:
    return None if shape.nullable else example(shape)


def _arguments(shape: Shape) -> dict[str, Any]:
    return {constraint.kind: constraint.argument for constraint in shape.constraints}


@dataclass(frozen=True, slots=True)
class _Line:
    """How a type maps to integers: ``step`` is what counting goes up by, ``zero`` where it starts when it may."""

    number: Callable[[Any], int]
    value: Callable[[int], Any]
    step: int = 1
    zero: int = 0


def _counted(shape: Shape, nth: int, line: _Line) -> Any:
    given = {kind: line.number(argument) for kind, argument in _arguments(shape).items()}
    lows = [given[kind] + offset for kind, offset in (("ge", 0), ("gt", 1)) if kind in given]
    highs = [given[kind] - offset for kind, offset in (("le", 0), ("lt", 1)) if kind in given]
    grid = given.get("multiple_of", 1)
    low = -(-max(lows) // grid) * grid if lows else None
    high = min(highs) // grid * grid if highs else None
    start = low if low is not None else min(line.zero, high if high is not None else line.zero)
    step = max(line.step // grid, 1) * grid
    if high is None:
        return line.value(start + nth * step)
    if low is None:
        return line.value(min(start, high) - nth * step)
    step = step if start + step <= high else grid
    return line.value(start + nth % ((high - start) // step + 1) * step)


def _integer(shape: Shape, nth: int) -> int:
    number: int = _counted(shape, nth, _Line(int, int))
    if shape.width is None:
        return number
    return shape.width.lowest + (number - shape.width.lowest) % (shape.width.highest - shape.width.lowest + 1)


def _decimal(shape: Shape, nth: int) -> Decimal:
    digits, places = decimal_size(str(shape.type))
    unit = Decimal((0, (1,), -places))
    most = 10**digits
    line = _Line(lambda value: int(value.scaleb(places)), lambda units: _sized(units, most) * unit, step=10**places)
    value: Decimal = _counted(shape, nth, line)
    return value


def _sized(units: int, most: int) -> int:
    return units % most if units >= 0 else -(-units % most)


def _float(shape: Shape, nth: int) -> float:
    given = _arguments(shape)
    low = max((given[kind] for kind in ("ge", "gt") if kind in given), default=None)
    high = min((given[kind] for kind in ("le", "lt") if kind in given), default=None)
    start = (min(0.0, high) if high is not None else 0.0) if low is None else low
    first = start + 1.0 if start == given.get("gt") else start - 1.0 if start == given.get("lt") else start
    if low is not None and high is not None:
        # Halfway, a quarter of the way ...: inside any open interval, and never twice the same.
        return first + nth if first + nth < high else low + (high - low) / 2.0 ** (nth % 40 + 1)
    return first - nth if low is None and high is not None else first + nth


def _date(shape: Shape, nth: int) -> date:
    day: date = _counted(shape, nth, _Line(date.toordinal, date.fromordinal, zero=_FIRST_DAY))
    return day


def _timestamp(shape: Shape, nth: int) -> datetime:
    aware = shape.type == "timestamp"
    epoch = _EPOCH if aware else _EPOCH.replace(tzinfo=None)
    line = _Line(lambda at: (at - epoch) // _MICROSECOND, lambda count: epoch + count * _MICROSECOND, step=_SECOND)
    moment: datetime = _counted(shape, nth, line)
    return moment


def _text(shape: Shape, nth: int) -> str:
    given = _arguments(shape)
    if "pattern" in given:
        return sample(given["pattern"], nth)
    least, most = given.get("min_length", 0), given.get("max_length")
    # Row 0 of a column that is no key shows that nobody cared: an empty text where it may be one.
    digits = str(nth) if nth or least else ""
    return digits.rjust(least, "0")[-most or len(digits) :] if most is not None else digits.rjust(least, "0")


def _list(shape: Shape, nth: int) -> list[Any]:
    ((_, item),) = shape.parts
    return [_inner(item) for _ in range(_arguments(shape).get("min_length", 0))]


def _map(shape: Shape, nth: int) -> dict[str, Any]:
    ((_, value),) = shape.parts
    return {str(number): _inner(value) for number in range(_arguments(shape).get("min_length", 0))}


_EXAMPLES: Final[Mapping[str, Callable[[Shape, int], Any]]] = {
    "integer": _integer,
    "float": _float,
    "decimal": _decimal,
    "date": _date,
    "timestamp": _timestamp,
    "timestamp_ntz": _timestamp,
    "string": _text,
    "binary": lambda shape, nth: _text(shape, nth).encode(),
    "array": _list,
    "map": _map,
}
