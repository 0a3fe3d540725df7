"""From the fields of a schema class to columns: every mistake found, none hidden by another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from framework.errors import DefinitionError, clip
from framework.schema.conditions import container_checks
from framework.schema.constraints import fitting
from framework.schema.shapes import Shape, StructOf, shape_of
from framework.schema.spec import Check, Column, struct_field


def column_of(name: str, info: FieldInfo, *, struct_of: StructOf) -> tuple[Column, Shape]:
    """One field as a column. Raises: DefinitionError with one sentence, the column's name not in it."""
    shape = fitted(shape_of(info.annotation, info.metadata, struct_of=struct_of))
    column = Column(
        name,
        shape.type,
        shape.nullable,
        checks=_checks(name, shape),
        description=(info.description or "").strip(),
        source_name=_source_name(info) or name,
    )
    if info.is_required():
        return column, shape
    return replace(column, has_default=True, default=_default(info, shape)), shape


def fitted(shape: Shape) -> Shape:
    """``shape`` with every constraint's argument as a value of its type, at any depth."""
    constraints = tuple(fitting(constraint, shape) for constraint in shape.constraints)
    kinds = [constraint.kind for constraint in constraints]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise DefinitionError(f"two constraints called {kind}; keep one, the other can be a rule in rules=")
    return replace(shape, constraints=constraints, parts=tuple((name, fitted(part)) for name, part in shape.parts))


def _checks(name: str, shape: Shape) -> tuple[Check, ...]:
    if isinstance(shape.type, dict):
        return tuple(container_checks(name, shape))
    return tuple(Check(f"{name}.{c.kind}", name, c.kind, c.argument, c.policy) for c in shape.constraints)


def _source_name(info: FieldInfo) -> str | None:
    """The plain alias. Two aliases that differ would be two schemas; pydantic takes one of them silently."""
    if (info.validation_alias, info.serialization_alias) != (info.alias, info.alias):
        raise DefinitionError('only a plain alias, Field(alias="..."), has a meaning here')
    if info.alias is not None and not info.alias.strip():
        raise DefinitionError("an empty alias")
    return info.alias


def _default(info: FieldInfo, shape: Shape) -> Any:
    if info.default_factory is not None:
        raise DefinitionError("default_factory: a default is one value, which older data is filled with")
    annotation: Any = Annotated[info.annotation, Field(), *info.metadata]
    try:
        value = TypeAdapter[Any](annotation).validate_python(info.default, strict=True)
    except ValidationError as error:
        told = error.errors()[0]["msg"]
        raise DefinitionError(f"the default {clip(repr(info.default), 80)} does not fit: {told}") from error
    if shape.type == "timestamp" and isinstance(value, datetime) and value.tzinfo is None:
        raise DefinitionError(f"the default {value!r} needs a time zone")
    return plain(value)


def plain(value: Any) -> Any:
    """``value`` as the records hold it: enum members as their values, schemas as dictionaries, lists as tuples."""
    match value:
        case Enum():
            return value.value
        case BaseModel():
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case list() | tuple():
            return tuple(plain(item) for item in value)
        case dict():
            return {name: plain(item) for name, item in value.items()}
    return value


def struct_parts(columns: Sequence[tuple[Column, Shape]]) -> tuple[dict[str, Any], tuple[tuple[str, Shape], ...]]:
    """A schema as the type of a column of another one."""
    kind = {"type": "struct", "fields": [struct_field(column) for column, _ in columns]}
    return kind, tuple((column.name, shape) for column, shape in columns)


def twins(fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    """Columns that Spark, which ignores case, or a file's header could not tell apart."""
    seen: dict[str, str] = {}
    for name, info in fields.items():
        for text in dict.fromkeys((name, info.alias or name)):
            first = seen.setdefault(text.casefold(), name)
            if first != name:
                yield f"{name}: {text!r} and {first!r} differ in case at most; Spark cannot tell them apart"
