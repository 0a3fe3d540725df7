"""The walk over one annotation: its Spark type, whether it may be null, and its constraints, at any depth.

pydantic keeps constraints in several places (``FieldInfo.metadata``, inside the arms of a union, inside ``list[...]``)
and Spark has no word for most of what pydantic can say. So the walk is a whitelist: what is not in the tables here is
a definition error.
"""

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import annotated_types as at
from pydantic import AwareDatetime, BaseModel, NaiveDatetime, Strict
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from framework.errors import DefinitionError
from framework.schema.spec import Kind, Policy, SparkType
from framework.schema.types import LONG, IntWidth, Policed, SinglePrecision

SCALARS: Final[Mapping[Any, str]] = {
    bool: "boolean",
    int: "long",
    float: "double",
    str: "string",
    bytes: "binary",
    date: "date",
    datetime: "timestamp",
    AwareDatetime: "timestamp",
    NaiveDatetime: "timestamp_ntz",
}
ALLOWED: Final = (
    "bool, int, Int8, Int16, Int32, float, Float32, str, bytes, date, AwareDatetime, NaiveDatetime, Decimal with digits, "
    "Literal, Enum, a Schema, list[...], dict[str, ...]"
)
INTEGERS: Final = frozenset({"byte", "short", "integer", "long"})
MAX_DIGITS: Final = 38
_DIGITS_HINT: Final = "Annotated[Decimal, Field(max_digits=12, decimal_places=2)]"


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint as it was written; ``kind`` and ``argument`` are those of ``spec.Check``."""

    kind: Kind
    argument: Any
    policy: Policy = "fail"


@dataclass(frozen=True, slots=True)
class Shape:
    """What one annotation means. ``parts``: ``items`` of a list, ``values`` of a map, the fields of a struct."""

    type: SparkType
    nullable: bool
    constraints: tuple[Constraint, ...] = ()
    parts: tuple[tuple[str, "Shape"], ...] = ()
    width: IntWidth | None = None


@dataclass(slots=True)
class _Notes:
    """What the ``Annotated`` layers around one type said."""

    constraints: list[Constraint] = field(default_factory=list)
    width: IntWidth | None = None
    single: bool = False
    digits: int | None = None
    places: int | None = None


StructOf = Callable[[type[BaseModel]], tuple[SparkType, tuple[tuple[str, Shape], ...]]]


def shape_of(annotation: Any, metadata: Iterable[object], *, struct_of: StructOf) -> Shape:
    """The shape of ``annotation``, ``metadata`` being what pydantic took off its outside.

    ``struct_of`` gives the type and parts of a nested schema. Raises: DefinitionError with one sentence.
    """
    core, layers, nullable = _unwrap(annotation)
    notes = _read((*layers, *metadata))
    if isinstance(core, type) and issubclass(core, BaseModel):
        kind, parts = struct_of(core)
        return Shape(kind, nullable, _alone(notes, core), parts)
    if get_origin(core) in (list, dict):
        return _container(core, notes, nullable=nullable, struct_of=struct_of)
    values = _listed_values(core)
    if values is not None:
        spark = SCALARS[type(values[0])]
        return Shape(spark, nullable or None in get_args(core), (*_alone(notes, core), Constraint("enum", values)))
    spark = _scalar(core, notes)
    width = (notes.width or LONG) if spark in INTEGERS else None
    return Shape(spark, nullable, tuple(notes.constraints), width=width)


def _unwrap(annotation: Any) -> tuple[Any, tuple[object, ...], bool]:
    """The bare type, everything that ``Annotated`` put around it (inner first), and whether ``None`` is an arm."""
    if isinstance(annotation, TypeAliasType):
        return _unwrap(annotation.__value__)
    if hasattr(annotation, "__supertype__"):
        return _unwrap(annotation.__supertype__)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        core, layers, nullable = _unwrap(args[0])
        return core, (*layers, *args[1:]), nullable
    if origin in (Union, types.UnionType):
        arms = [arm for arm in args if arm is not types.NoneType]
        if len(arms) != 1:
            raise DefinitionError(f"one type per column, not {' | '.join(map(_name, arms))}")
        core, layers, nullable = _unwrap(arms[0])
        return core, layers, nullable or len(arms) < len(args)
    return annotation, (), False


def _read(metadata: Iterable[object]) -> _Notes:
    notes = _Notes()
    for item in metadata:
        _note(notes, item, "fail")
    return notes


_BOUNDS: Final[tuple[tuple[type[Any], Kind], ...]] = (
    (at.Ge, "ge"),
    (at.Gt, "gt"),
    (at.Le, "le"),
    (at.Lt, "lt"),
    (at.MultipleOf, "multiple_of"),
    (at.MinLen, "min_length"),
    (at.MaxLen, "max_length"),
)


def _note(notes: _Notes, item: Any, policy: Policy) -> None:
    for kind, name in _BOUNDS:
        if isinstance(item, kind):
            notes.constraints.append(Constraint(name, getattr(item, name), policy))
            return
    match item:
        case IntWidth():
            notes.width = item
        case SinglePrecision():
            notes.single = True
        case Policed():
            _note_policed(notes, item)
        case FieldInfo():
            if item.alias is not None or not item.is_required():
                raise DefinitionError("an alias or a default inside `| None` or [...] is lost: write it outside")
            _note_all(notes, item.metadata, policy)
        case at.GroupedMetadata():
            _note_all(notes, item, policy)
        case Strict() | at.DocInfo() | at.Unit():
            pass
        case _:
            _note_general(notes, item, policy)


def _note_all(notes: _Notes, items: Iterable[object], policy: Policy) -> None:
    for item in items:
        _note(notes, item, policy)


def _note_policed(notes: _Notes, item: Policed) -> None:
    if not item.rules or any(isinstance(rule, str) for rule in item.rules):
        raise DefinitionError(f"{item!r}: on a column it takes constraints such as Ge(0); SQL text belongs in rules=")
    before = len(notes.constraints)
    _note_all(notes, item, item.policy)
    if len(notes.constraints) == before:
        raise DefinitionError(f"{item!r}: holds no constraint")


# pydantic keeps these in classes of its own, one attribute each; None, and what is in the table, mean nothing.
_HARMLESS: Final[Mapping[str, tuple[object, ...]]] = {
    "strict": (True, False),
    "allow_inf_nan": (True,),
    "strip_whitespace": (False,),
    "to_upper": (False,),
    "to_lower": (False,),
    "ascii_only": (False,),
    "coerce_numbers_to_str": (False,),
}


def _note_general(notes: _Notes, item: object, policy: Policy) -> None:
    if type(item).__name__ not in ("_PydanticGeneralMetadata", "AllowInfNan"):
        shown = item if isinstance(item, type) else type(item)
        raise DefinitionError(f"{shown.__name__} has no meaning in Spark; constraints are Ge, Gt, Le, Lt, MultipleOf, "
                              "MinLen, MaxLen and Field(pattern=), everything else is a rule in rules=")  # fmt: skip
    for name, value in vars(item).items():
        match name:
            case "max_digits":
                notes.digits = value
            case "decimal_places":
                notes.places = value
            case "pattern" if value is not None:
                notes.constraints.append(Constraint("pattern", value, policy))
            case _ if value is not None and value not in _HARMLESS.get(name, ()):
                raise DefinitionError(f"{name}={value!r} has no meaning in Spark")


def _scalar(core: Any, notes: _Notes) -> str:
    if core is Decimal:
        return _decimal(notes)
    if notes.digits is not None or notes.places is not None:
        raise DefinitionError(f"max_digits and decimal_places are for Decimal, not {_name(core)}")
    if core is int and notes.width is not None:
        return notes.width.spark
    if core is float and notes.single:
        return "float"
    try:
        return SCALARS[core]
    except (KeyError, TypeError):
        raise DefinitionError(_unsupported(core)) from None


def _decimal(notes: _Notes) -> str:
    digits, places = notes.digits, notes.places
    if digits is None or places is None:
        raise DefinitionError(f"Decimal needs digits before and after the point, such as {_DIGITS_HINT}")
    if not (1 <= digits <= MAX_DIGITS and 0 <= places <= digits):
        raise DefinitionError(f"decimal({digits},{places}): max_digits is 1 to 38, decimal_places 0 to max_digits")
    return f"decimal({digits},{places})"


def _container(core: Any, notes: _Notes, *, nullable: bool, struct_of: StructOf) -> Shape:
    args = get_args(core)
    if get_origin(core) is list:
        item = shape_of(args[0], (), struct_of=struct_of)
        kind = {"type": "array", "elementType": item.type, "containsNull": item.nullable}
        return Shape(kind, nullable, tuple(notes.constraints), (("items", item),))
    if args[0] is not str:
        raise DefinitionError(f"keys of a dict are str, not {_name(args[0])}")
    value = shape_of(args[1], (), struct_of=struct_of)
    kind = {"type": "map", "keyType": "string", "valueType": value.type, "valueContainsNull": value.nullable}
    return Shape(kind, nullable, tuple(notes.constraints), (("values", value),))


def _listed_values(core: Any) -> tuple[Any, ...] | None:
    """The values of a Literal or Enum, None for anything else."""
    if get_origin(core) is Literal:
        values = tuple(value for value in get_args(core) if value is not None)
        allowed: tuple[type, ...] = (str, int, bool)
    elif isinstance(core, type) and issubclass(core, Enum):
        values = tuple(member.value for member in core)
        allowed = (str, int)
    else:
        return None
    kinds = {type(value) for value in values}
    if len(kinds) != 1 or kinds.isdisjoint(allowed):
        raise DefinitionError(f"the values of {_name(core)} are {_kinds(kinds)}; all are to be str, or all int")
    return values


def _kinds(kinds: Iterable[type]) -> str:
    return " and ".join(sorted(kind.__name__ for kind in kinds)) or "missing"


def _alone(notes: _Notes, core: Any) -> tuple[Constraint, ...]:
    """No constraints, after refusing any: on a Literal, Enum or Schema they would mean nothing."""
    if notes.constraints or notes.width or notes.single or notes.digits or notes.places:
        raise DefinitionError(f"{_name(core)} takes no constraints")
    return ()


_HINTS: Final[Mapping[str, str]] = {
    "list": "say what is in it: list[str]",
    "dict": "say what is in it: dict[str, float]",
    "set": "write list[...]",
    "frozenset": "write list[...]",
    "tuple": "write list[...], or a Schema for named parts",
    "Any": "a column has one type",
    "object": "a column has one type",
    "UUID": "write str",
    "time": "write str, or a datetime",
    "timedelta": "write int, with the unit in the name",
}


def _unsupported(core: Any) -> str:
    hint = _HINTS.get(_name(get_origin(core) or core), "")
    return f"{_name(core)} has no Spark type{': ' + hint if hint else ''}; there are {ALLOWED}"


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else repr(kind).removeprefix("typing.")


def walk(shape: Shape) -> Iterator[Shape]:
    """``shape`` and everything in it."""
    yield shape
    for _, part in shape.parts:
        yield from walk(part)
