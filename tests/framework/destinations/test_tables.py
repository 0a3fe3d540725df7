"""Names and types on their way into statements: pure, and told all at once."""

import pytest

from framework.destinations.tables import Statements, TableColumn, create_statement, holds, mistakes
from framework.schema.spec import Column, SchemaSpec
from framework.sql import TableName, quoted

SPEC = SchemaSpec(
    "Row",
    (
        Column("name", "string", nullable=False),
        Column("total", "long", nullable=True),
        Column("price", "decimal(10,2)", nullable=False),
    ),
)
GOOD = (
    TableColumn("name", "text", nullable=False, given=False),
    TableColumn("total", "bigint", nullable=True, given=False),
    TableColumn("price", "numeric(12,2)", nullable=False, given=False),
    TableColumn("teamspark_run", "text", nullable=False, given=False),
    TableColumn("id", "bigint", nullable=False, given=True),
)


def test_a_table_that_fits_has_no_mistake() -> None:
    assert list(mistakes(SPEC, GOOD, "teamspark_run")) == []


def test_every_mistake_is_told_at_once() -> None:
    table = (
        TableColumn("name", "character varying(20)", nullable=False, given=False),
        TableColumn("totals", "bigint", nullable=True, given=False),
        TableColumn("price", "numeric(10,1)", nullable=False, given=False),
        TableColumn("owner", "text", nullable=False, given=False),
    )

    told = list(mistakes(SPEC, table, "teamspark_run"))

    assert [line.partition(":")[0] for line in told] == ["total", "price", "owner", "teamspark_run"]
    assert "did you mean totals?" in told[0]
    assert "decimal(10,2) does not fit into numeric(10,1)" in told[1]


def test_a_null_a_computed_column_and_a_run_column_of_the_output_are_told() -> None:
    spec = SchemaSpec("Row", (Column("a", "long", nullable=True), Column("b", "long", nullable=False)))
    table = (
        TableColumn("a", "bigint", nullable=False, given=True),
        TableColumn("b", "bigint", nullable=False, given=False, generated=True),
    )

    told = list(mistakes(spec, table, "a"))

    assert "a: may be null, and the table's column may not" in told
    assert "b: the table computes it by itself" in told
    assert any(line.startswith("a: the output has a column of this name") for line in told)


@pytest.mark.parametrize(
    ("theirs", "ours", "kept"),
    [
        ("bigint", "integer", True), ("integer", "long", False), ("numeric", "long", True), ("smallint", "byte", True),
        ("double precision", "float", True), ("real", "double", False), ("numeric", "double", False),
        ("text", "string", True), ("character varying(3)", "string", True), ("character(3)", "string", False),
        ("uuid", "string", False), ("timestamp with time zone", "timestamp", True), ("date", "timestamp", False),
        ("timestamp without time zone", "timestamp", False), ("timestamp without time zone", "timestamp_ntz", True),
        ("numeric", "decimal(38,18)", True), ("numeric(10,2)", "decimal(10,2)", True),
        ("numeric(10,1)", "decimal(10,2)", False), ("numeric(10,4)", "decimal(10,2)", False),
        ("money", "decimal(10,2)", False), ("bytea", "binary", True), ("text", "binary", False),
        ("jsonb", {"type": "array", "elementType": "long", "containsNull": False}, True),
        ("text", {"type": "array", "elementType": "long", "containsNull": False}, False),
    ],
)  # fmt: skip
def test_a_type_fits_when_it_keeps_every_value(theirs: str, ours: object, kept: bool) -> None:
    assert holds(theirs, ours) is kept


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("delays", '"public"."delays"'),
        ("sales.delays", '"sales"."delays"'),
        ('x"; DROP TABLE y; --', '"public"."x""; DROP TABLE y; --"'),
        ("Sales.Ünïcode", '"Sales"."Ünïcode"'),
    ],
)
def test_a_table_is_two_quoted_names(text: str, sql: str) -> None:
    assert TableName.of(text).sql == sql


@pytest.mark.parametrize("text", ["", "a.", ".a.b", "a.b.c", "a\0b", "x" * 64, "ü" * 32])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        TableName.of(text)


def test_a_quoted_name_cannot_be_left() -> None:
    for name in ('"', '""', '"; --', "a\nb", "%s", "%(run)s", "{fence}", "'"):
        assert quoted(name) == '"' + name.replace('"', '""') + '"'


def test_names_with_signs_of_parameters_stay_names() -> None:
    said = Statements.of(TableName("public", "100%"), ["%(run)s", "{x}"], "r%n")

    assert said.delete == 'DELETE FROM "public"."100%%" WHERE "r%%n" = %(run)s'
    assert said.copy == 'COPY "public"."100%" ("%(run)s", "{x}", "r%n") FROM STDIN'


def test_the_statement_that_people_are_shown_makes_such_a_table() -> None:
    assert create_statement(TableName.of("delays"), SPEC, "teamspark_run") == (
        'CREATE TABLE "public"."delays" ("name" text NOT NULL, "total" bigint, "price" numeric(10,2) NOT NULL, '
        '"teamspark_run" text NOT NULL)'
    )
