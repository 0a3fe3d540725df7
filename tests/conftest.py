"""What holds for every test: nothing from the machine's or the user's environment leaks in."""

import os
import signal

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
    "seaweed",
]

FOREIGN = ("AIRFLOW_", "AWS_", "TEAMSPARK_", "SPARK_", "PYSPARK_")


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
