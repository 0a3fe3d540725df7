"""A team whose driver makes numbers, in two outputs, and what its runs have published: for tests of real drivers."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from framework.config import EdgeRef, ExportedConfig, RunFacts, RunResult
from framework.hashing import ContentHash, hash_files
from framework.identity import Epoch, RunKey
from framework.schema.spec import SchemaSpec
from framework.storage.attempts import published_files
from framework.storage.base import Store
from framework.storage.publish import RunLog

ROOT: Final = Path(__file__).parents[2]
DAY: Final = datetime(2013, 1, 1, tzinfo=UTC)
RUN: Final = "20130101T000000Z"
UPPER: Final = EdgeRef(team="numbers", dag_id="numbers.daily", task_id="numbers", output="upper", same_dag=True)
DRIVER_S: Final = 120
NUMBERS: Final = """
from typing import Annotated, NamedTuple

from annotated_types import Ge
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from framework import Frame, Job, Schema, Source, Table


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
"""


def workspace(folder: Path, store: dict[str, Any], jobs: str, **more: Any) -> Path:
    """A team with ``NUMBERS`` and ``jobs``; ``more`` of its team file."""
    (folder / "k8s" / "teams").mkdir(parents=True)
    (folder / "jobs" / "numbers").mkdir(parents=True)
    team = {"team": "numbers", "owners": ["numbers@example.org"], "store": store, **more}
    (folder / "k8s" / "teams" / "numbers.yaml").write_text(json.dumps(team))
    (folder / "jobs" / "numbers" / "made.py").write_text(NUMBERS + jobs)
    return folder


def config_of(place: Path, job: str, task: str | None = None, **edges: EdgeRef) -> ExportedConfig:
    return ExportedConfig(
        key=RunKey("numbers", "numbers.daily", task or job.lower(), RUN),
        epoch=Epoch("one", 1, 1),
        job=f"jobs.numbers.made:{job}",
        inputs={port: (edge,) for port, edge in edges.items()},
        run=RunFacts(run_id="r", run_after=DAY, logical_date=DAY, start=DAY, end=DAY),
        workspace=str(place),
        short_job=True,
    )


def environment(place: Path) -> dict[str, str]:
    """That of a process that finds the workspace's jobs, and this source."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), str(ROOT)])}


def driven(config: ExportedConfig, **more: str) -> RunResult:
    """What a launcher does: a configuration down, a result up; with ``more`` in the environment."""
    place = Path(config.workspace)
    asked, result = place / f"{config.key.task_id}.json", place / f"{config.key.task_id}.result.json"
    asked.write_bytes(config.json_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "framework.driver", "--config", str(asked), "--result", str(result)],
        cwd=place,
        env=environment(place) | more,
        capture_output=True,
        text=True,
        timeout=DRIVER_S,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return RunResult.parse_json(result.read_bytes(), where=config.job)


def contents(store: Store, task: str) -> dict[str, ContentHash]:
    published = RunLog(store, RunKey("numbers", "numbers.daily", task, RUN)).newest()
    assert published is not None
    return {
        entry.name: hash_files(published_files(store, published, entry.name), SchemaSpec.from_json(entry.schema_))
        for entry in published.manifest.outputs
    }
