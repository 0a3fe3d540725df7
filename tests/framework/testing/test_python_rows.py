"""Jobs that leave Spark's own expressions for Python: UDFs and pandas, under the same warnings as every test."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from framework import Frame, Job, Schema
from framework.testing.running import JobRunner

pytestmark = pytest.mark.spark


class Amount(Schema):
    name: str
    amount: int


def by_udf(rows: Any) -> Any:
    double = F.udf(lambda number: number * 2, "bigint")
    return rows.select("name", double("amount").alias("amount"))


def by_pandas_udf(rows: Any) -> Any:
    functions: Any = F  # the types of pandas_udf want annotated functions, and pandas brings none
    double = functions.pandas_udf(lambda numbers: numbers * 2, "bigint")
    return rows.select("name", double("amount").alias("amount"))


def by_map(rows: Any) -> Any:
    def doubled(batches: Any) -> Any:
        for batch in batches:
            yield batch.assign(amount=batch["amount"] * 2)

    return rows.mapInPandas(doubled, "name string, amount bigint")


def by_pandas(rows: Any) -> Any:
    local = rows.toPandas()
    local["amount"] *= 2
    return rows.sparkSession.createDataFrame(local)


WAYS: Final[Mapping[str, Callable[[Any], DataFrame]]] = {
    "udf": by_udf,
    "pandas_udf": by_pandas_udf,
    "map": by_map,
    "pandas": by_pandas,
}


class Doubled(Job):
    """Amounts twice as large."""

    way: str

    def transform(self, rows: Frame[Amount]) -> Frame[Amount]:
        return WAYS[self.way](rows)


@pytest.mark.parametrize("way", WAYS)
def test_jobs_in_python_and_pandas_run_under_test(run_job: JobRunner, way: str) -> None:
    done = run_job(Doubled(way=way), {"rows": [{"name": "pears", "amount": 2}, {"name": "figs", "amount": 0}]})

    assert sorted((row["name"], row["amount"]) for row in done.rows()) == [("figs", 0), ("pears", 4)]
    assert done.result.rows_read == 2
