"""One verdict on keys, Spark's and that of the reader of key columns."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from framework.schema.spec import Check, Column, SchemaSpec
from framework.spark import keys
from framework.spark.footers import read_footers
from framework.spark.measure import measure
from framework.spark.rows import frame_of_rows
from framework.spark.verify import written_frame
from framework.spark.write import write_output

pytestmark = pytest.mark.spark

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.sampled_from(["", "a", "A", "a ", "é", "é"]),
    "integer": st.integers(-2, 2),
    "decimal(9,2)": st.sampled_from([Decimal("1.00"), Decimal("1.10"), Decimal("-1.10")]),
    "date": st.sampled_from([date(1960, 1, 1), date(2013, 1, 1), date(2013, 1, 2)]),
    "timestamp": st.sampled_from([datetime(1960, 1, 1, tzinfo=UTC), datetime(2013, 1, 1, microsecond=1, tzinfo=UTC)]),
    "boolean": st.booleans(),
}


def spec_of(kinds: dict[str, str]) -> SchemaSpec:
    return SchemaSpec("Keyed", tuple(Column(name, kind, nullable=True) for name, kind in kinds.items()), tuple(kinds))


def written(spark: SparkSession, spec: SchemaSpec, rows: list[dict[str, Any]], folder: Path) -> list[Path]:
    frame = frame_of_rows(spark, rows, spec).repartition(2)
    write_output(frame, spec, f"file://{folder}", output="default")
    return sorted(folder.glob("part-*"))


@pytest.mark.parametrize("examples", [4, pytest.param(60, marks=pytest.mark.long)])
def test_unique_is_what_spark_calls_unique(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, examples: int
) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(data=st.data())
    def same_verdict(data: st.DataObject) -> None:
        one_verdict(spark, tmp_path_factory.mktemp("keys") / "out", data)

    same_verdict()


def one_verdict(spark: SparkSession, folder: Path, data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3))
    spec = spec_of({f"c{place}": kind for place, kind in enumerate(kinds)})
    row = st.fixed_dictionaries({column.name: st.none() | VALUES[str(column.type)] for column in spec.columns})
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    paths = written(spark, spec, rows, folder)

    seen = keys.unique_by_reading(spec, paths, read_footers(paths))

    frame = written_frame(spark, [f"file://{path}" for path in paths], spec)
    _, counts = measure(frame, [Check("key", None, "key", spec.key)], spec)
    assert seen == (counts["key"] == 0)


@pytest.mark.parametrize("kind", ["double", "float", "binary"])
def test_what_the_two_compare_differently_is_left_to_spark(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    spec = spec_of({"c": kind})
    paths = written(spark, spec, [{"c": None}], tmp_path / "out")

    assert not keys.unique_by_reading(spec, paths, read_footers(paths))


def test_many_rows_are_left_to_spark(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of({"c": "integer"})
    paths = written(spark, spec, [{"c": 1}, {"c": 2}], tmp_path / "out")
    assert keys.unique_by_reading(spec, paths, read_footers(paths))

    monkeypatch.setattr(keys, "_MOST_ROWS", 1)

    assert not keys.unique_by_reading(spec, paths, read_footers(paths))
