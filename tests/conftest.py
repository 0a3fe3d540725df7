"""What holds for every test: nothing from the machine's or the user's environment leaks in."""

import fcntl
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.alluxio import alluxio
from tests.servers.buckets import s3_bucket, s3_place, s3_store
from tests.servers.cluster import whole
from tests.servers.identities import identified
from tests.servers.kubernetes import kubernetes
from tests.servers.node import node
from tests.servers.postgres import database, postgres
from tests.servers.seaweed import seaweed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = [
    "alluxio",
    "archive",
    "archived",
    "clean_environment",
    "database",
    "identified",
    "interruptible",
    "kubernetes",
    "node",
    "postgres",
    "s3_bucket",
    "s3_place",
    "s3_store",
    "seaweed",
    "spark",
    "whole",
]

FOREIGN = ("AIRFLOW_", "AWS_", "TEAMSPARK_", "SPARK_", "PYSPARK_")
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 4 * 2**30
SCRATCH = "teamspark-tests-"


def pytest_configure(config: pytest.Config) -> None:
    """One folder for all that tests write, and what processes started here put into the system's temporary one.

    In memory where there is plenty: a store syncs every file and folder, SQLite every commit. Nothing is proven by a disk's
    being slow: processes are killed here, machines are not. What killed runs left goes first; a failed test's files stay
    until the next run.
    """
    if hasattr(config, "workerinput"):
        return  # it has the environment of the process that shares the tests out
    free = shutil.disk_usage(MEMORY).free if os.access(MEMORY, os.W_OK) else 0
    above = MEMORY if free >= MEMORY_BYTES else Path(tempfile.gettempdir())
    for old in above.glob(f"{SCRATCH}*"):
        if not Path("/proc", old.name.removeprefix(SCRATCH)).exists():
            shutil.rmtree(old, ignore_errors=True)
    root = above / f"{SCRATCH}{os.getpid()}"
    for folder in (root, root / "tmp"):
        folder.mkdir()
        folder.chmod(0o711)  # PostgreSQL's user has a folder in it
    os.environ |= {"PYTEST_DEBUG_TEMPROOT": str(root), "TMPDIR": str(root / "tmp")}
    tempfile.tempdir = None


def pytest_unconfigure(config: pytest.Config) -> None:
    root = Path(os.environ.get("PYTEST_DEBUG_TEMPROOT", ""))
    if root.name == f"{SCRATCH}{os.getpid()}":
        shutil.rmtree(root / "tmp", ignore_errors=True)
        if not any(root.glob("pytest-of-*/pytest-[0-9]*/*")):
            shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that a test needs, it sets itself."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def archived(request: pytest.FixtureRequest) -> None:
    """Whatever starts a JVM, also in a process of its own, finds the archive."""
    if request.node.get_closest_marker("spark") is not None:
        request.getfixturevalue("archive")


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Started in the background by a shell, all processes here would inherit that Ctrl-C is to be ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def archive() -> None:
    """The class-data archive is there: built by one of the processes that share the tests, once."""
    from framework.java import find_java
    from framework.spark.archive import archive_home, ensure_archive, fingerprint
    from framework.spark.session import spark_home

    archive_home().mkdir(parents=True, exist_ok=True)
    with (archive_home() / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ensure_archive(archive_home(), fingerprint(find_java(), spark_home()))


@pytest.fixture(scope="session")
def spark(archive: None, spark: "SparkSession") -> "SparkSession":
    """The plugin's, once there is an archive."""
    return spark
