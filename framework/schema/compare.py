"""Whether a consumer can read what a producer writes: names, safe widenings and nulls. Pure; the sentences are final."""

from collections.abc import Iterator
from typing import Any, Final

from framework.schema.annotations import nearest
from framework.schema.constraints import decimal_size, type_family
from framework.schema.spec import Check, Column, SchemaSpec, SparkType

# Producer's type -> types a consumer may read it as without changing any value.
WIDENINGS: Final = {
    "byte": frozenset({"short", "integer", "long", "float", "double"}),
    "short": frozenset({"integer", "long", "float", "double"}),
    "integer": frozenset({"long", "double"}),
    "long": frozenset[str](),
    "float": frozenset({"double"}),
}
# Digits that hold every value of an integer type.
_INTEGER_DIGITS: Final = {"byte": 3, "short": 5, "integer": 10, "long": 19}
_SQL_NAMES: Final = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint"}


def missing_for(consumer: SchemaSpec, producer: SchemaSpec) -> tuple[str, ...]:
    """What ``consumer`` needs and ``producer`` does not give, one sentence each; empty when it can be read.

    Columns that only the producer has do not matter. A column with a default may be missing.
    """
    known = {column.name: column for column in producer.columns}
    return tuple(line for column in consumer.columns for line in _needs(column, known))


def _needs(column: Column, known: dict[str, Column]) -> Iterator[str]:
    given = known.get(column.name)
    if given is None:
        if not column.has_default:
            yield (
                f"{column.name}: missing, expected {type_text(column.type)}{nearest(column.name, known)}; "
                "a field with a default may be missing"
            )
        return
    if not readable_as(given.type, column.type):
        yield f"{column.name}: is {type_text(given.type)}, expected {type_text(column.type)} or a safely narrower type"
    elif given.nullable and not column.nullable:
        yield f"{column.name}: may be null; declare it `| None`, or stop nulls in the producer"


def readable_as(given: SparkType, wanted: SparkType) -> bool:
    """Whether every value of type ``given`` is exactly one of type ``wanted``; comments do not matter.

    Inside lists, maps and structs the nulls must fit too; a struct has the same fields in the same order.
    """
    if isinstance(given, dict) and isinstance(wanted, dict):
        return given["type"] == wanted["type"] and _READABLE[given["type"]](given, wanted)
    if isinstance(given, dict) or isinstance(wanted, dict):
        return False
    if given == wanted or wanted in WIDENINGS.get(given, ()):
        return True
    return type_family(wanted) == "decimal" and _fits_decimal(given, decimal_size(wanted))


def _fits_decimal(given: str, wanted: tuple[int, int]) -> bool:
    if given in _INTEGER_DIGITS:
        digits, places = _INTEGER_DIGITS[given], 0
    elif type_family(given) == "decimal":
        digits, places = decimal_size(given)
    else:
        return False
    return places <= wanted[1] and digits - places <= wanted[0] - wanted[1]


def _array(given: dict[str, Any], wanted: dict[str, Any]) -> bool:
    nulls = wanted["containsNull"] or not given["containsNull"]
    return nulls and readable_as(given["elementType"], wanted["elementType"])


def _map(given: dict[str, Any], wanted: dict[str, Any]) -> bool:
    nulls = wanted["valueContainsNull"] or not given["valueContainsNull"]
    keys = given["keyType"] == wanted["keyType"]
    return nulls and keys and readable_as(given["valueType"], wanted["valueType"])


def _struct(given: dict[str, Any], wanted: dict[str, Any]) -> bool:
    if [field["name"] for field in given["fields"]] != [field["name"] for field in wanted["fields"]]:
        return False
    pairs = zip(given["fields"], wanted["fields"], strict=True)
    return all((w["nullable"] or not g["nullable"]) and readable_as(g["type"], w["type"]) for g, w in pairs)


_READABLE: Final = {"array": _array, "map": _map, "struct": _struct}


def stricter_checks(consumer: SchemaSpec, producer: SchemaSpec) -> tuple[str, ...]:
    """Names of the consumer's checks that nobody proves: the producer neither has them nor tighter ones.

    Not an error: an input's rows are measured by whoever wrote them.
    """
    proven = [check for check in producer.checks if check.policy != "warn"]
    asked = [check for check in consumer.checks if check.kind != "null"]
    return tuple(check.name for check in asked if not any(_implies(given, check) for given in proven))


def _implies(given: Check, asked: Check) -> bool:
    if (given.column, given.kind) != (asked.column, asked.kind):
        return False
    match asked.kind:
        case "ge" | "gt" | "min_length":
            return bool(given.argument >= asked.argument)
        case "le" | "lt" | "max_length":
            return bool(given.argument <= asked.argument)
        case "enum" | "key":
            # Fewer values are more; rows that differ in fewer columns differ in more, too.
            return set(given.argument) <= set(asked.argument)
        case "multiple_of":
            return bool(given.argument % asked.argument == 0)
    return bool(given.argument == asked.argument)


def type_text(kind: SparkType) -> str:
    """``kind`` as SQL and ``DataFrame.printSchema`` write it, for people: ``bigint``, ``array<string>``."""
    if not isinstance(kind, dict):
        return _SQL_NAMES.get(kind, kind)
    match kind["type"]:
        case "array":
            return f"array<{type_text(kind['elementType'])}>"
        case "map":
            return f"map<{type_text(kind['keyType'])}, {type_text(kind['valueType'])}>"
    fields = ", ".join(f"{field['name']}: {type_text(field['type'])}" for field in kind["fields"])
    return f"struct<{fields}>"
