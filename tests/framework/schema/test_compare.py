"""Whether a consumer can read what a producer writes, column by column."""

from typing import Any

import pytest

from framework.schema.compare import missing_for, readable_as, stricter_checks, type_text
from framework.schema.spec import Check, Column, SchemaSpec


def spec(*columns: Column, key: tuple[str, ...] = (), rules: tuple[Check, ...] = ()) -> SchemaSpec:
    return SchemaSpec("Row", columns, key, rules)


def array(of: Any, *, nulls: bool = False) -> dict[str, Any]:
    return {"type": "array", "elementType": of, "containsNull": nulls}


def mapping(of: Any, *, nulls: bool = False) -> dict[str, Any]:
    return {"type": "map", "keyType": "string", "valueType": of, "valueContainsNull": nulls}


def struct(**fields: Any) -> dict[str, Any]:
    made = [{"name": name, "type": kind, "nullable": False, "metadata": {}} for name, kind in fields.items()]
    return {"type": "struct", "fields": made}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("long", "long"),
        ("byte", "long"),
        ("short", "integer"),
        ("integer", "long"),
        ("integer", "double"),
        ("short", "float"),
        ("float", "double"),
        ("decimal(5,2)", "decimal(7,3)"),
        ("integer", "decimal(12,2)"),
        ("long", "decimal(19,0)"),
        (array("integer"), array("long", nulls=True)),
        (mapping("float"), mapping("double")),
        (struct(a="byte", b="string"), struct(a="long", b="string")),
    ],
)
def test_safe_widenings(given: Any, wanted: Any) -> None:
    assert readable_as(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("long", "integer"),
        ("double", "float"),
        ("long", "double"),
        ("integer", "float"),
        ("integer", "string"),
        ("date", "timestamp"),
        ("timestamp", "timestamp_ntz"),
        ("decimal(5,2)", "decimal(5,3)"),
        ("decimal(5,2)", "decimal(4,2)"),
        ("decimal(5,2)", "double"),
        ("double", "decimal(38,10)"),
        ("long", "decimal(18,0)"),
        ("string", array("string")),
        (array("string", nulls=True), array("string")),
        (array("long"), mapping("long")),
        (mapping("long", nulls=True), mapping("long")),
        (struct(a="long", b="long"), struct(b="long", a="long")),
        (struct(a="long"), struct(a="long", b="long")),
        (struct(a="double"), struct(a="long")),
    ],
)
def test_everything_else_is_refused(given: Any, wanted: Any) -> None:
    assert not readable_as(given, wanted)


def test_comments_do_not_matter() -> None:
    commented = struct(a="long")
    commented["fields"][0]["metadata"] = {"comment": "x"}

    assert readable_as(commented, struct(a="long"))


def test_more_columns_in_any_order_and_fewer_nulls_are_fine() -> None:
    producer = spec(
        Column("b", "integer", nullable=False),
        Column("a", "string", nullable=False),
        Column("z", "date", nullable=True),
    )
    consumer = spec(Column("a", "string", nullable=True), Column("b", "long", nullable=False))

    assert missing_for(consumer, producer) == ()


def test_each_column_that_breaks_is_told() -> None:
    producer = spec(
        Column("carier", "string", nullable=True),
        Column("n", "double", nullable=False),
        Column("day", "date", nullable=True),
    )
    consumer = spec(
        Column("carrier", "string", nullable=False),
        Column("n", "long", nullable=False),
        Column("day", "date", nullable=False),
        Column("later", "long", nullable=True, has_default=True),
        Column("nodefault", "long", nullable=True),
    )

    assert missing_for(consumer, producer) == (
        "carrier: missing, expected string; did you mean carier?; a field with a default may be missing",
        "n: is double, expected bigint or a safely narrower type",
        "day: may be null; declare it `| None`, or stop nulls in the producer",
        "nodefault: missing, expected bigint; a field with a default may be missing",
    )


@pytest.mark.parametrize(
    ("asked", "given", "proven"),
    [
        (Check("x.ge", "x", "ge", 0), Check("x.ge", "x", "ge", 5), True),
        (Check("x.ge", "x", "ge", 0), Check("x.ge", "x", "ge", -5), False),
        (Check("x.le", "x", "le", 0), Check("x.le", "x", "le", -5, "drop"), True),
        (Check("x.le", "x", "le", 0), Check("x.le", "x", "le", 0, "warn"), False),
        (Check("x.le", "x", "le", 0), Check("y.le", "y", "le", 0), False),
        (Check("x.max_length", "x", "max_length", 3), Check("x.max_length", "x", "max_length", 2), True),
        (Check("x.multiple_of", "x", "multiple_of", 5), Check("x.multiple_of", "x", "multiple_of", 10), True),
        (Check("x.multiple_of", "x", "multiple_of", 10), Check("x.multiple_of", "x", "multiple_of", 5), False),
        (Check("x.enum", "x", "enum", ("a", "b")), Check("x.enum", "x", "enum", ("a",)), True),
        (Check("x.enum", "x", "enum", ("a",)), Check("x.enum", "x", "enum", ("a", "b")), False),
        (Check("x.pattern", "x", "pattern", "a"), Check("x.pattern", "x", "pattern", "a"), True),
        (Check("x.pattern", "x", "pattern", "a"), Check("x.pattern", "x", "pattern", "b"), False),
        (Check("up", None, "sql", "x > 0"), Check("positive", None, "sql", "x > 0"), True),
    ],
)
def test_what_the_producer_proves(asked: Check, given: Check, proven: bool) -> None:
    assert (stricter_checks(spec(rules=(asked,)), spec(rules=(given,))) == ()) is proven


def test_a_smaller_key_proves_a_larger_one() -> None:
    columns = (Column("a", "long", nullable=True), Column("b", "long", nullable=True))

    assert stricter_checks(spec(*columns, key=("a", "b")), spec(*columns, key=("a",))) == ()
    assert stricter_checks(spec(*columns, key=("a",)), spec(*columns, key=("a", "b"))) == ("key",)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("long", "bigint"),
        ("decimal(5,2)", "decimal(5,2)"),
        (array("integer"), "array<int>"),
        (mapping(array("byte")), "map<string, array<tinyint>>"),
        (struct(a="short", b="string"), "struct<a: smallint, b: string>"),
    ],
)
def test_types_are_written_as_people_read_them_in_spark(kind: Any, text: str) -> None:
    assert type_text(kind) == text
