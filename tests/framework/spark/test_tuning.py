"""Which compiler and collector a session's JVM is started with, and that a person's own choice is left alone."""

import os
import subprocess

import pytest

from framework.java import find_java
from framework.spark.tuning import SHORT_JOB, SMALL_SESSION, heap_bytes, tuned

SERIAL = SHORT_JOB[1:]


@pytest.mark.parametrize(
    ("master", "heap", "expected"),
    [
        ("local", None, SMALL_SESSION),
        ("local[2]", None, SMALL_SESSION),
        ("local[2,3]", "1791m", SMALL_SESSION),
        ("local[2]", "1792m", ()),
        ("local[2]", "2g", ()),
        ("local[4]", "1g", ()),
        ("local[*]", None, ()),
        ("local[12]", None, ()),
        ("k8s://https://cluster", "1g", ()),
        ("spark://host:7077", None, ()),
    ],
)
def test_small_local_sessions_get_the_collector_and_the_compiler_of_small_machines(
    master: str, heap: str | None, expected: tuple[str, ...]
) -> None:
    conf = {"spark.master": master} | ({"spark.driver.memory": heap} if heap else {})

    assert tuned(conf, short_job=False) == expected
    assert tuned(conf, short_job=True) == SHORT_JOB


@pytest.mark.parametrize("key", ["spark.driver.defaultJavaOptions", "spark.driver.extraJavaOptions"])
def test_a_collector_that_a_person_chose_stays(key: str) -> None:
    conf = {"spark.master": "local[2]", key: "-Dx=1 -XX:+UseParallelGC"}

    assert tuned(conf, short_job=False) == ()
    assert tuned(conf, short_job=True) == SHORT_JOB[:1]


@pytest.mark.spark
def test_java_does_not_start_with_two_collectors() -> None:
    """Why that one stays alone."""
    java = str(find_java(os.environ).home / "bin" / "java")

    two = subprocess.run([java, *SERIAL, "-XX:+UseParallelGC", "-version"], capture_output=True, text=True, check=False)

    assert two.returncode == 1
    assert "Multiple garbage collectors selected" in (two.stdout + two.stderr)
    for options in (SHORT_JOB, SMALL_SESSION):
        subprocess.run([java, *options, "-version"], capture_output=True, check=True)


@pytest.mark.parametrize(
    ("size", "expected"),
    [("1g", 2**30), ("512m", 2**29), ("1024", 2**30), (" 2GB ", 2**31), ("64k", 2**16), ("1t", 2**40), ("much", 0)],
)
def test_sizes_are_read_as_spark_reads_them(size: str, expected: int) -> None:
    assert heap_bytes(size) == expected
