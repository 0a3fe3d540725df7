"""A run whose JVM dies in the middle of its work: the driver says so in its result, with what to change, and in no traceback."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from framework.config import MAX_RESULT_BYTES, RunResult
from framework.laptop import LaptopRun, laptop_config

pytestmark = [pytest.mark.spark, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
TEAM = "team: dying\nowners: [a@example.org]\nstore: {kind: directory, root: store}\n"
JOB = '''
from pyspark import SparkContext
from pyspark.sql import SparkSession

from framework import Frame, Job, Schema


class N(Schema):
    n: int


class One(Job):
    """Its JVM is killed, as a machine does that has no memory left."""

    def transform(self, spark: SparkSession) -> Frame[N]:
        SparkContext._gateway.proc.kill()
        return spark.range(3).withColumnRenamed("id", "n")
'''


def test_a_driver_whose_jvm_was_killed_leaves_its_verdict(archive: None, tmp_path: Path) -> None:
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "k8s/teams/dying.yaml").write_text(TEAM)
    (tmp_path / "jobs/dying").mkdir(parents=True)
    (tmp_path / "jobs/dying/one.py").write_text(JOB)
    run = LaptopRun(job="jobs.dying.one:One", moment=None, now=datetime(2013, 1, 2, tzinfo=UTC))
    (tmp_path / "config.json").write_text(laptop_config(run, tmp_path).model_dump_json())
    result = tmp_path / "result.json"

    done = subprocess.run(
        [sys.executable, "-m", "framework.driver", "--config", tmp_path / "config.json", "--result", result],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=200,
    )

    assert done.returncode == 74, done.stderr[-3000:]
    assert len(result.read_bytes()) <= MAX_RESULT_BYTES
    error = RunResult.parse_json(result.read_bytes(), where="result").error
    assert error is not None
    assert (error.error, error.retryable) == ("RunLost", True)
    assert error.message.startswith("transform: the driver was killed (signal 9)")
    assert error.message.splitlines()[-1].startswith("  next: spark.driver.memory")
    assert error.message in done.stderr
    assert json.loads(result.read_text())["verdict"] == "failed"
    assert "framework/driver.py" not in done.stderr  # which a traceback of ours would name
