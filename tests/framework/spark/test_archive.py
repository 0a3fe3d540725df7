import os
import time
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from framework.java import Java, find_java
from framework.spark.archive import (
    Fingerprint,
    archive_home,
    archive_options,
    ensure_archive,
    find_archive,
    fingerprint,
    is_mapped,
    quoted,
    report_ignored,
)
from framework.spark.session import spark_home

JAVA = Java(Path("/usr/lib/jvm/17"), "17.0.15", "openjdk 17.0.15", "PATH")
WANTED = Fingerprint("slot", "key")


def spark_folder(folder: Path) -> Path:
    (folder / "jars").mkdir(parents=True)
    for name in ("a.jar", "b.jar"):
        (folder / "jars" / name).write_text(name)
        os.utime(folder / "jars" / name, ns=(10**18, 10**18))
    return folder


def test_the_fingerprint_is_the_same_as_long_as_nothing_changes(tmp_path: Path) -> None:
    home = spark_folder(tmp_path / "spark")

    assert fingerprint(JAVA, home) == fingerprint(JAVA, home, class_path="", heap="2g")


@pytest.mark.parametrize(
    "change",
    [
        lambda home: (home / "jars" / "a.jar").write_text("other bytes"),
        lambda home: os.utime(home / "jars" / "b.jar", ns=(2 * 10**18, 2 * 10**18)),
        lambda home: (home / "jars" / "c.jar").write_text("more"),
        lambda home: (home / "jars" / "b.jar").unlink(),
        lambda home: [(home / "conf").mkdir(), (home / "conf" / "log4j2.properties").write_text("x")],
    ],
)
def test_a_change_of_spark_changes_the_key_and_keeps_the_slot(tmp_path: Path, change: Any) -> None:
    home = spark_folder(tmp_path / "spark")
    before = fingerprint(JAVA, home)

    change(home)

    after = fingerprint(JAVA, home)
    assert after.key != before.key
    assert after.slot == before.slot


def test_another_java_build_changes_the_key(tmp_path: Path) -> None:
    home = spark_folder(tmp_path / "spark")
    newer = Java(JAVA.home, "17.0.16", "openjdk 17.0.16", "PATH")

    assert fingerprint(newer, home).key != fingerprint(JAVA, home).key
    assert fingerprint(newer, home).slot == fingerprint(JAVA, home).slot


@pytest.mark.parametrize("more", [{"class_path": "/x/first.jar"}, {"heap": "32g"}, {"heap": "40000"}])
def test_what_the_caller_asks_for_is_another_slot(tmp_path: Path, more: Any) -> None:
    home = spark_folder(tmp_path / "spark")

    assert fingerprint(JAVA, home, **more).slot != fingerprint(JAVA, home).slot


@pytest.mark.parametrize("heap", ["1g", "31g", "2048m", "1024", "nonsense"])
def test_heaps_that_lay_out_objects_alike_share_an_archive(tmp_path: Path, heap: Any) -> None:
    home = spark_folder(tmp_path / "spark")

    assert fingerprint(JAVA, home, heap=heap) == fingerprint(JAVA, home)


def test_an_archive_that_was_cut_short_is_not_found(tmp_path: Path) -> None:
    whole = tmp_path / "slot-key-10.jsa"
    whole.write_bytes(b"0123456789")
    assert find_archive(tmp_path, WANTED) == whole

    whole.write_bytes(b"012345")
    assert find_archive(tmp_path, WANTED) is None


@pytest.mark.parametrize(
    ("path", "word"),
    [("/a/b.jsa", "/a/b.jsa"), ("/a b/c.jsa", '"/a b/c.jsa"'), ('/a"b\\c', '"/a\\"b\\\\c"')],
)
def test_paths_are_one_word_for_the_launcher(path: Any, word: Any) -> None:
    assert quoted(Path(path)) == word
    assert archive_options(Path(path))[0] == f"-XX:SharedArchiveFile={word}"


def test_an_ignored_archive_is_said_once_and_built_once_more(tmp_path: Path) -> None:
    told: list[str] = []
    archive = tmp_path / "slot-key-1.jsa"
    archive.write_bytes(b"x")

    report_ignored(archive, notice=told.append)
    assert not archive.exists()
    assert "built again" in told[0]

    archive.write_bytes(b"x")
    report_ignored(archive, notice=told.append)
    assert "starts without one" in told[1]

    # From now on nothing is built and nothing is said.
    assert ensure_archive(tmp_path, WANTED, notice=told.append) is None
    assert len(told) == 2


def test_a_build_that_fails_twice_is_not_tried_again(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(3):
        assert ensure_archive(tmp_path, WANTED, class_path="/no\0such", notice=told.append) is None

    assert sum("once per environment" in line for line in told) == 2
    assert sum("no class-data archive" in line for line in told) == 2


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "file").write_text("in the way")

    assert ensure_archive(tmp_path / "file", WANTED, notice=told.append) is None
    assert "Spark starts slower" in told[-1]


def test_nothing_is_mapped_by_a_process_that_is_not_there(tmp_path: Path) -> None:
    assert is_mapped(2**22 + 1, tmp_path / "x.jsa") is None
    assert is_mapped(os.getpid(), tmp_path / "x.jsa") is False


@pytest.mark.spark
def test_the_tests_own_session_uses_an_archive_of_this_environment(spark: SparkSession) -> None:
    wanted = fingerprint(find_java(), spark_home())

    archive = find_archive(archive_home(), wanted)

    assert archive is not None
    gateway: Any = spark.sparkContext._gateway
    process = gateway.proc
    assert process is None or is_mapped(process.pid, archive)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_two_builders_at_once_leave_one_working_archive_and_sweep_the_old(tmp_path: Path) -> None:
    import threading

    wanted = fingerprint(find_java(), spark_home())
    (tmp_path / f"{wanted.slot}-0000000000000000-3.jsa").write_bytes(b"old")
    abandoned = tmp_path / ".building-1-dead"
    abandoned.mkdir()
    os.utime(abandoned, (time.time() - 10_000,) * 2)
    built: list[Path | None] = []
    told: list[str] = []

    builders = [
        threading.Thread(target=lambda: built.append(ensure_archive(tmp_path, wanted, notice=told.append)))
        for _ in range(2)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()

    assert all(path is not None and path.exists() for path in built), told
    assert find_archive(tmp_path, wanted) in built
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({path.name for path in built if path})
