"""What parsing a DAG file may load: nothing that costs seconds or memory in every process that parses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.airflow_bindings.platform import Platform

HEAVY = ("pyspark", "boto3", "botocore", "kubernetes", "pandas", "pyarrow", "jobs", "framework.spark", "requests")
PLAIN = """
from airflow.sdk import DAG, BaseOperator
with DAG("flights.plain") as dag:
    a = BaseOperator(task_id="a")
    a >> BaseOperator(task_id="b")
"""
OURS = """
from airflow.sdk import DAG
from airflow_bindings import SparkExecutionEnvironmentOperator as Spark, Upstream
with DAG("flights.ours", schedule=[Upstream("a", dag_id="flights.a").asset]) as dag:
    a = Spark(task_id="a", job="jobs.flights.a:A", parameters={"n": 1}, stored_as="old")
    b = Spark(task_id="b", job="jobs.flights.a:A", inputs={"x": a.output, "y": Upstream("y", dag_id="flights.y", wait="PT1H")})
    Spark(task_id="c", job="jobs.flights.a:A", job_config={"input": {"operators": [{"task_id": "b", "as": "x"}]}})
"""
LINKED = "\nfrom airflow_bindings.policy import prepare, violations\nassert not list(violations(dag, 'flights'))\nprepare(dag, 'flights', None)\n"
TELL = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))\n"


def _loaded(source: str, home: Path) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", source + TELL],
        env={"AIRFLOW_HOME": str(home), "PATH": "/usr/bin:/bin"},
        cwd=Path.cwd(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def extra(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Modules that our file loads, policy included, and the same file with plain operators does not."""
    home = tmp_path_factory.mktemp("home")
    return _loaded(OURS + LINKED, home) - _loaded(PLAIN, home)


@pytest.mark.parametrize("name", HEAVY)
def test_nothing_heavy_is_loaded(extra: set[str], name: str) -> None:
    assert [module for module in extra if module == name or module.startswith(f"{name}.")] == []


def test_no_provider_is_loaded(extra: set[str]) -> None:
    assert [module for module in extra if module.startswith("airflow.providers.")] == []


def test_the_operator_pulls_in_no_phase_of_its_life(extra: set[str]) -> None:
    late = {"phases", "admission", "triggers", "command", "settings", "context", "state", "report"}
    assert extra & {f"airflow_bindings.{name}" for name in late} == set()


def test_spark_settings_cost_one_small_module_and_only_where_there_are_some(
    extra: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    conf = OURS.replace('parameters={"n": 1}', 'spark_conf={"spark.sql.shuffle.partitions": 4}')

    loaded = _loaded(conf, tmp_path_factory.mktemp("home"))

    assert "framework.sparkconf" not in extra
    assert "framework.sparkconf" in loaded
    assert {module for module in loaded if module.partition(".")[0] in ("pyspark", "pyarrow", "py4j")} == set()
    assert "framework.spark" not in loaded


DELIVERED = """job_config={"output": {"default": {"destinations": [
    {"type": "s3", "data": {"bucket": "reports", "path": "a", "aws_conn_id": "x"}},
    {"type": "postgres", "data": {"table": "a.b", "postgres_conn_id": "y"}}]}}}"""


def test_destinations_are_checked_without_what_delivers_to_them(
    extra: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = OURS.replace('parameters={"n": 1}', DELIVERED)

    loaded = _loaded(source + LINKED, tmp_path_factory.mktemp("home"))

    assert "framework.destinations.kinds" not in extra
    assert "framework.destinations.kinds" in loaded
    assert {module for module in loaded if module.partition(".")[0] in (*HEAVY, "psycopg", "py4j")} == set()
    assert not [module for module in loaded if module.startswith("framework.spark")]


def test_an_unknown_name_is_no_attribute() -> None:
    import airflow_bindings

    with pytest.raises(AttributeError, match="has no attribute 'Contract'"):
        airflow_bindings.Contract  # noqa: B018  asking is the point


def test_everything_promised_exists(platform: Platform) -> None:
    import airflow_bindings

    assert [name for name in airflow_bindings.__all__ if not hasattr(airflow_bindings, name)] == []
