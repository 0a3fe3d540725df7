"""What teams test their jobs with: rows that state only what a test is about, whole runs, readable differences.

``plugin`` is a pytest plugin with the fixtures ``spark`` and ``run_job``; ``cases`` finds the fixtures beside the
jobs. Nothing here is imported by what runs in production.
"""

from framework.testing.cases import Case, find_cases
from framework.testing.compare import assert_rows
from framework.testing.rows import fill, unchecked
from framework.testing.running import JobRun, JobRunner

__all__ = ["Case", "JobRun", "JobRunner", "assert_rows", "fill", "find_cases", "unchecked"]
