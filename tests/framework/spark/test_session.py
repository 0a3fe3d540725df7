"""Each of these needs a JVM of its own, so they run in processes of their own, which print what they saw."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkConf
from pyspark.sql import SparkSession

from framework.errors import SetupError
from framework.java import find_java
from framework.spark.gateway import _scratch
from framework.spark.session import SessionSettings, prepare, running
from framework.spark.settings import effective_settings
from tests.framework.spark import children

pytestmark = pytest.mark.spark


def child(code: str, folder: Path, **environ: str) -> dict[str, Any]:
    """As everywhere; with what the session has ``told``, and the ``archive`` that fits."""
    head = """
told = seen["told"] = []
archive = find_archive(settings.archive_dir, fingerprint(find_java(), spark_home()))
"""
    return children.child(head + code, folder, **environ)


def test_a_session_leaves_nothing_behind_and_another_may_follow(tmp_path: Path) -> None:
    seen = child(
        """
import signal
before = dict(os.environ), signal.getsignal(signal.SIGINT)
for turn in range(2):
    with open_session(settings, notice=told.append) as spark:
        process = spark.sparkContext._gateway.proc
        seen[f"rows{turn}"] = spark.range(10).count()
        seen["mapped"] = is_mapped(process.pid, archive)
        seen["host"] = spark.conf.get("spark.driver.host")
        seen["zone"] = spark.conf.get("spark.sql.session.timeZone")
        seen["address"] = spark.sparkContext._jvm.java.lang.System.getenv("SPARK_LOCAL_IP")
    seen[f"ended{turn}"] = process.poll()
leftover = {k: v for k, v in os.environ.items() if before[0].get(k) != v}
seen["environ"] = sorted(leftover)
seen["signal"] = signal.getsignal(signal.SIGINT) is before[1]
""",
        tmp_path,
        SPARK_LOCAL_IP="203.0.113.7",
    )

    assert seen == {
        "rows0": 10, "rows1": 10, "ended0": 0, "ended1": 0, "mapped": True, "host": "127.0.0.1", "zone": "UTC",
        "address": "127.0.0.1", "environ": [], "signal": True, "told": [],
    }  # fmt: skip


def test_what_a_killed_jvm_leaves_goes_with_its_session(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()

    seen = child(
        """
place = Path(os.environ["TMPDIR"])
try:
    with open_session(settings) as spark:
        process = spark.sparkContext._gateway.proc
        seen["during"] = sorted(path.name.partition("-")[0] for path in place.glob("teamspark-jvm-*/*"))
        seen["unpacks"] = spark.sparkContext._jvm.java.lang.System.getProperty("java.io.tmpdir")
        process.kill()
        process.wait()
except Exception as error:
    seen["stopped"] = type(error).__name__
seen["after"] = [path.name for path in place.iterdir()]
""",
        tmp_path,
        TMPDIR=str(tmp_path / "tmp"),
    )

    # The witness: whoever is killed leaves them.
    assert {"blockmgr", "spark"} <= set(seen["during"])
    assert seen["unpacks"].startswith(f"{tmp_path}/tmp/teamspark-jvm-")
    assert seen["after"] == []


@pytest.mark.parametrize(
    ("environ", "conf", "local"),
    [({}, {}, "/x"), ({"SPARK_LOCAL_DIRS": "/big"}, {}, None), ({}, {"spark.local.dir": "/big"}, None)],
)
def test_blocks_stay_where_somebody_said_that_they_belong(
    monkeypatch: pytest.MonkeyPatch, environ: Any, conf: Any, local: str | None
) -> None:
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", "-Dmine=1")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    told = _scratch(Path("/x"), SparkConf(loadDefaults=False).setAll(list(conf.items())))

    assert told["SPARK_SUBMIT_OPTS"] == "-Djava.io.tmpdir=/x -Dmine=1"
    assert told.get("SPARK_LOCAL_DIRS") == local


def test_spark_submits_arguments_count_below_the_platforms(tmp_path: Path) -> None:
    seen = child(
        """
with open_session(settings) as spark:
    for key in ("spark.x.y", "spark.sql.ansi.enabled", "spark.driver.memory", "spark.master"):
        seen[key] = spark.conf.get(key)
    seen["heap"] = spark.sparkContext._jvm.java.lang.Runtime.getRuntime().maxMemory()
""",
        tmp_path,
        PYSPARK_SUBMIT_ARGS="--conf spark.x.y=1 --conf spark.sql.ansi.enabled=false --driver-memory 3g --master local[1] pyspark-shell",
    )

    assert seen["spark.x.y"] == "1"
    assert seen["spark.sql.ansi.enabled"] == "true"
    assert seen["spark.driver.memory"] == "1g"
    assert seen["spark.master"] == "local[1]"
    assert seen["heap"] < 2**30 * 1.1


def test_udfs_run_in_this_interpreter_and_see_what_it_can_import(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "ours.py").write_text("def shout(text):\n    return text.upper()\n")

    seen = child(
        f"""
sys.path.append({str(tmp_path / "mine")!r})
import ours
from pyspark.sql import functions as F
with open_session(settings) as spark:
    loud = F.udf(ours.shout)
    seen["value"] = spark.sql("select 'a' x").select(loud("x")).first()[0]
    seen["python"] = spark.range(1).select(F.udf(lambda x: sys.executable)("id")).first()[0]
""",
        tmp_path,
        PATH="/usr/bin:/bin",
    )

    assert seen["value"] == "A"
    assert Path(seen["python"]).samefile(sys.executable)


def test_an_archive_that_java_ignores_is_noticed_and_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a-file").write_text("on the class path, so no archive fits")

    seen = child(
        """
good = next(Path(settings.archive_dir).glob("*.jsa"))
wanted = fingerprint(find_java(), spark_home())
ours = folder / "archives" / f"{wanted.stem}-{good.stat().st_size}.jsa"
os.symlink(good, ours)
settings = SessionSettings("child", archive_dir=folder / "archives", short_job=True, log=folder / "jvm.log")
with open_session(settings, notice=told.append) as spark:
    seen["rows"] = spark.range(10).count()
seen["there"] = ours.exists()
seen["log"] = (folder / "jvm.log").read_text()
""",
        tmp_path,
        SPARK_CONF_DIR=str(tmp_path / "conf"),
    )

    assert seen["rows"] == 10
    assert not seen["there"]
    assert len(seen["told"]) == 1
    assert "did not use the class-data archive" in seen["told"][0]


def test_a_damaged_archive_that_kills_java_costs_a_second_start(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()

    seen = child(
        """
os.chdir(folder)
good = archive
short = good.read_bytes()[: good.stat().st_size // 2]
wanted = fingerprint(find_java(), spark_home())
(folder / "archives" / f"{wanted.stem}-{len(short)}.jsa").write_bytes(short)
settings = SessionSettings("child", archive_dir=folder / "archives", short_job=True, log=folder / "jvm.log")
with open_session(settings, notice=told.append) as spark:
    seen["rows"] = spark.range(10).count()
""",
        tmp_path,
    )

    assert seen["rows"] == 10
    assert len(seen["told"]) == 1


@pytest.mark.parametrize("conf", [{"spark.driver.memory": "1x"}, {"spark.driver.extraJavaOptions": "-Xmx"}])
def test_a_jvm_that_does_not_start_is_a_setup_error_with_its_log(tmp_path: Path, conf: Any) -> None:
    seen = child(
        f"""
from framework.errors import SetupError
try:
    with open_session(SessionSettings("child", conf={conf!r}, log=folder / "jvm.log")):
        pass
except SetupError as error:
    seen["said"] = str(error)
    seen["where"] = str(error.where)
""",
        tmp_path,
    )

    assert "Spark did not start" in seen["said"]
    assert seen["where"] == str(tmp_path / "jvm.log")


def test_no_java_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no Java that Spark"):
        prepare(SessionSettings("x"), {"PATH": str(tmp_path)})


def test_one_session_at_a_time(spark: SparkSession) -> None:
    launch = prepare(SessionSettings("second"), {**os.environ, "PYSPARK_GATEWAY_PORT": "1"})

    with pytest.raises(SetupError, match="already open"), running(launch):
        raise AssertionError("a second session opened")


def test_platform_settings_are_those_of_the_running_session(spark: SparkSession) -> None:
    for setting in effective_settings(SessionSettings("x")):
        if setting.key not in ("spark.app.name", "spark.master", "spark.log.level"):
            assert spark.conf.get(setting.key) == setting.value


def test_progress_is_told_while_stages_run(tmp_path: Path) -> None:
    seen = child(
        """
steps = []
with open_session(settings, steps.append) as spark:
    spark.sparkContext.parallelize(range(8), 8).map(lambda n: time.sleep(0.4)).count()
    time.sleep(0.5)
seen["steps"] = [[s.active, s.completed, s.total] for s in steps]
""",
        tmp_path,
    )

    assert seen["steps"]
    assert any(active for active, _, _ in seen["steps"])
    assert all(completed <= total for _, completed, total in seen["steps"])
    assert max(completed for _, completed, _ in seen["steps"]) >= 8


def test_a_java_home_that_is_passed_over_is_said_once(tmp_path: Path) -> None:
    told: list[str] = []
    java = find_java()
    environ = {"PATH": str(java.home / "bin"), "JAVA_HOME": str(tmp_path / "nowhere")}

    prepare(SessionSettings("x"), environ, notice=told.append)

    assert len(told) == 1
    assert told[0].startswith(f"JAVA_HOME: {tmp_path}/nowhere/bin/java does not run")
    assert f"Java {java.version} from PATH is used" in told[0]
