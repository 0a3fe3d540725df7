"""Comparing rows in tests: any order, only the columns the test names, floats by tolerance; a readable difference."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

Row = Mapping[str, Any]
TOLERANCE: Final = 1e-9
SHOWN: Final = 5


def assert_rows(actual: Iterable[Row], expected: Iterable[Row], *, tolerance: float = TOLERANCE) -> None:
    """Fail unless ``actual`` and ``expected`` hold the same rows, in any order and as often.

    Only the columns that the expected rows name are looked at. Floats and decimals agree within ``tolerance``,
    relative or absolute; NaN agrees with NaN. Raises: AssertionError that shows what is missing and what is too much.
    """
    wanted = list(expected)
    columns = _columns(wanted)
    found = [{name: row[name] for name in columns} if columns else dict(row) for row in _having(actual, columns)]
    spare = list(found)
    missing = [row for row in wanted if not _take(row, spare, tolerance)]
    if missing or spare:
        raise AssertionError(_difference(missing, spare, len(wanted), len(found)))


def assert_files(actual: Mapping[str, bytes], expected: Mapping[str, bytes]) -> None:
    """Fail unless both hold the same names with the same bytes. Raises: AssertionError that names those that differ."""
    told = [f"missing: {name}" for name in sorted(expected.keys() - actual.keys())]
    told += [f"too much: {name}" for name in sorted(actual.keys() - expected.keys())]
    told += [
        f"{name}: {len(actual[name]):,} bytes that differ from the {len(expected[name]):,} expected"
        for name in sorted(actual.keys() & expected.keys())
        if actual[name] != expected[name]
    ]
    if told:
        raise AssertionError("\n  ".join(["the files differ", *told]))


def _columns(rows: Sequence[Row]) -> tuple[str, ...]:
    odd = list(uneven(rows))
    if odd:
        raise AssertionError("\n  ".join(["expected rows name different columns; name the same in each", *odd[:SHOWN]]))
    return tuple(rows[0]) if rows else ()


def uneven(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each row that does not name the columns of row 0, saying which it lacks and which it has besides."""
    for number, row in enumerate(rows):
        lacks = ", ".join(name for name in rows[0] if name not in row)
        more = ", ".join(name for name in row if name not in rows[0])
        if lacks or more:
            told = (f"lacks {lacks}" if lacks else "", f"has {more} besides" if more else "")
            yield f"row {number}: {' and '.join(filter(None, told))}"


def _having(rows: Iterable[Row], columns: tuple[str, ...]) -> list[Row]:
    given = list(rows)
    absent = [name for name in columns if given and name not in given[0]]
    if absent:
        raise AssertionError(f"no such column: {', '.join(absent)}; there are {', '.join(given[0])}")
    return given


def _take(row: Row, spare: list[dict[str, Any]], tolerance: float) -> bool:
    for index, other in enumerate(spare):
        if all(same_value(value, other[name], tolerance) for name, value in row.items()):
            del spare[index]
            return True
    return False


def same_value(left: Any, right: Any, tolerance: float = TOLERANCE) -> bool:
    """Whether two cell values agree, looking into lists, dictionaries and rows."""
    if left is None or right is None or isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, float | int | Decimal) and isinstance(right, float | int | Decimal):
        return _same_number(left, right, tolerance)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same_value(left[k], right[k], tolerance) for k in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(lambda a, b: same_value(a, b, tolerance), left, right))
    return bool(left == right)


def _same_number(left: float | Decimal, right: float | Decimal, tolerance: float) -> bool:
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    one, other = float(left), float(right)
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)


def _difference(missing: Sequence[Row], spare: Sequence[Row], wanted: int, found: int) -> str:
    lines = [f"rows differ: expected {wanted}, got {found}"]
    for row in missing[:SHOWN]:
        lines.append(f"  missing   {dict(row)}")
        near = max(spare, key=lambda other: _alike(row, other), default=None)
        if near is not None and _alike(row, near):
            lines.append(f"  nearest   {_changes(row, near)}")
    lines += [f"  too much  {dict(row)}" for row in spare[:SHOWN]]
    hidden = max(len(missing) - SHOWN, 0) + max(len(spare) - SHOWN, 0)
    return "\n".join(lines + ([f"  (and {hidden} more)"] if hidden else []))


def _alike(row: Row, other: Row) -> int:
    return sum(same_value(value, other.get(name)) for name, value in row.items())


def _changes(row: Row, other: Row) -> str:
    changed = [f"{k}: expected {v!r}, got {other[k]!r}" for k, v in row.items() if not same_value(v, other[k])]
    return "; ".join(changed)
