"""Rows for tests and fixtures: from what a test states, or a file holds, to complete typed Python rows. No Spark.

A row is a dictionary from column name to value. Types are never guessed: a row states values of the column's own
Python type; only dates and moments may be ISO text, and decimals text or int.
"""

import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeAlias

from annotated_types import Ge, Le
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NaiveDatetime,
    TypeAdapter,
    ValidationError,
)
from typing_extensions import TypedDict

from framework.errors import ConfigError, clip
from framework.schema.annotations import nearest
from framework.schema.constraints import decimal_size, type_family
from framework.schema.model import Schema, schema_shapes, schema_spec
from framework.schema.shapes import Shape
from framework.schema.spec import Column, SchemaSpec
from framework.schema.types import WIDTHS, Float32
from framework.testing.examples import example

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = "Iterable[Row | Schema] | Unchecked"
Fill: TypeAlias = Literal["smallest", "random"]
Validate: TypeAlias = "Callable[[TypeAdapter[Any]], list[dict[str, Any]]]"
_MISTAKES_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Rows that keep the types of a schema and need not keep its constraints, nulls included."""

    rows: tuple[Row | Schema, ...]


def unchecked(rows: Iterable[Row | Schema]) -> Unchecked:
    """``rows`` as they are, so that a test can feed a job what its checks are there to stop."""
    return Unchecked(tuple(rows))


def fill(schema: type[Schema], rows: Rows, *, how: Fill = "smallest", seed: int = 0) -> list[dict[str, Any]]:
    """``rows`` with every column of ``schema``, in its order, as plain Python values.

    A column that a row does not mention gets, in this order: a counted-up value if it belongs to the key, its
    default, null, or the smallest value that keeps its constraints. ``how="random"`` draws other values that keep
    them, the same for the same ``seed``. Enum members become their values, nested schemas dictionaries.
    Raises: ConfigError with the rows and columns that do not fit.
    """
    strict = not isinstance(rows, Unchecked)
    stated = list(rows.rows if isinstance(rows, Unchecked) else rows)
    typed = _typed(schema, [_unpacked(row) for row in stated])
    filler = _Filler.of(schema, random.Random(seed) if how == "random" else None)  # noqa: S311  test data, no secret
    complete = [filler.row(row, number) for number, row in enumerate(typed)]
    if strict:
        _check(schema, complete)
    return complete


def read_json_rows(text: str, schema: type[Schema]) -> list[dict[str, Any]]:
    """The rows of a JSON list of objects, typed strictly: text becomes dates, ``true`` does not become 1.

    Only the columns that the text states; ``fill`` adds the others. Raises: ConfigError.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        raise ConfigError(f"rows of {schema.__name__} are no JSON: {error}") from error
    if not isinstance(data, list):
        raise ConfigError(f"rows of {schema.__name__}: a list of objects, [{{...}}, ...]", got=data)
    return _validated(schema, lambda adapter: adapter.validate_json(text), _Types(_STRICT))


def read_csv_rows(text: str, schema: type[Schema], *, null: str = "") -> list[dict[str, Any]]:
    """The rows of a CSV text, matched by header name (a column's own name or its alias); a cell ``null`` is null.

    Lists, maps and structs are JSON in their cell. Only the columns in the header. Raises: ConfigError.
    """
    try:
        lines = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise ConfigError(f"rows of {schema.__name__} are no CSV: {error}") from error
    if not lines:
        raise ConfigError(f"rows of {schema.__name__}: a CSV needs a header line")
    header = _header(lines[0], schema_spec(schema))
    wrong = [
        f"line {number}: {len(cells)} cells" for number, cells in enumerate(lines[1:], 2) if len(cells) != len(header)
    ]
    if wrong:
        raise ConfigError(f"rows of {schema.__name__}", expected=f"{len(header)} cells in each line", details=wrong)
    return _from_cells(schema, [dict(zip(header, cells, strict=True)) for cells in lines[1:]], null)


def _header(names: Sequence[str], spec: SchemaSpec) -> list[str]:
    known = {text: column.name for column in spec.columns for text in (column.source_name, column.name)}
    wrong = [f"{name!r} is no column{nearest(name, known)}" for name in names if name not in known]
    header = [known.get(name, name) for name in names]
    wrong += sorted({f"{name!r} stands twice" for name in header if header.count(name) > 1})
    if wrong:
        raise ConfigError(f"the header does not fit {spec.name}", expected=", ".join(spec.names), details=wrong)
    return header


def _from_cells(schema: type[Schema], lines: list[dict[str, str]], null: str) -> list[dict[str, Any]]:
    nested = {name for name, shape in schema_shapes(schema).items() if shape.parts}
    flat = [{name: cell for name, cell in line.items() if cell != null and name not in nested} for line in lines]
    typed = _from_strings(schema, flat)
    deep = [
        {name: _json_cell(name, cell, number) for name, cell in line.items() if cell != null and name in nested}
        for number, line in enumerate(lines)
    ]
    inner = _validated(schema, lambda adapter: adapter.validate_json(json.dumps(deep)), _Types(_STRICT))
    return [dict.fromkeys(line) | typed[number] | inner[number] for number, line in enumerate(lines)]


def _from_strings(schema: type[Schema], lines: list[dict[str, str]]) -> list[dict[str, Any]]:
    # pydantic reads text inside dictionaries only, so the list of rows is a dictionary from number to row.
    numbered: Any = {str(number): line for number, line in enumerate(lines)}
    shapes = schema_shapes(schema)
    try:
        rows = TypeAdapter(_dict[str, _Types(_STRICT).row(schema.__name__, shapes)]).validate_strings(numbered)
    except ValidationError as error:
        raise _refusal(schema, list(_lines(error, shapes))) from error
    return list(rows.values())


def _json_cell(name: str, cell: str, number: int) -> Any:
    try:
        return json.loads(cell, object_pairs_hook=_unique)
    except ValueError as error:
        raise ConfigError(f"row {number}, {name}: a list, map or struct is JSON: {error}", got=cell) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return dict(pairs)


def _unpacked(value: Any) -> Any:
    """Schemas as dictionaries and enum members as values, at any depth."""
    match value:
        case Enum():
            return value.value
        case BaseModel():
            return {name: _unpacked(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            return {name: _unpacked(item) for name, item in value.items()}
        case list():
            return [_unpacked(item) for item in value]
    return value


def _typed(schema: type[Schema], rows: list[Any]) -> list[dict[str, Any]]:
    return _validated(schema, lambda adapter: adapter.validate_python(rows), _Types(_LENIENT))


@dataclass(frozen=True, slots=True)
class _Types:
    """Python types made from shapes. ``scalars``: by Spark type; Python rows may hold ISO text, JSON is text anyway.

    Null may stand anywhere, since nulls are a check's business.
    """

    scalars: Mapping[str, Any]

    def row(self, name: str, shapes: Mapping[str, Shape]) -> Any:
        fields = {column: self.value(column, shape) for column, shape in shapes.items()}
        made = _typed_dict(name, fields, total=False)
        made.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)
        return made

    def value(self, name: str, shape: Shape) -> Any:
        family = type_family(shape.type)
        if family == "struct":
            return self.row(name, dict(shape.parts)) | None
        if family in ("array", "map"):
            ((_, part),) = shape.parts
            inner = self.value(name, part)
            return (_list[inner] if family == "array" else _dict[str, inner]) | None
        core: Any = self.scalars[str(shape.type) if family != "decimal" else family]
        if family == "decimal":
            digits, places = decimal_size(str(shape.type))
            core = Annotated[core, Field(max_digits=digits, decimal_places=places)]
        return core | None


# Types made at run time from types made at run time: no checker follows that.
_typed_dict: Any = TypedDict
_list: Any = list
_dict: Any = dict


def _validated(schema: type[Schema], validate: Validate, types: _Types) -> list[dict[str, Any]]:
    shapes = schema_shapes(schema)
    try:
        return validate(TypeAdapter(_list[types.row(schema.__name__, shapes)]))
    except ValidationError as error:
        raise _refusal(schema, list(_lines(error, shapes))) from error


def _iso_date(value: Any) -> Any:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _iso_moment(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _exact(value: Any) -> Any:
    if not isinstance(value, str) and type(value) is not int:
        return value
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError("not a decimal number") from error


_STRICT: Final[Mapping[str, Any]] = {
    "boolean": bool,
    **{width.spark: Annotated[int, Ge(width.lowest), Le(width.highest)] for width in WIDTHS},
    "double": float,
    "float": Float32,
    "decimal": Decimal,
    "string": str,
    "binary": bytes,
    "date": date,
    "timestamp": AwareDatetime,
    "timestamp_ntz": NaiveDatetime,
}
_LENIENT: Final[Mapping[str, Any]] = {
    **_STRICT,
    "decimal": Annotated[Decimal, BeforeValidator(_exact)],
    "date": Annotated[date, BeforeValidator(_iso_date)],
    "timestamp": Annotated[AwareDatetime, BeforeValidator(_iso_moment)],
    "timestamp_ntz": Annotated[NaiveDatetime, BeforeValidator(_iso_moment)],
}


@dataclass(frozen=True, slots=True)
class _Filler:
    """The columns of one schema, and where their values come from."""

    columns: tuple[Column, ...]
    shapes: Mapping[str, Shape]
    key: frozenset[str]
    chance: random.Random | None

    @classmethod
    def of(cls, schema: type[Schema], chance: random.Random | None) -> "_Filler":
        spec = schema_spec(schema)
        return cls(spec.columns, schema_shapes(schema), frozenset(spec.key), chance)

    def row(self, stated: Row, number: int) -> dict[str, Any]:
        return {
            column.name: stated[column.name] if column.name in stated else self._value(column, number)
            for column in self.columns
        }

    def _value(self, column: Column, number: int) -> Any:
        shape = self.shapes[column.name]
        if column.name in self.key:
            return example(shape, number)
        if self.chance is not None:
            return (
                None if shape.nullable and self.chance.random() < 0.25 else example(shape, self.chance.randrange(997))
            )
        if column.has_default:
            return _listed(column.default)
        return None if shape.nullable else example(shape)


def _listed(value: Any) -> Any:
    """A default from the schema record, whose lists are tuples, as Spark wants it."""
    if isinstance(value, tuple):
        return [_listed(item) for item in value]
    return {name: _listed(item) for name, item in value.items()} if isinstance(value, dict) else value


def _check(schema: type[Schema], rows: list[dict[str, Any]]) -> None:
    try:
        TypeAdapter(_list[schema]).validate_python(rows)
    except ValidationError as error:
        told = [*_lines(error, schema_shapes(schema)), "rows that are meant to break a check go in unchecked([...])"]
        raise _refusal(schema, told) from error


def _lines(error: ValidationError, shapes: Mapping[str, Shape]) -> Iterator[str]:
    for item in error.errors()[:_MISTAKES_SHOWN]:
        row, *inner = item["loc"] or ("?",)
        place = ".".join(str(part) for part in inner) or "(whole)"
        if item["type"] == "extra_forbidden":
            yield f"row {row}, {place}: no such column{nearest(place, shapes)}"
        else:
            told = item["msg"].removeprefix("Value error, ")
            yield f"row {row}, {place}: {told} (got {clip(repr(item['input']), 60)})"


def _refusal(schema: type[Schema], lines: list[str]) -> ConfigError:
    return ConfigError(
        f"rows do not fit {schema.__name__}", where=f"{schema.__module__}.{schema.__qualname__}", details=lines
    )
