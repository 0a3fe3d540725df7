"""Errors of the author's code and of Spark: where, what, and no value of a row."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import pyspark
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from framework import Frame, Job, Schema
from framework.errors import MAX_LINES, JobFailed
from framework.spark.failures import VALUES, job_failed
from framework.testing.running import JobRunner

pytestmark = pytest.mark.spark


class Amount(Schema):
    name: str
    amount: int


def cast_late(rows: DataFrame) -> DataFrame:
    return rows.withColumn("amount", F.col("name").cast("bigint"))


def cast_in_sql(rows: DataFrame) -> DataFrame:
    return rows.withColumn("amount", F.expr("cast(name as bigint)"))


def cast_in_long_sql(rows: DataFrame) -> DataFrame:
    return rows.withColumn("amount", F.expr(f"cast(concat(name, '{'x' * 200}') as bigint)"))


def in_worker(rows: DataFrame) -> DataFrame:
    return rows.withColumn("amount", F.udf(lambda number: 1 // 0, "bigint")("amount"))


def unresolved(rows: DataFrame) -> DataFrame:
    return rows.select("name", F.col("nope").alias("amount"))


def at_once(rows: DataFrame) -> DataFrame:
    raise ValueError("x\n" * 5000)


WAYS: Final[Mapping[str, Callable[[DataFrame], DataFrame]]] = {
    way.__name__: way for way in (cast_late, cast_in_sql, cast_in_long_sql, in_worker, unresolved, at_once)
}


class Fail(Job):
    """Fails in one way."""

    way: str

    def transform(self, rows: Frame[Amount]) -> Frame[Amount]:
        return WAYS[self.way](rows)


@pytest.fixture
def told(run_job: JobRunner) -> Callable[[str], JobFailed]:
    def fail(way: str) -> JobFailed:
        with pytest.raises(JobFailed) as stop:
            run_job(Fail(way=way), {"rows": [{"name": "hunter2", "amount": 1}]})
        assert len(str(stop.value).splitlines()) <= MAX_LINES
        assert "hunter2" not in str(stop.value)
        return stop.value

    return fail


def line_of(way: str) -> str:
    return f"test_failures.py:{WAYS[way].__code__.co_firstlineno + 1}"


def test_a_late_error_has_the_line_that_asked_for_it(told: Any) -> None:
    assert f"{line_of('cast_late')}, evaluated when its rows were needed" in str(told("cast_late"))


def test_an_error_in_a_worker_has_its_own_line_and_its_end(told: Any) -> None:
    error = told("in_worker")

    assert line_of("in_worker") in str(error)
    assert "ZeroDivisionError: " in str(error)


@pytest.mark.parametrize("way", ["at_once", "unresolved"])
def test_an_error_at_once_has_the_line_that_raised_it(told: Any, way: str) -> None:
    error = told(way)

    assert line_of(way) in str(error)
    assert "Project" not in str(error)  # the plan that Spark prints


def test_sql_is_told_whole_or_not_at_all(told: Any) -> None:
    assert "in SQL: cast(name as bigint)" in str(told("cast_in_sql"))
    assert "somewhere in its frames" in str(told("cast_in_sql"))
    assert "concat" not in str(told("cast_in_long_sql"))


def test_the_next_step_names_the_job() -> None:
    error = job_failed(ValueError("no"), job="jobs.flights.hourly:HourlyDelay", part="transform")

    assert error.next_step == (
        "try it on a few rows: teamspark run jobs.flights.hourly:HourlyDelay "
        "--fixtures jobs/flights/fixtures/hourly_delay/<case>"
    )


def test_witness_spark_says_the_value(spark: Any) -> None:
    with pytest.raises(PySparkException, match="hunter2") as stop:
        spark.sql("select cast(name as bigint) from values ('hunter2') t(name)").collect()

    assert "hunter2" not in str(job_failed(stop.value, job="a:B", part="transform"))


def test_what_is_masked_is_in_the_messages_of_this_spark() -> None:
    (jar,) = (Path(pyspark.__file__).parent / "jars").glob("spark-common-utils_*.jar")
    known = json.loads(ZipFile(jar).read("error/error-conditions.json"))

    for name, parameters in VALUES.items():
        texts = str([known[name], known[name].get("subClass")])
        assert [one for one in parameters if f"<{one}>" not in texts] == [], name
