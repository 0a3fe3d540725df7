"""``Schema``: the class that team code subclasses, a pydantic model restricted to what Spark can mean.

    class Flight(Schema, key=("carrier", "flight"), rules={"lands_later": Warn("arrival >= departure")}):
        carrier: str
        flight: int
        ...

Mistakes are told at the class statement, all at once. A class whose annotations cannot be resolved yet is looked at
again at its first use.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from framework.errors import DefinitionError
from framework.schema.annotations import BuiltSignature, defining_names, nearest, resolve
from framework.schema.columns import column_of, struct_parts, twins
from framework.schema.compare import type_text
from framework.schema.constraints import type_family
from framework.schema.shapes import Shape
from framework.schema.spec import Check, Column, SchemaSpec, SparkType
from framework.schema.types import LONG, Policed

Rules: TypeAlias = Mapping[str, str | Policed]
Described: TypeAlias = tuple[tuple[Column, Shape], ...]
_RULE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KEYLESS: Final = frozenset({"float", "array", "map", "struct"})


class ColumnNames:
    """``Flight.c``: the names of the columns as text. ``Flight.c.carrier`` is one, ``*Flight.c`` all of them."""

    def __get__(self, instance: object, owner: type["Schema"]) -> "_Names":
        return _Names(owner)


class _Names:
    __slots__ = ("_owner",)

    def __init__(self, owner: type["Schema"]) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> str:
        known = self._owner.model_fields
        if name in known:
            return name
        raise AttributeError(f"{self._owner.__name__} has no column {name!r}{nearest(name, known)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._owner.model_fields)

    def __dir__(self) -> list[str]:
        return list(self._owner.model_fields)

    def __repr__(self) -> str:
        return f"{self._owner.__name__}.c({', '.join(self)})"


@dataclass(slots=True)
class Declared:
    """What a class statement said besides its fields. ``columns`` are filled in once the annotations are resolved."""

    key: tuple[str, ...] = ()
    rules: Rules = field(default_factory=dict)
    names: Mapping[str, Any] = field(default_factory=dict)
    mistakes: tuple[str, ...] = ()
    columns: Described | None = None


class Schema(BaseModel):
    """The rows of a dataset. ``key``: columns whose values no two rows share. ``rules``: SQL conditions over a row.

    Raises: DefinitionError at the class statement.
    """

    # The validator is built at the first row: most uses of a schema never make one, and our own walk over the
    # annotations speaks first.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        defer_build=True,
        validate_by_name=True,
        validate_by_alias=True,
        protected_namespaces=(),
    )

    c: ClassVar[ColumnNames] = ColumnNames()
    __declared__: ClassVar[Declared] = Declared()

    def __init_subclass__(
        cls, *, key: tuple[str, ...] | None = None, rules: Rules | None = None, **config: Any
    ) -> None:
        super().__init_subclass__(**config)
        inherited = cls.__declared__
        cls.__declared__ = Declared(
            key=inherited.key if key is None else key,
            rules={**inherited.rules, **(rules or {})},
            names=defining_names(cls.__module__),
            mistakes=tuple(_take_bad_names(cls)),
        )

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        super().__pydantic_init_subclass__()
        complete = cls.__pydantic_fields_complete__
        mistakes = [*cls.__declared__.mistakes, *_class_mistakes(cls), *(_describe(cls, ()) if complete else ())]
        if mistakes:
            raise _refusal(cls, mistakes)
        type.__setattr__(cls, "__signature__", BuiltSignature())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _narrow(schema)
        return schema


def schema_spec(schema: type[Schema]) -> SchemaSpec:
    """``schema`` as a record; the same class gives an equal one each time.

    Raises: DefinitionError when its annotations cannot be resolved, or mean nothing to Spark.
    """
    columns = _described(schema, ())
    declared = schema.__declared__
    rules = tuple(_rule(name, rule) for name, rule in declared.rules.items())
    return SchemaSpec(schema.__name__, tuple(column for column, _ in columns), declared.key, rules, _doc(schema))


def schema_shapes(schema: type[Schema]) -> dict[str, Shape]:
    """The shape of each column, by name. Raises: DefinitionError as ``schema_spec`` does."""
    return {column.name: shape for column, shape in _described(schema, ())}


def _described(schema: type[Schema], outer: tuple[type, ...]) -> Described:
    if schema.__declared__.columns is None:
        if not schema.__pydantic_fields_complete__:
            _complete(schema)
        mistakes = _describe(schema, outer)
        if mistakes:
            raise _refusal(schema, mistakes)
    assert schema.__declared__.columns is not None
    return schema.__declared__.columns


def _complete(schema: type[Schema]) -> None:
    """Resolve what was not there at the class statement. Raises: DefinitionError naming each missing name."""
    schema.model_rebuild(raise_errors=False, _types_namespace=dict(schema.__declared__.names))
    if schema.__pydantic_fields_complete__:
        return
    mistakes = []
    for name, annotation in _own_annotations(schema).items():
        try:
            resolve(annotation, module=schema.__module__, names=schema.__declared__.names)
        except DefinitionError as error:
            mistakes.append(f"{name}: {error.what}")
    raise _refusal(schema, mistakes or ["an annotation cannot be resolved"])


def _describe(schema: type[Schema], outer: tuple[type, ...]) -> list[str]:
    """Fill ``schema.__declared__.columns``, or tell the mistakes."""

    def struct_of(inner: type[BaseModel]) -> tuple[SparkType, tuple[tuple[str, Shape], ...]]:
        return _struct(inner, (*outer, schema))

    mistakes, columns = [], []
    for name, info in schema.model_fields.items():
        try:
            columns.append(column_of(name, info, struct_of=struct_of))
        except DefinitionError as error:
            mistakes += [f"{name}: {error.what}", *(f"  {line}" for line in error.details)]
    mistakes += twins(schema.model_fields)
    mistakes += _key_mistakes(
        schema.__declared__.key, schema.model_fields, {column.name: column for column, _ in columns}
    )
    if not mistakes:
        schema.__declared__.columns = tuple(columns)
    return mistakes


def _struct(inner: type[BaseModel], outer: tuple[type, ...]) -> tuple[SparkType, tuple[tuple[str, Shape], ...]]:
    if not issubclass(inner, Schema):
        raise DefinitionError(f"{inner.__name__} is a pydantic model; make it a Schema")
    if inner in outer:
        raise DefinitionError(f"{inner.__name__} holds itself; Spark has no such type")
    if inner.__declared__.key or inner.__declared__.rules:
        raise DefinitionError(f"{inner.__name__} has key= or rules=, which hold for rows, not inside a column")
    columns = _described(inner, outer)
    if any(column.source_name != column.name for column, _ in columns):
        raise DefinitionError(f"{inner.__name__} has aliases, which name columns of a file, not parts of one")
    return struct_parts(columns)


def _class_mistakes(schema: type[Schema]) -> Iterator[str]:
    for name in schema.__private_attributes__:
        yield f"{name}: pydantic hides names that start with _; {_by_alias(name)}"
    decorators = schema.__pydantic_decorators__
    for kind in ("validators", "field_validators", "root_validators", "model_validators"):
        for name in getattr(decorators, kind):
            yield f"{name}: a validator never runs in Spark; use a constraint, or a rule in rules="
    for kind in ("computed_fields", "field_serializers", "model_serializers"):
        for name in getattr(decorators, kind):
            yield f"{name}: computed fields and serializers never run in Spark; compute it in transform"
    if schema.model_config != Schema.model_config:
        changed = {k for k, v in schema.model_config.items() if Schema.model_config.get(k) != v}
        yield f"model_config: {', '.join(sorted(changed))} cannot be set; a Schema has one configuration"
    yield from _rule_mistakes(schema.__declared__.rules)


def _rule_mistakes(rules: Rules) -> Iterator[str]:
    for name, rule in rules.items():
        if not _RULE_NAME.fullmatch(name) or name == "key":
            yield f"rules[{name!r}]: a rule's name is lower case letters, digits and _, and not 'key'"
        text = rule if isinstance(rule, str) else rule.rules[0] if _one_text(rule) else None
        if not isinstance(text, str) or not text.strip():
            yield f'rules[{name!r}]: a rule is SQL text, Warn("...") or Drop("..."), not {rule!r}'


def _one_text(rule: object) -> bool:
    return isinstance(rule, Policed) and len(rule.rules) == 1


def _key_mistakes(key: object, names: Collection[str], columns: Mapping[str, Column]) -> Iterator[str]:
    if not isinstance(key, tuple) or not all(isinstance(name, str) for name in key):
        yield f'key= is a tuple of column names, such as ("carrier",), not {key!r}'
        return
    for name in key:
        if name not in names:
            yield f"key=: there is no column {name!r}{nearest(name, names)}"
        elif name in columns and type_family(columns[name].type) in _KEYLESS:
            yield f"key=: {name} is of type {type_text(columns[name].type)}, which cannot identify a row"
    if len(set(key)) < len(key):
        yield "key=: a column is named twice"


def _take_bad_names(schema: type[Schema]) -> Iterator[str]:
    """Tell the names that no column can have, and take them out, so that pydantic goes on to the next mistake."""
    own = schema.__annotations__
    for name in [name for name in own if not name.startswith("_") and "ClassVar" not in str(own[name])]:
        if hasattr(Schema, name):
            del own[name]
            yield f"{name}: the class uses this name itself; {_by_alias(name)}"


def _by_alias(name: str) -> str:
    other = f"{name.strip('_') or 'column'}_"
    return f'write {other}: Annotated[..., Field(alias="{name}")]'


def _own_annotations(schema: type[Schema]) -> dict[str, Any]:
    classes = [base for base in reversed(schema.__mro__) if issubclass(base, Schema) and base is not Schema]
    found: dict[str, Any] = {}
    for base in classes:
        found |= base.__annotations__
    return found


def _rule(name: str, rule: str | Policed) -> Check:
    if isinstance(rule, Policed):
        return Check(name, None, "sql", rule.rules[0], rule.policy)
    return Check(name, None, "sql", rule)


def _doc(schema: type[Schema]) -> str:
    # A docstring is inherited; the base class's own is about schemas, not about these rows.
    text = schema.__doc__ if schema.__doc__ != Schema.__doc__ else None
    return " ".join((text or "").split())


def _narrow(node: Any) -> None:
    """Let pydantic accept only what the Spark types hold: 64-bit integers, and moments with a time zone."""
    if isinstance(node, list | tuple):
        for item in node:
            _narrow(item)
    if not isinstance(node, dict):
        return
    if node.get("type") == "datetime":
        node.setdefault("tz_constraint", "aware")
    if node.get("type") == "int":
        node.update(
            ge=max(node.get("ge", LONG.lowest), LONG.lowest), le=min(node.get("le", LONG.highest), LONG.highest)
        )
    for name, item in node.items():
        if name not in ("default", "metadata", "serialization"):
            _narrow(item)


def _refusal(schema: type[Schema], mistakes: list[str]) -> DefinitionError:
    return DefinitionError(
        f"{schema.__name__} cannot be a schema",
        where=f"{schema.__module__}.{schema.__qualname__}",
        next_step="change the class",
        details=mistakes,
    )
