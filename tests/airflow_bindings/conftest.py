"""One Airflow for all tests of this folder: a home of its own, migrated once."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.airflow_bindings.platform import Platform

# Airflow and what it imports warn about themselves, and an error in there fails the task; ours stay errors.
WARNINGS = pytest.mark.filterwarnings("ignore", r"error:::airflow_bindings\..*")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "platform" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.airflow)
            item.add_marker(WARNINGS)


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    assert "airflow.configuration" not in sys.modules, "another test imported Airflow with another home"
    root = tmp_path_factory.mktemp("airflow")
    made = Platform(root / "home", root / "workspace")
    (root / "home").mkdir()
    made.create()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(made.home))
        made.migrate()
        yield made
        _close_database()


def _close_database() -> None:
    """Airflow would do so when the interpreter ends, too late, and forget that an async engine is closed in a loop."""
    import asyncio

    from airflow import settings

    if settings.async_engine is not None:
        asyncio.run(settings.async_engine.dispose())
    settings.dispose_orm(do_log=False)


@pytest.fixture
def platform(airflow_home: Platform, monkeypatch: pytest.MonkeyPatch, clean_environment: None) -> Platform:
    monkeypatch.setenv("AIRFLOW_HOME", str(airflow_home.home))
    # In process, the Execution API knows no token and so no team: the plain form stands in for the team's own.
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTS__SPARK", '{"conn_type": "spark", "host": "local[2]"}')
    monkeypatch.setenv("AIRFLOW_CONN_INSIGHTS__SPARK", '{"conn_type": "spark", "host": "local[2]"}')
    return airflow_home


@pytest.fixture
def name() -> str:
    """A DAG name that no other test uses."""
    return f"d{uuid.uuid4().hex[:8]}"
