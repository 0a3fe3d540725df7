"""Every job there is, on every case beside it: a new job is tested by existing."""

from pathlib import Path

import pytest

from framework.cli.discovery import discover
from framework.job import Contract, load_job
from framework.testing.cases import Case, find_cases, fixtures_of
from framework.testing.running import JobRunner

ROOT = Path(__file__).resolve().parents[2]
JOBS = ROOT / "jobs"
NAMES = [contract.job for contract in discover(ROOT).require_whole()]
CASES = [case for name in NAMES for case in find_cases(load_job(name), JOBS)]


@pytest.mark.spark
@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(run_job: JobRunner, case: Case) -> None:
    run_job.case(load_job(case.job), case)


def _needs_a_case(name: str) -> bool:
    """A contract that names nothing to run in place of its image cannot be tried here."""
    job = load_job(name)
    return not issubclass(job, Contract) or bool(job.local_command)


@pytest.mark.parametrize("name", [name for name in NAMES if _needs_a_case(name)])
def test_every_job_has_a_case(name: str) -> None:
    job = load_job(name)

    assert list(find_cases(job, JOBS)), (
        f"{name} has no case: add a folder in {fixtures_of(job, JOBS).relative_to(ROOT)}"
    )


def test_a_case_is_named_as_its_folder_is() -> None:
    """`-k airport_hours` runs the cases of that job: a class name alone would match no folder, and two teams may share it."""
    named = {str(case): case.folder for case in CASES}

    assert len(named) == len(CASES)
    assert {name: JOBS / name.replace("/", "/fixtures/", 1) for name in named} == named
