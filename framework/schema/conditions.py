"""Checks as SQL conditions over one row: text, so that nobody needs Spark to write or compare them.

A condition is true for a row that keeps the check, false for one that breaks it, null where there is nothing to judge.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final, TypeAlias

from framework.schema.constraints import BOUNDS, type_family
from framework.schema.shapes import Constraint, Shape
from framework.schema.spec import Check, Kind, Policy, SparkType

_SIGNS: Final[dict[Kind, str]] = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": ">=", "max_length": "<="}
_LENGTH_OF: Final = {
    "string": "length({})",
    "binary": "octet_length({})",
    "array": "array_size({})",
    "map": "array_size(map_keys({}))",
}


def condition(constraint: Constraint, kind: SparkType, subject: str) -> str:
    """The SQL condition that ``subject``, an expression of type ``kind``, keeps ``constraint``."""
    argument, family = constraint.argument, type_family(kind)
    if constraint.kind in BOUNDS:
        compared = f"{subject} {_SIGNS[constraint.kind]} {literal(argument, kind)}"
        # For Spark NaN is larger than any number; for pydantic it keeps no bound.
        return f"(NOT isnan({subject}) AND {compared})" if family == "float" else f"({compared})"
    match constraint.kind:
        case "multiple_of":
            return f"({subject} % {literal(argument, kind)} = 0)"
        case "min_length" | "max_length":
            return f"({_LENGTH_OF[family].format(subject)} {_SIGNS[constraint.kind]} {argument})"
        case "pattern":
            return f"({subject} RLIKE {quoted(argument)})"
        case "enum":
            return f"({subject} IN ({', '.join(literal(value, kind) for value in argument)}))"
    raise ValueError(f"no condition for {constraint.kind}")


def literal(value: Any, kind: SparkType) -> str:
    """``value`` as a SQL expression of the scalar type ``kind``, exact."""
    text = value.isoformat() if isinstance(value, date | datetime) else str(value)
    return f"CAST({quoted(text)} AS {_SQL_NAMES.get(str(kind), str(kind))})"


# A bound of a 32-bit column is compared as the 64-bit number that the author wrote.
_SQL_NAMES: Final = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint", "float": "double"}


def quoted(text: str) -> str:
    """``text`` as a SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def name(identifier: str) -> str:
    return "`" + identifier.replace("`", "``") + "`"


def container_checks(column: str, shape: Shape) -> Iterator[Check]:
    """Checks of a list, dict or struct column and of what is inside it, all as SQL rules.

    They are named by their way down: ``tags.min_length``, ``tags.items.null``, ``scores.values.ge``,
    ``address.zip.pattern``.
    """
    rules = [_own(constraint, shape.type, name(column)) for constraint in shape.constraints]
    for rule, policy, sql in (*rules, *_inside(shape, name(column), depth=1)):
        yield Check(f"{column}.{rule}", column, "sql", sql, policy)


_Rule: TypeAlias = tuple[str, Policy, str]


def _own(constraint: Constraint, kind: SparkType, subject: str) -> _Rule:
    return constraint.kind, constraint.policy, condition(constraint, kind, subject)


def _inside(shape: Shape, subject: str, *, depth: int) -> Iterator[_Rule]:
    """The rules of everything in ``shape``: name, policy and a condition on ``subject``."""
    for part_name, part in shape.parts:
        inner, before, after = _way_in(shape, subject, part_name, depth=depth)
        for rule, policy, sql in _kept_by(part, inner, depth=depth + 1):
            yield f"{part_name}.{rule}", policy, f"{before}{sql}{after}"


def _way_in(shape: Shape, subject: str, part: str, *, depth: int) -> tuple[str, str, str]:
    """What a part of ``subject`` is called in a condition, and what stands before and after that condition."""
    item = f"x{depth}"
    match type_family(shape.type):
        case "array":
            return item, f"forall({subject}, {item} -> ", ")"
        case "map":
            return item, f"forall(map_values({subject}), {item} -> ", ")"
    return f"{subject}.{name(part)}", f"({subject} IS NULL OR ", ")"


def _kept_by(part: Shape, subject: str, *, depth: int) -> Iterator[_Rule]:
    if not part.nullable:
        yield "null", "fail", f"({subject} IS NOT NULL)"
    for constraint in part.constraints:
        yield _own(constraint, part.type, subject)
    yield from _inside(part, subject, depth=depth)
