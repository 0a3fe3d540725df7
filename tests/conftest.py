"""What holds for every test: nothing from the machine's or the user's environment leaks in."""

import os

import pytest

from tests.servers.seaweed import seaweed

__all__ = ["clean_environment", "seaweed"]

FOREIGN = ("AIRFLOW_", "AWS_", "TEAMSPARK_", "SPARK_", "PYSPARK_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that a test needs, it sets itself."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
