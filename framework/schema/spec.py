"""A schema as frozen records: columns, Spark types as JSON, and checks. Pure, and the same on both sides of Airflow.

A Spark type is its JSON form: ``"long"``, ``"decimal(12,2)"`` or a nested dictionary. A check's name lacks the
dataset: ``dep_delay.ge`` here is ``default.dep_delay.ge`` in a report about the output ``default``.
"""

import base64
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal, Self, TypeAlias

from framework.errors import ConfigError

SparkType: TypeAlias = "str | dict[str, Any]"
Policy: TypeAlias = Literal["fail", "drop", "warn"]
Kind: TypeAlias = Literal[
    "null", "ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern", "enum", "sql", "key"
]
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Check:
    """One rule that rows keep.

    ``argument`` by kind: a bound or step of the column's own Python type (``ge gt le lt multiple_of``), a count of
    code points or bytes (``min_length max_length``), a regular expression that Java and Rust read alike, to be found
    anywhere in the text (``pattern``), a tuple of values (``enum``), a SQL condition (``sql``), the column names
    (``key``), nothing (``null``). A null value breaks ``null`` only, and a SQL condition is broken by false, not by
    null. NaN breaks every bound. ``column`` is None for a rule over the whole row.
    """

    name: str
    column: str | None
    kind: Kind
    argument: Any = None
    policy: Policy = "fail"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "column": self.column,
            "kind": self.kind,
            "argument": tagged(self.argument),
            "policy": self.policy,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["name"], data["column"], data["kind"], untagged(data["argument"]), data["policy"])


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``source_name`` is what a file from outside calls it; everywhere else it is ``name``.

    ``checks`` leaves out the null check, which ``nullable`` already says. A column that ``has_default`` may be missing
    from an input and is then filled with ``default``.
    """

    name: str
    type: SparkType
    nullable: bool
    checks: tuple[Check, ...] = ()
    has_default: bool = False
    default: Any = None
    description: str = ""
    source_name: str = ""

    def __post_init__(self) -> None:
        if not self.source_name:
            object.__setattr__(self, "source_name", self.name)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "nullable": self.nullable,
            "checks": [check.to_json() for check in self.checks],
            "has_default": self.has_default,
            "default": tagged(self.default),
            "description": self.description,
            "source_name": self.source_name,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        plain = {name: data[name] for name in ("name", "type", "nullable", "has_default", "description", "source_name")}
        checks = tuple(Check.from_json(check) for check in data["checks"])
        return cls(checks=checks, default=untagged(data["default"]), **plain)


@dataclass(frozen=True, slots=True)
class SchemaSpec:
    """A dataset's columns in declared order, its key and its rules over a row."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    rules: tuple[Check, ...] = ()
    description: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check: per column the null check and its own, then the rules, then the key."""
        return tuple(self._all_checks())

    def _all_checks(self) -> Iterator[Check]:
        for column in self.columns:
            if not column.nullable:
                yield Check(f"{column.name}.null", column.name, "null")
            yield from column.checks
        yield from self.rules
        if self.key:
            yield Check("key", None, "key", self.key)

    def column(self, name: str) -> Column:
        """Raises: KeyError for a name that is none of ``names``."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def spark_json(self) -> dict[str, Any]:
        """Spark's StructType as JSON; descriptions are the columns' comments."""
        return {"type": "struct", "fields": [struct_field(column) for column in self.columns]}

    def to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "name": self.name,
            "columns": [column.to_json() for column in self.columns],
            "key": list(self.key),
            "rules": [rule.to_json() for rule in self.rules],
            "description": self.description,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises: ConfigError for a version this code does not know."""
        if data.get("version") != VERSION:
            raise ConfigError(
                "a schema record of another version",
                where=data.get("name"),
                got=data.get("version"),
                expected=VERSION,
                next_step="use the teamspark version that wrote it, or a newer one",
            )
        return cls(
            data["name"],
            tuple(Column.from_json(column) for column in data["columns"]),
            tuple(data["key"]),
            tuple(Check.from_json(rule) for rule in data["rules"]),
            data["description"],
        )


def struct_field(column: Column) -> dict[str, Any]:
    """``column`` as one field of Spark's StructType JSON."""
    comment = {"comment": column.description} if column.description else {}
    return {"name": column.name, "type": column.type, "nullable": column.nullable, "metadata": comment}


# Values that JSON has no word for: tag, Python type, and the way to text and back. datetime is a date, so it is first.
_TAGS: Final[tuple[tuple[str, type, Callable[[Any], str], Callable[[str], Any]], ...]] = (
    ("$decimal", Decimal, str, Decimal),
    ("$datetime", datetime, datetime.isoformat, datetime.fromisoformat),
    ("$date", date, date.isoformat, date.fromisoformat),
    ("$bytes", bytes, lambda data: base64.b64encode(data).decode(), base64.b64decode),
    ("$float", float, repr, float),
)
_READERS: Final = {tag: read for tag, _, _, read in _TAGS}


def tagged(value: Any) -> Any:
    """``value`` as JSON that ``untagged`` reads back: what JSON lacks becomes ``{"$type": text}``.

    Raises: TypeError for a value that no column can hold.
    """
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, tuple | list):
        return [tagged(item) for item in value]
    if isinstance(value, Mapping):
        return {"$map": [[name, tagged(item)] for name, item in value.items()]}
    for tag, kind, write, _ in _TAGS:
        if isinstance(value, kind):
            return {tag: write(value)}
    raise TypeError(f"no column holds a {type(value).__name__}")


def untagged(data: Any) -> Any:
    """The value that ``tagged`` wrote; lists come back as tuples."""
    if isinstance(data, list):
        return tuple(untagged(item) for item in data)
    if not isinstance(data, dict):
        return data
    ((tag, content),) = data.items()
    if tag == "$map":
        return {name: untagged(item) for name, item in content}
    return _READERS[tag](content)
