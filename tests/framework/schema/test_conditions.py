"""SQL conditions against pydantic: the same rows, the same verdict, above all inside lists, dicts and structs."""

import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Len, Lt, MinLen, MultipleOf
from pydantic import AwareDatetime, Field, NaiveDatetime, TypeAdapter, ValidationError

from framework.schema.conditions import literal, quoted
from framework.schema.model import Schema, schema_shapes, schema_spec
from framework.schema.spec import Check
from framework.schema.types import Float32
from framework.testing.rows import fill, unchecked

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Money = Annotated[Decimal, Field(max_digits=12, decimal_places=2)]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LOCAL = EPOCH.replace(tzinfo=None)


class Part(Schema):
    code: Annotated[str, Field(pattern="^[0-9]{4}$")]
    size: Annotated[int, Ge(0)] | None


def pydantic_keeps(annotation: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


CASES: list[tuple[Any, list[Any]]] = [
    (list[str], [["a"], [], ["a", None], [None]]),
    (list[int | None], [[1, None], [None]]),
    (Annotated[list[int], Len(1, 2)] | None, [None, [], [1], [1, 2], [1, 2, 3]]),
    (list[Annotated[int, Ge(0), Lt(5)]], [[0, 4], [-1], [5], [0, 5]]),
    (list[Annotated[float, Le(1.0)] | None], [[1.0, None], [1.5], [float("nan")], [-0.0]]),
    (list[list[Annotated[str, MinLen(1)]]], [[["a"]], [[""]], [[]], [], [None], [["a", None]]]),
    (dict[str, float], [{}, {"a": 1.0}, {"a": None}]),
    (Annotated[dict[str, Money | None], MinLen(1)], [{}, {"a": None}, {"a": Decimal("1.00")}]),
    (dict[str, Annotated[Money, Gt(Decimal("0.10"))]], [{"a": Decimal("0.10")}, {"a": Decimal("0.11")}]),
    (Part | None, [None, {"code": "1234", "size": None}, {"code": "12", "size": 1}, {"code": "1234", "size": -1}, {"code": None, "size": 1}]),
    (list[Part], [[], [{"code": "1234", "size": 1}], [{"code": "1234\n", "size": 1}], [None]]),
    (dict[str, Part | None], [{"a": None}, {"a": {"code": "x", "size": 1}}]),
    (list[Annotated[AwareDatetime, Ge(EPOCH)]], [[EPOCH], [EPOCH - dt.timedelta(microseconds=1)]]),
    (list[Annotated[NaiveDatetime, Gt(LOCAL)]], [[LOCAL], [LOCAL + dt.timedelta(microseconds=1)]]),
    (list[Annotated[dt.date, Lt(dt.date(2013, 1, 1))]], [[dt.date(2013, 1, 1)], [dt.date(2012, 12, 31)], [dt.date(1, 1, 1)]]),
    (list[Annotated[bytes, Len(1, 2)]], [[b""], [b"a"], ["é".encode()], [b"abc"]]),
    (list[Annotated[str, Len(1, 2)]], [[""], ["éé"], ["日本語"], ["😀😀"]]),
    (list[Literal["it's", 'a "b"', "back\\slash", "line\nbreak"]], [["it's"], ['a "b"'], ["back\\slash"], ["line\nbreak"], ["it"]]),
    (list[Literal[1, 2]], [[1], [3]]),
    (list[Literal[True]], [[True], [False]]),
    (list[Annotated[Float32, Le(0.1)]], [[0.1], [0.0999]]),
    (list[Annotated[int, MultipleOf(3)]], [[-3, 0, 3], [4], [-(2**63)]]),
    (list[Annotated[Money, MultipleOf(Decimal("0.05"))]], [[Decimal("0.15"), Decimal("-9999999999.95")], [Decimal("0.01")]]),
    (list[Annotated[int, Ge(-(2**63)), Le(2**63 - 1)]], [[-(2**63), 2**63 - 1]]),
    (list[Annotated[str, Field(pattern=r"^a.c$")]], [["abc"], ["a\nc"], ["a\rc"], ["abc\n"], ["a\u2028c"], ["xabc"]]),
    (list[Annotated[str, Field(pattern=r"[/\-']")]], [["a-b"], ["it's"], ["ab"]]),
]  # fmt: skip


@pytest.mark.spark
def test_spark_and_pydantic_agree_inside_columns(spark: "SparkSession") -> None:
    from framework.spark.measure import broken
    from framework.spark.rows import frame_of_rows

    # One column for each case and one row for each value, so that Spark is asked once.
    annotations = {f"c{number}": annotation for number, (annotation, _) in enumerate(CASES)}
    row: Any = type("Row", (Schema,), {"__annotations__": annotations, "__module__": __name__})
    spec = schema_spec(row)
    stated = [(f"c{number}", value) for number, (_, values) in enumerate(CASES) for value in values]
    rows = fill(row, unchecked([{name: value} for name, value in stated]))
    kept = {name: [broken(check, spec) for check in spec.checks if check.column == name] for name in spec.names}
    columns = [f"NOT ({' OR '.join(conditions) or 'false'}) AS {name}" for name, conditions in kept.items()]

    verdicts = frame_of_rows(spark, rows, spec).selectExpr(*columns).collect()

    told = [
        (annotations[name], value, verdict[name])
        for (name, value), verdict in zip(stated, verdicts, strict=True)
        if verdict[name] != pydantic_keeps(annotations[name], value)
    ]
    assert told == []


@pytest.mark.spark
def test_literals_are_exact_in_spark(spark: "SparkSession") -> None:
    values = [
        (-(2**63), "long"),
        (127, "byte"),
        (0.1, "double"),
        (1e-320, "double"),
        (Decimal("-0.01"), "decimal(38,2)"),
        (Decimal(12345678901234567890123456789012345678), "decimal(38,0)"),
        (dt.date(1, 1, 1), "date"),
        (LOCAL.replace(year=9999, microsecond=999999), "timestamp_ntz"),
        ("a'b\\n\n\t\\", "string"),
        (True, "boolean"),
    ]

    (row,) = (
        spark.range(1)
        .selectExpr(*[f"{literal(value, kind)} AS c{i}" for i, (value, kind) in enumerate(values)])
        .collect()
    )

    assert list(row) == [value for value, _ in values]


def test_names_and_texts_cannot_leave_their_quotes() -> None:
    class Row(Schema):
        x: list[Literal["'); DROP TABLE flights; --", "\\"]]

    (check,) = [check for check in schema_spec(Row).checks if check.name == "x.items.enum"]

    assert quoted("\\' OR 1=1") == r"'\\\' OR 1=1'"
    assert re.sub(r"'(?:[^'\\]|\\.)*'", "TEXT", check.argument) == (
        "forall(`x`, x1 -> (x1 IN (CAST(TEXT AS string), CAST(TEXT AS string))))"
    )


def test_a_check_without_a_condition_is_a_mistake_of_ours() -> None:
    from framework.schema.conditions import condition
    from framework.schema.shapes import Constraint

    with pytest.raises(ValueError, match="no condition for key"):
        condition(Constraint("key", ("x",)), "long", "`x`")


def test_containers_have_no_other_checks_than_rules() -> None:
    class Row(Schema):
        x: Annotated[list[int], MinLen(1)]

    assert schema_spec(Row).column("x").checks == (
        Check("x.min_length", "x", "sql", "(array_size(`x`) >= 1)"),
        Check("x.items.null", "x", "sql", "forall(`x`, x1 -> (x1 IS NOT NULL))"),
    )
    assert schema_shapes(Row)["x"].parts[0][1].type == "long"
