"""What holds for every test: nothing from the machine's or the user's environment leaks in."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.alluxio import alluxio
from tests.servers.buckets import s3_bucket, s3_place, s3_store
from tests.servers.postgres import database, postgres
from tests.servers.seaweed import seaweed

__all__ = [
    "alluxio",
    "clean_environment",
    "database",
    "interruptible",
    "postgres",
    "s3_bucket",
    "s3_place",
    "s3_store",
    "scratch",
    "seaweed",
]

FOREIGN = ("AIRFLOW_", "AWS_", "TEAMSPARK_", "SPARK_", "PYSPARK_")
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 4 * 2**30


def pytest_configure(config: pytest.Config) -> None:
    """Files of tests in memory where there is plenty: a store syncs every file and folder, SQLite every commit.

    Nothing is proven by a disk's being slow: processes are killed here, machines are not.
    """
    free = shutil.disk_usage(MEMORY).free if os.access(MEMORY, os.W_OK) else 0
    if free >= MEMORY_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes share the tests: one has Spark's session and all that use it, files are never torn apart."""
    for item in items:
        uses_spark = "spark" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("spark" if uses_spark else item.nodeid.split("::")[0]))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that a test needs, it sets itself."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Started in the background by a shell, all processes here would inherit that Ctrl-C is to be ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One folder for what we and all processes started here put into the system's: tests kill many that cannot tidy up."""
    tmp_path_factory.getbasetemp()  # pytest's own stays where it is: a failed test's files are looked at afterwards
    folder = Path(tempfile.mkdtemp(prefix="teamspark-tests-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    folder.chmod(0o711)  # PostgreSQL's user has a folder in it
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        yield
    shutil.rmtree(folder, ignore_errors=True)
