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
DELIVERED = """job_config={"output": {"default": {"destinations": [
    {"type": "s3", "data": {"bucket": "reports", "path": "a", "aws_conn_id": "x"}},
    {"type": "postgres", "data": {"table": "a.b", "postgres_conn_id": "y"}}]}}}"""
SOURCES = {
    "plain": PLAIN,
    "ours": OURS + LINKED,
    "with settings": OURS.replace('parameters={"n": 1}', 'spark_conf={"spark.sql.shuffle.partitions": 4}'),
    "delivered": OURS.replace('parameters={"n": 1}', DELIVERED) + LINKED,
}
# Each file has a process of its own, forked where all of them still do the same: Airflow costs seconds to import.
PARSE = """
import json, os, sys
from airflow.sdk import DAG
for name, source in json.loads(sys.stdin.read()).items():
    if not os.fork():
        exec(compile(source, name, "exec"), {})
        print(json.dumps([name, sorted(sys.modules)]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, name
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The modules that each of ``SOURCES`` loads."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARSE],
        env={"AIRFLOW_HOME": str(tmp_path_factory.mktemp("home")), "PATH": "/usr/bin:/bin"},
        cwd=Path.cwd(),
        input=json.dumps(SOURCES),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    told = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("[")]
    assert [name for name, _ in told] == list(SOURCES)
    return {name: set(modules) for name, modules in told}


@pytest.fixture(scope="module")
def extra(loaded: dict[str, set[str]]) -> set[str]:
    """Modules that our file loads, policy included, and the same file with plain operators does not."""
    return loaded["ours"] - loaded["plain"]


@pytest.mark.parametrize("name", HEAVY)
def test_nothing_heavy_is_loaded(extra: set[str], name: str) -> None:
    assert [module for module in extra if module == name or module.startswith(f"{name}.")] == []


def test_no_provider_is_loaded(extra: set[str]) -> None:
    assert [module for module in extra if module.startswith("airflow.providers.")] == []


def test_the_operator_pulls_in_no_phase_of_its_life(extra: set[str]) -> None:
    late = {"phases", "admission", "triggers", "command", "settings", "context", "state", "report"}
    assert extra & {f"airflow_bindings.{name}" for name in late} == set()


def test_spark_settings_cost_one_small_module_and_only_where_there_are_some(
    extra: set[str], loaded: dict[str, set[str]]
) -> None:
    found = loaded["with settings"]

    assert "framework.sparkconf" not in extra
    assert "framework.sparkconf" in found
    assert {module for module in found if module.partition(".")[0] in ("pyspark", "pyarrow", "py4j")} == set()
    assert "framework.spark" not in found


def test_destinations_are_checked_without_what_delivers_to_them(extra: set[str], loaded: dict[str, set[str]]) -> None:
    found = loaded["delivered"]

    assert "framework.destinations.kinds" not in extra
    assert "framework.destinations.kinds" in found
    assert {module for module in found if module.partition(".")[0] in (*HEAVY, "psycopg", "py4j")} == set()
    assert not [module for module in found if module.startswith("framework.spark")]


def test_an_unknown_name_is_no_attribute() -> None:
    import airflow_bindings

    with pytest.raises(AttributeError, match="has no attribute 'Contract'"):
        airflow_bindings.Contract  # noqa: B018  asking is the point


def test_everything_promised_exists(platform: Platform) -> None:
    import airflow_bindings

    assert [name for name in airflow_bindings.__all__ if not hasattr(airflow_bindings, name)] == []
