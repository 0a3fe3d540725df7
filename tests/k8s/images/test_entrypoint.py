"""What the entrypoint starts, with a tini that prints instead."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "k8s" / "images" / "entrypoint"
EXECUTOR = {
    "SPARK_DRIVER_URL": "spark://driver@10.0.0.1:7078",
    "SPARK_EXECUTOR_ID": "3",
    "SPARK_EXECUTOR_CORES": "2",
    "SPARK_EXECUTOR_MEMORY": "512m",
    "SPARK_APPLICATION_ID": "spark-1",
    "SPARK_EXECUTOR_POD_IP": "10.0.0.2",
    "SPARK_EXECUTOR_POD_NAME": "daily-exec-3",
    "SPARK_RESOURCE_PROFILE_ID": "0",
}
BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    tini = tmp_path / "tini"
    tini.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    tini.chmod(0o755)
    return tmp_path


def start(tools: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": f"{tools}:{os.environ['PATH']}", "JAVA_HOME": "/java", "SPARK_HOME": "/spark", **env}
    return subprocess.run(["bash", str(SCRIPT), *words], env=given, capture_output=True, text=True, timeout=60)


def started(tools: Path, *words: str, **env: str) -> list[str]:
    done = start(tools, *words, **env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\0")[:-1]


def test_an_executor_is_what_spark_asks_for(tools: Path) -> None:
    assert started(tools, "executor", **EXECUTOR) == [
        "-s", "--", "/java/bin/java", "-Xms512m", "-Xmx512m", "-cp", "/spark/conf:/spark/jars/*", BACKEND,
        "--driver-url", "spark://driver@10.0.0.1:7078", "--executor-id", "3", "--cores", "2", "--app-id", "spark-1",
        "--hostname", "10.0.0.2", "--resourceProfileId", "0", "--podName", "daily-exec-3",
    ]  # fmt: skip


def test_java_options_in_spark_s_order_and_whole(tools: Path) -> None:
    options = [f"-Do{number}=a  b\n*" for number in range(12)]

    found = started(tools, "executor", **EXECUTOR, **{f"SPARK_JAVA_OPT_{n}": one for n, one in enumerate(options)})

    assert found[3:15] == options


def test_an_executor_maps_the_archive_of_classes_unless_it_is_told_another(tools: Path) -> None:
    archive = tools / "teamspark" / "spark-1.jsa"
    archive.parent.mkdir()
    archive.write_text("")

    found = started(
        tools, "executor", **EXECUTOR, XDG_CACHE_HOME=str(tools), SPARK_JAVA_OPT_0="-XX:SharedArchiveFile=/b"
    )

    assert found[3:5] == [f"-XX:SharedArchiveFile={archive}", "-XX:SharedArchiveFile=/b"]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"SPARK_CONF_DIR": "/conf"}, "/conf:/spark/jars/*"),
        ({"SPARK_CLASSPATH": "/a/*"}, "/spark/conf:/a/*:/spark/jars/*"),
        ({"SPARK_EXTRA_CLASSPATH": "/b.jar", "SPARK_DIST_CLASSPATH": "/c/*"}, "/spark/conf:/spark/jars/*:/b.jar:/c/*"),
        ({"HADOOP_CONF_DIR": "/h", "SPARK_DIST_CLASSPATH": ""}, "/spark/conf:/h:/spark/jars/*"),
    ],
)
def test_the_class_path_of_an_executor(tools: Path, env: dict[str, str], expected: str) -> None:
    found = started(tools, "executor", **EXECUTOR, **env)

    assert found[found.index("-cp") + 1] == expected


@pytest.mark.parametrize("absent", sorted(EXECUTOR))
def test_an_executor_that_is_told_too_little_does_not_start(tools: Path, absent: str) -> None:
    done = start(tools, "executor", **{name: value for name, value in EXECUTOR.items() if name != absent})

    assert done.returncode != 0
    assert done.stdout == ""
    assert absent in done.stderr


def test_a_driver_is_ours(tools: Path) -> None:
    assert started(tools, "driver", "--config", "a b", "--result", "r") == [
        "-s", "--", "python3", "-m", "framework.driver", "--config", "a b", "--result", "r",
    ]  # fmt: skip


def test_anything_else_is_run_as_it_is(tools: Path) -> None:
    assert started(tools, "ls", "-l", "*") == ["-s", "--", "ls", "-l", "*"]


def test_nothing_to_run_is_a_mistake(tools: Path) -> None:
    done = start(tools)

    assert done.returncode == 64
    assert "executor, driver" in done.stderr
