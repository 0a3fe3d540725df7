"""The pytest plugin: ``spark``, one session for the whole test run, ``run_job``, and ``--isolation``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from framework.testing.running import JobRunner


def pytest_addoption(parser: pytest.Parser) -> None:
    from framework.testing.isolation_plugin import add_options

    add_options(parser)


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--isolation`` the attacks are all that runs: they are meant for servers, not for a checkout's tests."""
    if config.getoption("--isolation"):
        from framework.testing.isolation_plugin import collect

        items[:] = collect(session)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--isolation"):
        from framework.testing.isolation_plugin import clear

        clear(session.config)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.getoption("--isolation"):
        from framework.testing.isolation_plugin import summarize

        summarize(terminalreporter, config)


@pytest.fixture(scope="session")
def spark() -> Iterator["SparkSession"]:
    """One Spark session for all tests: two cores, a small heap, no UI, few partitions, a quick start."""
    from framework.spark.archive import archive_home
    from framework.spark.session import open_session
    from framework.spark.settings import SessionSettings

    settings = SessionSettings(
        app_name="tests",
        conf={"spark.sql.shuffle.partitions": "2", "spark.driver.memory": "1g"},
        archive_dir=archive_home(),
        short_job=True,
    )
    with open_session(settings) as session:
        yield session


@pytest.fixture
def run_job(spark: "SparkSession", tmp_path: Path) -> "JobRunner":
    """Runs a job on rows, in a store of its own: ``run_job(Delays(by="carrier"), {"flights": [...]})``."""
    from framework.testing.running import JobRunner

    return JobRunner(spark, tmp_path)
