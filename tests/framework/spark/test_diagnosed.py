"""What ends Spark is told by its cause and what to change: each failure is made to happen, in JVMs of their own."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyspark
import pytest

from framework.diagnosis import Evidence, diagnose
from tests.framework.spark.children import child

pytestmark = [pytest.mark.spark, pytest.mark.timeout(300)]

# Several sessions one after the other: also one whose JVM has died does not stand in the way of the next.
SESSIONS = """
import os, signal, threading
from dataclasses import replace
from pyspark import SparkContext
from pyspark.sql import functions as F
from framework.spark.failures import job_failed

def tell(name, use, spark):
    try:
        use(spark)
    except BaseException as error:
        told = job_failed(error, job="jobs.flights.one:One", part="transform")
        seen[name] = [type(told).__name__, str(told)]

def sessions(*several, **conf):
    with open_session(replace(settings, conf={**settings.conf, **conf}, master=MASTER)) as spark:
        for name, use in several:
            tell(name, use, spark)

def in_python(body):
    return lambda spark: spark.range(2).select(F.udf(body, "bigint")("id")).collect()

def import_nowhere(n):
    import nowhere_to_be_found

def signalled(number):
    def use(spark):
        threading.Timer(1, lambda: SparkContext._gateway.proc.send_signal(number)).start()
        spark.range(10**13).selectExpr("sum(hash(id))").collect()
    return use

MASTER = "local[2]"
"""
ONE_MACHINE = """
def kryo(spark):
    serializer = spark._jvm.org.apache.spark.serializer.KryoSerializer(spark.sparkContext._jsc.sc().conf())
    serializer.newInstance().serialize("x" * 2**21, spark._jvm.scala.reflect.ClassTag.AnyRef())

def late(spark):
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    spark.conf.set("spark.sql.broadcastTimeout", "1")
    slow = F.udf(lambda n: (time.sleep(5), n)[1], "bigint").asNondeterministic()
    spark.range(3).join(F.broadcast(spark.range(1).select(slow("id").alias("id"))), "id").collect()

sessions(
    ("result size", lambda spark: spark.range(2_000_000).collect()),
    ("direct memory", lambda spark: spark._jvm.java.nio.ByteBuffer.allocateDirect(2**28)),
    ("kryo buffer", kryo),
    ("python worker", in_python(lambda n: os.kill(os.getpid(), 9))),
    ("python memory", in_python(lambda n: len(bytearray(2**50)))),
    ("module", in_python(import_nowhere)),
    ("broadcast timeout", late),
    ("one's own", lambda spark: (_ for _ in ()).throw(ConnectionRefusedError(111, "Connection refused"))),
    ("heap in the driver", lambda spark: spark.range(1).select(F.length(F.repeat(F.lit("x"), 2 * 10**9))).collect()),
    ("ended", signalled(signal.SIGTERM)),
    **{"spark.driver.maxResultSize": "1m", "spark.driver.memory": "600m", "spark.kryoserializer.buffer.max": "1m",
       "spark.driver.extraJavaOptions": "-XX:MaxDirectMemorySize=128m"},
)
small = {"spark.driver.memory": "512m"}
sessions(("broadcast memory", lambda spark: spark.range(3).join(
    F.broadcast(spark.range(20_000_000).withColumn("r", F.rand())), "id").count()), **small)
sessions(("heap in a task", lambda spark: spark.range(50_000_000).groupBy(F.lit(1)).agg(
    F.collect_list("id").alias("l")).select(F.size("l")).collect()), **small)
sessions(("killed", signalled(signal.SIGKILL)), **small)
os.chdir(folder)  # a JVM that crashes leaves a file where it is
sessions(("crash", signalled(signal.SIGSEGV)), **small)
"""
TWO_PROCESSES = """
MASTER = "local-cluster[1,1,512]"

def executor_killed(n):
    worker = os.getppid()
    os.kill(int(open(f"/proc/{worker}/stat").read().rpartition(")")[2].split()[1]), 9)
    time.sleep(3)

sessions(("executor lost", in_python(executor_killed)), **{"spark.executor.memory": "512m", "spark.task.maxFailures": "1"})
"""
FULL_DISK = """
from framework.spark.write import write_failure

def spill(spark):
    try:
        spark.range(20_000_000).repartition(4).selectExpr("id", "rand() r").sort("r").write.parquet(str(folder / "out"))
    except Exception as error:
        seen["store"] = str(write_failure(error, f"file://{folder}/out"))
        raise

sessions(("scratch disk", spill), **{"spark.local.dir": str(folder / "disk")})
"""


@pytest.fixture(scope="module")
def told(archive: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return child(SESSIONS + ONE_MACHINE, tmp_path_factory.mktemp("diagnosed"))


@pytest.mark.parametrize(
    ("name", "kind", "cause", "change"),
    [
        ("result size", "JobFailed", "more rows are collected in the driver", "spark.driver.maxResultSize"),
        ("direct memory", "JobFailed", "ran out of direct memory", "spark.driver.memory"),
        ("kryo buffer", "JobFailed", "larger than Kryo's buffer", "spark.kryoserializer.buffer.max"),
        ("python worker", "JobFailed", "a Python worker was killed or crashed", "arrow.maxRecordsPerBatch"),
        ("python memory", "JobFailed", "Python ran out of memory", "arrow.maxRecordsPerBatch"),
        ("module", "JobFailed", "imports what is not installed", "teamspark image build"),
        ("broadcast timeout", "RunLost", "was not ready in time", "spark.sql.broadcastTimeout"),
        ("broadcast memory", "JobFailed", "does not fit into memory", "spark.sql.autoBroadcastJoinThreshold=-1"),
        ("heap in the driver", "JobFailed", "the driver ran out of Java heap", "spark.driver.memory"),
        ("heap in a task", "JobFailed", "the driver ran out of Java heap", "spark.driver.memory"),
        ("ended", "RunLost", "somebody ended the driver (signal 15)", "look who did"),
        ("killed", "RunLost", "the driver was killed (signal 9)", "spark.driver.memory"),
        ("crash", "RunLost", "the JVM of the driver crashed", "hs_err"),
    ],
)  # fmt: skip
def test_each_cause_is_told_with_what_to_change(
    told: dict[str, list[str]], name: str, kind: str, cause: str, change: str
) -> None:
    found, message = told[name]

    assert found == kind
    assert cause in message.splitlines()[0]
    assert change in message.splitlines()[-1]
    assert "\tat " not in message


def test_a_refused_connection_of_the_jobs_own_is_no_jvm_that_is_gone(told: dict[str, list[str]]) -> None:
    assert told["one's own"][0] == "JobFailed"
    assert "transform raised ConnectionRefusedError" in told["one's own"][1]


def test_a_lost_executor_is_told_with_its_exit_code(archive: None, tmp_path: Path) -> None:
    kind, message = child(SESSIONS + TWO_PROCESSES, tmp_path)["executor lost"]

    assert kind == "RunLost"
    assert "the executor was killed (signal 9)" in message
    assert "Command exited with code 137" in message


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small one."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place]).returncode:
        pytest.skip("nobody here may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_for_temporary_files_is_no_full_store(archive: None, disk: Path, tmp_path: Path) -> None:
    seen = child(SESSIONS + FULL_DISK, tmp_path)
    kind, message = seen["scratch disk"]

    assert seen["store"] == "None"
    assert kind == "JobFailed"
    assert "the disk for temporary files of the driver is full" in message
    assert "SPARK_LOCAL_DIRS" in message


def conditions() -> dict[str, Any]:
    (jar,) = (Path(pyspark.__file__).parent / "jars").glob("spark-common-utils_*.jar")
    known: dict[str, Any] = json.loads(ZipFile(jar).read("error/error-conditions.json"))
    return known


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("_LEGACY_ERROR_TEMP_2248", "broadcast size"),
        ("_LEGACY_ERROR_TEMP_2249", "broadcast size"),
        ("_LEGACY_ERROR_TEMP_2106", "task memory"),
        ("_LEGACY_ERROR_TEMP_2107", "task memory"),
    ],
)
def test_texts_that_need_larger_data_are_those_of_this_spark(condition: str, kind: str) -> None:
    text = " ".join(conditions()[condition]["message"])
    for name, value in (("<maxBroadcastTableBytes>", "8.0 GiB"), ("<maxBroadcastTableRows>", "512000000")):
        text = text.replace(name, value)
    for name in ("<size>", "<got>", "<numRows>", "<dataSize>"):
        text = text.replace(name, "7")

    found = diagnose(Evidence(error=text))

    assert found is not None
    assert found.kind == kind
