"""The same jobs on a directory and in a bucket, by the driver that a launcher starts: one hand-over, equal content."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from framework.config import EdgeRef, ExportedConfig, RunFacts, RunResult
from framework.hashing import ContentHash, hash_files
from framework.identity import Epoch, RunKey, TaskKey
from framework.job import build_job, contract_of, load_job
from framework.plan import PlanRequest
from framework.runner import RunOptions, execute
from framework.schema.spec import SchemaSpec
from framework.storage.attempts import published_files
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog
from framework.tables.log import TableLog
from framework.world import World

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]
DAY = datetime(2013, 1, 1, tzinfo=UTC)
RUN = "20130101T000000Z"
JOBS = """
from typing import Annotated, NamedTuple

from annotated_types import Ge
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from framework import Frame, Job, Schema, Table


class Number(Schema, key=("n",)):
    n: Annotated[int, Ge(0)]
    text: str
    half: float


class Sum(Schema, key=("text",)):
    text: str
    total: int


class Halves(NamedTuple):
    default: Frame[Number]
    upper: Table[Number]


class Numbers(Job):
    def transform(self, spark: SparkSession) -> Halves:
        rows = spark.range(0, 3000, 1, 3).select(
            F.col("id").alias("n"), (F.col("id") % 7).cast("string").alias("text"), (F.col("id") / 2).alias("half")
        )
        return Halves(default=rows.where("n < 1000"), upper=rows.where("n >= 1000"))


class Sums(Job):
    def transform(self, numbers: Frame[Number], history: Table[Number]) -> Frame[Sum]:
        return numbers.union(history).groupBy("text").agg(F.sum("n").alias("total"))
"""


def workspace(folder: Path, store: dict[str, Any]) -> Path:
    (folder / "k8s" / "teams").mkdir(parents=True)
    (folder / "jobs" / "numbers").mkdir(parents=True)
    team = {"team": "numbers", "owners": ["numbers@example.org"], "store": store}
    (folder / "k8s" / "teams" / "numbers.yaml").write_text(json.dumps(team))
    (folder / "jobs" / "numbers" / "made.py").write_text(JOBS)
    return folder


def config_of(place: Path, job: str, **edges: EdgeRef) -> ExportedConfig:
    return ExportedConfig(
        key=RunKey("numbers", "numbers.daily", job.lower(), RUN),
        epoch=Epoch("one", 1, 1),
        job=f"jobs.numbers.made:{job}",
        inputs={port: (edge,) for port, edge in edges.items()},
        run=RunFacts(run_id="r", run_after=DAY, logical_date=DAY, start=DAY, end=DAY),
        workspace=str(place),
        short_job=True,
    )


def driven(config: ExportedConfig) -> RunResult:
    """What a launcher does: a configuration down, a result up."""
    place = Path(config.workspace)
    asked, result = place / f"{config.key.task_id}.json", place / f"{config.key.task_id}.result.json"
    asked.write_bytes(config.json_bytes())
    command = [sys.executable, "-m", "framework.driver", "--config", str(asked), "--result", str(result)]
    search = os.pathsep.join([str(place), str(ROOT)])
    done = subprocess.run(
        command, cwd=place, env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return RunResult.parse_json(result.read_bytes(), where=config.job)


def run_here(spark: SparkSession, config: ExportedConfig) -> RunResult:
    """The same run in the session that is already there."""
    job_class = load_job(config.job)
    options = RunOptions(session=lambda _: nullcontext(spark), who="test")
    request = PlanRequest(config, contract_of(job_class))
    return execute(request, build_job(job_class, config.parameters), World.of(Path(config.workspace)), options)


def hand_over(place: Path, run: Callable[[ExportedConfig], RunResult]) -> tuple[RunResult, RunResult]:
    edge = EdgeRef(team="numbers", dag_id="numbers.daily", task_id="numbers", output="upper", same_dag=True)
    second = config_of(place, "Sums", numbers=edge, history=edge)
    return run(config_of(place, "Numbers")), run(second)


@pytest.fixture
def jobs_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Makes a workspace's jobs importable here, as long as the test lasts."""
    before = set(sys.modules)
    yield monkeypatch.syspath_prepend
    for name in set(sys.modules) - before:
        if name.startswith("jobs.numbers"):
            del sys.modules[name]


def contents(store: Store, task: str) -> dict[str, ContentHash]:
    published = RunLog(store, RunKey("numbers", "numbers.daily", task, RUN)).newest()
    assert published is not None
    return {
        entry.name: hash_files(published_files(store, published, entry.name), SchemaSpec.from_json(entry.schema_))
        for entry in published.manifest.outputs
    }


def table_of(store: Store) -> tuple[int, int]:
    found = TableLog.of(store, TaskKey("numbers", "numbers.daily", "numbers"), "upper").latest()
    assert found is not None
    return found.version, sum(file.rows or 0 for file in found.up_to(DAY))


def test_a_bucket_and_a_directory_get_equal_outputs(
    tmp_path: Path, spark: SparkSession, jobs_of: Callable[[Path], None], s3_place: Any, s3_store: Store
) -> None:
    bucket = {"kind": "s3", "bucket": s3_place.name, "prefix": s3_place.prefix, "endpoint": s3_place.endpoint}
    there = workspace(tmp_path / "s3", {**bucket, "region": s3_place.region})
    here = workspace(tmp_path / "directory", {"kind": "directory", "root": "store"})

    jobs_of(here)

    in_bucket, in_directory = hand_over(there, driven), hand_over(here, partial(run_here, spark))

    directory = DirectoryStore(here / "store")
    for mine, theirs in zip(in_bucket, in_directory, strict=True):
        assert mine.verdict == theirs.verdict == "published"
        assert {name: facts.rows for name, facts in mine.outputs.items()} == {
            name: facts.rows for name, facts in theirs.outputs.items()
        }
    assert in_bucket[1].rows_read == in_directory[1].rows_read == 4000
    assert table_of(s3_store) == table_of(directory) == (0, 2000)
    for task in ("numbers", "sums"):
        assert contents(s3_store, task) == contents(directory, task)
