"""The driver keeps Spark's event log of a run that failed too, unless somebody switched it off; and never fails for it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from framework.config import RunResult
from framework.identity import Epoch
from framework.storage.events import log_name, logs_of
from framework.storage.paths import EVENTS
from framework.storage.posix import DirectoryStore
from tests.framework.numbers import DRIVER_S, config_of, environment, workspace

pytestmark = pytest.mark.spark

JOBS = '''

import os


class Fails(Job):
    def transform(self, spark: SparkSession) -> Frame[Sum]:
        spark.sparkContext.setJobDescription("Authorization: Bearer " + os.environ["SERVICE_TOKEN"])
        assert spark.range(5).count() == 5
        raise ValueError(os.environ["SERVICE_TOKEN"])


class Dies(Job):
    """As of a JVM that the machine has no memory for."""

    def transform(self, spark: SparkSession) -> Frame[Sum]:
        assert spark.range(5).count() == 5
        os.kill(spark._jvm.java.lang.ProcessHandle.current().pid(), 9)
        return spark.range(5)
'''
SECRET = "canary-5f2e91"


def drive(place: Path, job: str, platform: dict[str, str] | None = None) -> tuple[RunResult, str]:
    """The result, and all that was printed."""
    config = config_of(place, job).model_copy(update={"epoch": Epoch("one", 2, 3)})
    (place / "config.json").write_bytes(config.json_bytes())
    command = [sys.executable, "-m", "framework.driver", "--config", "config.json", "--result", "result.json"]
    if platform is not None:
        (place / "platform.json").write_text(json.dumps(platform))
        command += ["--platform", "platform.json"]
    secrets = {"SERVICE_TOKEN": SECRET, "TMPDIR": str(place / "tmp")}
    (place / "tmp").mkdir()
    done = subprocess.run(
        command, cwd=place, env=environment(place) | secrets, capture_output=True, text=True, timeout=DRIVER_S
    )
    return RunResult.parse_json((place / "result.json").read_bytes(), where=job), done.stdout + done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return workspace(tmp_path, {"kind": "directory", "root": "store"}, JOBS)


def texts(place: Path, job: str) -> dict[str, str]:
    """The kept logs of a job's run, by their names."""
    store = DirectoryStore(place / "store")
    found = {log.name: store.read(log.path) for log in logs_of(store, config_of(place, job).key)}
    return {name: text_of(data or b"") for name, data in found.items()}


def text_of(data: bytes) -> str:
    found: bytes = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    return found.decode()


def test_the_log_of_a_run_that_failed_is_kept_without_its_secrets(place: Path) -> None:
    result, said = drive(place, "Fails")

    assert (result.verdict, result.attempt) == ("failed", None)
    name = log_name(Epoch("one", 2, 3))
    assert list(texts(place, "Fails")) == [name]
    text = texts(place, "Fails")[name]
    assert '"Event":"SparkListenerJobEnd"' in text
    assert "Authorization: ***" in text
    assert SECRET not in text
    assert f"teamspark spark-ui {result.path} --log {name}\n" in said
    assert list((place / "tmp").iterdir()) == []


def test_of_a_jvm_that_was_killed_what_it_had_written_is_kept(place: Path) -> None:
    result, said = drive(place, "Dies")

    assert result.verdict == "failed"
    (text,) = texts(place, "Dies").values()
    assert '"Event":"SparkListenerJobEnd"' in text
    assert "SparkListenerApplicationEnd" not in text
    assert "Spark's event log lacks its end\n" in said
    assert list((place / "tmp").iterdir()) == []


def test_where_a_run_is_launched_it_can_be_switched_off(place: Path) -> None:
    platform: dict[str, Any] = {"spark.master": "local[1]", "spark.eventLog.enabled": "false"}

    result, said = drive(place, "Numbers", platform)

    assert result.verdict == "published"
    assert texts(place, "Numbers") == {}
    assert "event log" not in said
    assert result.warnings == ()


def test_a_log_that_cannot_be_kept_is_a_remark_of_a_run_that_published(place: Path) -> None:
    (place / "store/numbers").mkdir(parents=True)
    (place / "store/numbers" / EVENTS).write_text("not a folder")

    result, said = drive(place, "Numbers")

    assert result.verdict == "published"
    assert [line.partition(":")[0] for line in result.warnings] == ["Spark's event log was not kept"]
    assert result.warnings[0] in said
