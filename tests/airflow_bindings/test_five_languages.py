"""One DAG, five languages: each task reads what the one before has published, and all of them say the same."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from framework.servers.identities import REGION
from tests.airflow_bindings.platform import Platform
from tests.servers.cluster import Whole
from tests.servers.seaweed import client_of

# Whoever is first waits for a node to start and to be given its images.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CHAIN = ("python", "duckdb", "go", "java")


@pytest.fixture(scope="module")
def images(whole: Whole) -> dict[str, str]:
    """By language, on the node."""
    from pathlib import Path

    from k8s.images.parts import Builder
    from k8s.local.node.images import import_images
    from tests.k8s.languages import images as languages
    from tests.servers.node import IMAGES

    builder = Builder(os.environ, Path("locks/jobs.txt"), print, IMAGES)
    made = {name: getattr(languages, f"{name}_image")(builder) for name in CHAIN}
    import_images(whole.node.node.layout, [one.archive for one in made.values()], whole.node.node.inside)
    return {name: one.name for name, one in made.items()}


@pytest.fixture
def on_node(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> Iterator[Whole]:
    extra = {"kube_config": whole.node.config("flights-airflow", "launcher")}
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTS__KUBERNETES", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    settings = {
        "launcher": "kubernetes",
        "workspace": str(whole.workspace),
        "driver": "framework.driver",
        "poll_s": "0.3",
    }
    endpoint = {"endpoint_url": whole.endpoint, "region_name": REGION}
    partner = {"conn_type": "aws", "login": whole.keys.access, "password": whole.keys.secret, "extra": endpoint}
    monkeypatch.setenv("AIRFLOW_CONN_PARTNER", json.dumps(partner))
    for name, value in settings.items():
        monkeypatch.setenv(f"AIRFLOW__TEAMSPARK__{name.upper()}", value)
    yield whole
    whole.node.empty("flights")


def test_every_language_says_the_same(platform: Platform, on_node: Whole, images: dict[str, str], name: str) -> None:
    image, _, tag = str(on_node.teams.team("flights").image).rpartition(":")
    dag = platform.dag(f"""
        from airflow_bindings import ExecutionEnvironmentOperator as Tool, SparkExecutionEnvironmentOperator
        IMAGES = {images!r}
        HERE, THERE = "jobs.flights.languages:Totals", "jobs.flights.languages:TotalsElsewhere"
        with DAG("flights.{name}", schedule=None):
            last = Spark(task_id="raw", job="jobs.flights.languages:Raw")
            for language, image in IMAGES.items():
                # An entry without `as` feeds the port that is called as its task is.
                task_id = "delays" if language == "java" else language
                last = Tool(task_id=task_id, job=THERE, image=image, inputs={{"delays": last.output}})
            SparkExecutionEnvironmentOperator(
                task_id="spark",
                job=HERE,
                job_config={{
                    "input": {{"operators": [{{"task_id": "delays"}}]}},
                    "output": {{"default": {{"destinations": [
                        {{"type": "s3", "data": {{"bucket": "partner-drop", "path": "{name}/{{{{ ds }}}}", "aws_conn_id": "partner"}}}}
                    ]}}}},
                }},
                image={image!r},
                tag={tag!r},
            )
    """)
    run = platform.manual(dag, datetime(2013, 1, 1, tzinfo=UTC))

    states = platform.run(dag, run)

    assert set(states.values()) == {"success"}, states
    found = {task: _hash(on_node, dag.dag_id, task) for task in (*CHAIN[:-1], "delays", "spark")}
    assert len(set(found.values())) == 1, found
    assert platform.xcom(dag, run, "spark")["rows_read"] == 7
    listed = client_of(on_node.endpoint, on_node.keys).list_objects_v2(
        Bucket="partner-drop", Prefix=f"{name}/2013-01-01/"
    )
    assert [one["Key"] for one in listed["Contents"] if one["Key"].endswith(".parquet")]


def _hash(whole: Whole, dag_id: str, task: str) -> str:
    from framework.hashing import hash_files
    from framework.identity import RunKey
    from framework.schema.spec import SchemaSpec
    from framework.storage.attempts import published_files
    from framework.storage.publish import RunLog
    from framework.world import open_store

    store: Any = open_store(whole.teams.team("flights").store, workspace=whole.workspace, keys=whole.keys)
    published = RunLog(store, RunKey("flights", dag_id, task, "20130101T000000Z")).newest()
    assert published is not None
    spec = SchemaSpec.from_json(published.output().schema_)
    return str(hash_files(published_files(store, published), spec))
