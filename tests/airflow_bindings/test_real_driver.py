"""The whole way once: an Airflow task starts the real driver, which runs Spark and publishes; the next task reads it."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.airflow_bindings.platform import Platform

TEAM = """
team: flights
owners: [flights@example.org]
store: {kind: directory, root: store/flights}
"""
JOBS = '''
from datetime import date

from pyspark.sql import SparkSession, functions as F

from framework import Frame, Job, Run, Schema


class Day(Schema, key=("day", "n")):
    day: date
    n: int


class Total(Schema):
    day: date
    total: int


class Count(Job):
    """The numbers below a limit."""

    below: int

    def transform(self, run: Run, spark: SparkSession) -> Frame[Day]:
        return spark.createDataFrame([(run.date, n) for n in range(self.below)], "day date, n bigint")


class Sum(Job):
    """Their sum."""

    def transform(self, numbers: Frame[Day]) -> Frame[Total]:
        return numbers.groupBy("day").agg(F.sum("n").alias("total")).select(*Total.c)
'''


@pytest.mark.e2e
@pytest.mark.spark
@pytest.mark.timeout(900)  # two real Spark starts, on a machine that may be busy
def test_two_tasks_hand_over_a_dataset(
    platform: Platform, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet

    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "k8s/teams/flights.yaml").write_text(TEAM)
    (tmp_path / "jobs/flights").mkdir(parents=True)
    (tmp_path / f"jobs/flights/{name}.py").write_text(JOBS)
    monkeypatch.setenv("AIRFLOW__TEAMSPARK__WORKSPACE", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__TEAMSPARK__DRIVER", "framework.driver")
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            count = Spark(task_id="count", job="jobs.flights.{name}:Count", parameters={{"below": 5}})
            Spark(task_id="sum", job="jobs.flights.{name}:Sum", inputs={{"numbers": count.output}})
    """)
    run = platform.manual(dag, datetime(2013, 1, 1, tzinfo=UTC))

    states = platform.run(dag, run)

    assert states == {"count": "success", "sum": "success"}
    reference = platform.xcom(dag, run, "sum")
    assert (reference["verdict"], reference["attempt"], reference["rows_read"]) == ("published", 1, 5)
    assert reference["path"] == f"/flights/{dag.dag_id}/sum/20130101T000000Z"
    assert reference["spark_ui"] == f"teamspark spark-ui {reference['path']}@1"
    assert len(list((tmp_path / "store/flights/flights/+events").rglob("sum/20130101T000000Z/1.1-*.zstd"))) == 1
    manifest = json.loads(next((tmp_path / "store/flights").rglob("sum/*/_log/0001.published")).read_text())
    (entry,) = manifest["inputs"][0]["reads"]
    assert entry["attempt"] == 1
    files = list((tmp_path / "store/flights").rglob("sum/**/*.parquet"))
    assert pyarrow.parquet.read_table(files).to_pylist() == [{"day": date(2013, 1, 1), "total": 10}]
