"""What an image and its environment say of Spark, as a driver of a cluster hears it: real drivers, every hostile setting at once."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyspark
import pytest

from framework.laptop import LaptopRun, laptop_config
from framework.launch.base import Resources, Share
from framework.spark.settings import SessionSettings, effective_settings
from k8s.launch.parts import FILES
from k8s.launch.sparkconf import platform_settings
from tests.framework.spark.hostile import HOSTILE, SIZES

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[3]
RESOURCES = Resources("registry.example.org/flights/jobs:1", Share("1", "1Gi"), Share("1", "1Gi"), 2)
# What runs where there is no cluster: on this machine, told by the same file.
PLATFORM = {**platform_settings("sweep-1", "flights", RESOURCES, FILES), "spark.master": "local[1]"}
TEAM = "team: sweep\nowners: [a@example.org]\nstore: {kind: directory, root: store}\n"
JOB = """
import json
from pathlib import Path
from pyspark.sql import SparkSession
from framework import Frame, Job, Schema


class Row(Schema):
    id: int


class Tells(Job):
    mark: str
    keys: str
    note: str

    def transform(self, spark: SparkSession) -> Frame[Row]:
        context = spark.sparkContext
        keys = json.loads(Path(self.keys).read_text())
        names = context._jvm.java.lang.System.getProperties().stringPropertyNames()
        hadoop = context._jsc.hadoopConfiguration()
        stores = [key.removeprefix("spark.hadoop.") for key in keys if key.startswith("spark.hadoop.")]
        told = {
            "conf": dict(context.getConf().getAll()),
            "properties": {n: context._jvm.java.lang.System.getProperty(n) for n in names if n.startswith("spark.")},
            "session": {key: spark.conf.get(key, None) for key in keys},
            "hadoop": {key: hadoop.get(key) for key in stores},
            "started": [context._jvm.java.lang.System.getProperty(name) for name in ("java.class.path", "evil")],
            "user": context.sparkUser(),
            "executors": context._jsc.sc().schedulerBackend().getClass().getSimpleName(),
        }
        Path(self.mark).write_text(json.dumps(told))
        return spark.range(1)
"""
# Without an archive of its own: another folder of settings is another archive, and takes half a minute to make.
DRIVER = """
import sys
sys.prefix = {nowhere!r}
from framework.driver import main
sys.exit(main(sys.argv[1:]))
"""
Way = Callable[[Path, dict[str, str]], dict[str, str]]


def in_conf_dir(folder: Path, conf: dict[str, str]) -> dict[str, str]:
    _defaults(folder / "conf", conf)
    return {"SPARK_CONF_DIR": str(folder / "conf")}


def in_spark_home(folder: Path, conf: dict[str, str]) -> dict[str, str]:
    """A Spark of the image's own, with ``conf`` in it."""
    home = folder / "site/pyspark"
    home.mkdir(parents=True)
    for one in Path(pyspark.__file__).parent.iterdir():
        (home / one.name).symlink_to(one)
    _defaults(home / "conf", conf)
    return {"PYTHONPATH": f"{folder / 'site'}{os.pathsep}{ROOT}"}


def in_arguments(folder: Path, conf: dict[str, str]) -> dict[str, str]:
    """Every second one in a file; and a user, which is no setting."""
    _defaults(folder / "more", dict(list(conf.items())[::2]))
    words = [f"--conf {key}={shlex.quote(value)}" for key, value in list(conf.items())[1::2]]
    file = f"--properties-file {folder / 'more/spark-defaults.conf'} --proxy-user insights"
    return {"PYSPARK_SUBMIT_ARGS": f"{file} {' '.join(words)} pyspark-shell"}


def in_submit_options(_: Path, conf: dict[str, str]) -> dict[str, str]:
    return {"SPARK_SUBMIT_OPTS": _properties(conf)}


def in_java_options(_: Path, conf: dict[str, str]) -> dict[str, str]:
    return {"JAVA_TOOL_OPTIONS": _properties(conf)}


# Together as far as none takes another's place: the values are the same, so whoever were heard would be seen.
TOGETHER: dict[str, tuple[Way, ...]] = {
    "a folder of settings, arguments, options of spark-submit": (in_conf_dir, in_arguments, in_submit_options),
    "a Spark of its own, options of every Java": (in_spark_home, in_java_options),
}


def _defaults(folder: Path, conf: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    (folder / "spark-defaults.conf").write_text("".join(f"{key} {value}\n" for key, value in conf.items()))


def _properties(conf: dict[str, str]) -> str:
    return " ".join(f"-D{key}={value}" for key, value in conf.items())


def driven(folder: Path, environ: dict[str, str], platform: dict[str, str] | None) -> dict[str, Any]:
    """What a job of a driver saw that began with ``environ``."""
    for name, text in (("k8s/teams/sweep.yaml", TEAM), ("jobs/sweep/tells.py", JOB), ("nowhere", "")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "keys").write_text(json.dumps([*HOSTILE, *SIZES]))
    told = {"mark": str(folder / "mark"), "keys": str(folder / "keys"), "note": "--conf spark.master=yarn"}
    now = datetime(2013, 1, 2, tzinfo=UTC)
    run = LaptopRun(job="jobs.sweep.tells:Tells", moment=None, now=now, parameters=told)
    (folder / "config").write_bytes(laptop_config(run, folder).model_copy(update={"short_job": True}).json_bytes())
    command = ["--config", str(folder / "config"), "--result", str(folder / "result")]
    if platform is not None:
        (folder / "platform").write_text(json.dumps(platform))
        command += ["--platform", str(folder / "platform")]
    paths = f"{environ.pop('PYTHONPATH', ROOT)}{os.pathsep}{folder}"
    done = subprocess.run(
        [sys.executable, "-c", DRIVER.format(nowhere=str(folder / "nowhere")), *command],
        cwd=folder, env={**os.environ, **environ, "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    seen: dict[str, Any] = json.loads((folder / "mark").read_text())
    return seen


@pytest.mark.parametrize("ways", TOGETHER)
def test_what_the_image_says_moves_nothing(ways: str, tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    for way in TOGETHER[ways]:
        environ |= way(tmp_path, {**HOSTILE, **SIZES})

    seen = driven(tmp_path, environ, PLATFORM)

    asked = SessionSettings(seen["conf"]["spark.app.name"], platform=PLATFORM)
    meant = {one.key: one.value for one in effective_settings(asked)}
    assert {place: survivors(seen[place], meant) for place in ("conf", "properties", "session")} == {
        "conf": [], "properties": [], "session": [],
    }  # fmt: skip
    assert [key for key, value in seen["hadoop"].items() if value == HOSTILE[f"spark.hadoop.{key}"]] == []
    assert {key: seen["conf"].get(key) for key in meant.keys() - MOVING} == {
        key: value for key, value in meant.items() if key not in MOVING
    }
    assert "/tmp/evil" not in seen["started"][0]
    assert seen["started"][1] is None
    assert seen["executors"] == "LocalSchedulerBackend"
    assert seen["user"] != "insights"


# Spark itself adds to the one, and notes the other when it has started.
MOVING = {"spark.driver.extraJavaOptions", "spark.executor.extraJavaOptions", "spark.driver.port"}


def survivors(found: dict[str, str | None], meant: dict[str, str]) -> list[str]:
    """Keys of hostile settings that are as they were asked for, and are not so by the platform's word."""
    heard = [key for key, value in HOSTILE.items() if value == found.get(key) != meant.get(key)]
    return heard + [key for key, value in found.items() if "evil" in f"{value}".lower()]


def test_the_witness_without_a_platform_each_way_is_heard(tmp_path: Path) -> None:
    """But for a folder of settings, which is read in the place of Spark's own: ``test_settings`` reads both."""
    environ: dict[str, str] = {}
    meant: dict[str, str] = {}
    for number, way in enumerate((in_spark_home, in_java_options, in_arguments, in_submit_options)):
        # Two each: of those in arguments one is in a file.
        pair = {f"spark.kubernetes.node.selector.{letter}{number}": way.__name__ for letter in "ab"}
        environ |= way(tmp_path / way.__name__, pair)
        meant |= pair
    environ["PYSPARK_SUBMIT_ARGS"] = environ["PYSPARK_SUBMIT_ARGS"].replace("--proxy-user insights", "")

    seen = driven(tmp_path / "workspace", environ, None)

    assert {key: seen["conf"].get(key) for key in meant} == meant
