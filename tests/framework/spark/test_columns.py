from typing import Annotated, Any

import pytest
from annotated_types import Ge
from pydantic import Field
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from framework.errors import DefinitionError, SchemaMismatch
from framework.schema.model import Schema, schema_spec
from framework.schema.types import Int32, Warn
from framework.spark.columns import plain_type, spark_type, struct_type, verify_columns

pytestmark = pytest.mark.spark

WHERE = "jobs.flights.delays:DelayByCarrier, output default"


class Daily(Schema, key=("carrier",)):
    carrier: Annotated[str, Field(description="IATA code")]
    flights: int
    mean_delay: Annotated[float, Ge(-120)] | None
    tags: list[str]


SPEC = schema_spec(Daily)
RIGHT = "'AA' carrier, 1L flights, 1.5D mean_delay, array('x') tags"


def frame(spark: SparkSession, columns: str) -> Any:
    return spark.range(1).selectExpr(*[]) if not columns else spark.sql(f"select {columns}")


def test_right_columns_pass_in_any_order_and_come_out_as_declared(spark: SparkSession) -> None:
    result = verify_columns(
        frame(spark, "array('x') tags, 1.5D mean_delay, 1L flights, 'AA' carrier"), SPEC, where=WHERE
    )

    assert result.columns == ["carrier", "flights", "mean_delay", "tags"]
    assert result.schema["carrier"].metadata == {"comment": "IATA code"}


def test_nullability_is_never_compared(spark: SparkSession) -> None:
    nullable = frame(
        spark, "if(rand() < 2, 'AA', null) carrier, 1L flights, null :: double mean_delay, array(null :: string) tags"
    )

    assert verify_columns(nullable, SPEC, where=WHERE).columns == list(SPEC.names)


def test_every_mistake_is_told_at_once_with_the_line_that_mends_it(spark: SparkSession) -> None:
    wrong = frame(spark, "'AA' Carier, 1 flights, '1.5' mean_delay, 2 extra, array(1) tags")

    with pytest.raises(SchemaMismatch) as stop:
        verify_columns(wrong, SPEC, where=WHERE)

    assert stop.value.where == WHERE
    assert list(stop.value.details) == [
        "carrier: missing, expected string; did you mean Carier?",
        'flights: got int, expected bigint; .withColumn("flights", F.col("flights").cast("bigint"))',
        'mean_delay: got string, expected double; .withColumn("mean_delay", F.col("mean_delay").cast("double"))',
        "tags: got array<int>, expected array<string>",
        "Carier: extra, got string, expected no such column",
        "extra: extra, got int, expected no such column",
    ]
    assert stop.value.next_step == (
        '.withColumnsRenamed({"Carier": "carrier"}); cast what has another type; '
        "end the transform with .select(*Daily.c)"
    )


@pytest.mark.parametrize(
    ("columns", "step"),
    [
        (f"{RIGHT}, 2 more", "end the transform with .select(*Daily.c)"),
        (RIGHT.replace("1L", "1"), "cast what has another type"),
        (RIGHT.replace(" carrier", " Carrier"), '.withColumnsRenamed({"Carrier": "carrier"})'),
        (RIGHT.replace("'AA' carrier, ", ""), "add carrier"),
        (f"{RIGHT}, 'BB' carrier", "leave one column of each name"),
    ],
)
def test_the_next_step_is_what_mends_the_kind_of_mistake(spark: SparkSession, columns: str, step: str) -> None:
    with pytest.raises(SchemaMismatch) as stop:
        verify_columns(frame(spark, columns), SPEC, where=WHERE)

    assert stop.value.next_step == step


def test_the_proposed_renaming_mends(spark: SparkSession) -> None:
    wrong = frame(spark, RIGHT.replace(" carrier", " Carrier"))

    assert verify_columns(wrong.withColumnsRenamed({"Carrier": "carrier"}), SPEC, where=WHERE).count() == 1


def test_two_columns_of_one_name_are_told(spark: SparkSession) -> None:
    twice = frame(spark, RIGHT).select("*", F.lit("BB").alias("carrier"))

    with pytest.raises(SchemaMismatch, match="there are 2 columns of this name"):
        verify_columns(twice, SPEC, where=WHERE)


def test_a_column_of_nothing_but_null_says_how_to_type_it(spark: SparkSession) -> None:
    with pytest.raises(SchemaMismatch, match=r'mean_delay: got void, expected double; .withColumn\("mean_delay"'):
        verify_columns(frame(spark, "'AA' carrier, 1L flights, null mean_delay, array('x') tags"), SPEC, where=WHERE)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("arival >= 0", "arival"),
        ("flights + 1", "is bigint, not true or false"),
        ("count(*) > 0", "count"),
        ("flights >", "Syntax error|PARSE_SYNTAX_ERROR"),
    ],
)
def test_a_rule_that_cannot_be_checked_stops_before_the_write(spark: SparkSession, sql: Any, said: Any) -> None:
    class Ruled(Schema, rules={"odd": Warn(sql), "fine": "flights >= 0"}):
        flights: int

    with pytest.raises(DefinitionError, match=said) as stop:
        verify_columns(frame(spark, "1L flights"), schema_spec(Ruled), where=WHERE)

    assert [line.partition(":")[0] for line in stop.value.details] == ["odd"]


def test_rules_may_end_in_a_comment(spark: SparkSession) -> None:
    class Ruled(Schema, rules={"fine": "flights >= 0 -- always"}):
        flights: int

    assert verify_columns(frame(spark, "1L flights"), schema_spec(Ruled), where=WHERE).count() == 1


def test_types_are_nullable_at_every_depth_so_that_nulls_can_be_counted() -> None:
    class Inner(Schema):
        x: Int32

    class Outer(Schema):
        items: list[Inner]
        by_name: dict[str, int]

    kinds: Any = struct_type(schema_spec(Outer))

    assert all(field.nullable for field in kinds.fields)
    assert kinds["items"].dataType.containsNull
    assert kinds["items"].dataType.elementType["x"].nullable
    assert kinds["by_name"].dataType.valueContainsNull
    assert plain_type("long") == "long"
    assert spark_type("decimal(5,2)").simpleString() == "decimal(5,2)"
