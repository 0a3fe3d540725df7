"""What teams test their jobs with: rows that state only what a test is about, whole runs, readable differences.

``plugin`` is a pytest plugin with the fixtures ``spark`` and ``run_job``; ``cases`` finds the fixtures beside the
jobs. Nothing here is imported by what runs in production. Names load when they are first asked for: pytest loads the
plugin for every run, also for those that need no Spark.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from framework.testing.cases import Case, find_cases
    from framework.testing.compare import assert_rows
    from framework.testing.rows import fill, unchecked
    from framework.testing.running import JobRun, JobRunner

_HOMES: Final = {
    "Case": "framework.testing.cases",
    "JobRun": "framework.testing.running",
    "JobRunner": "framework.testing.running",
    "assert_rows": "framework.testing.compare",
    "fill": "framework.testing.rows",
    "find_cases": "framework.testing.cases",
    "unchecked": "framework.testing.rows",
}

__all__ = ["Case", "JobRun", "JobRunner", "assert_rows", "fill", "find_cases", "unchecked"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'framework.testing' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
