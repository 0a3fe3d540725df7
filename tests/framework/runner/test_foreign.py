"""The border of the author's code: whatever comes out of it is told as the job's failure, and nothing ends the run."""

import sys
from collections.abc import Callable

import pytest

from framework.errors import JobFailed, NotYet
from framework.runner.computing import foreign


def leave() -> None:
    sys.exit(0)


def odd() -> None:
    raise type("Odd", (BaseException,), {})("odd")


def divide() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(("act", "named"), [(leave, "SystemExit"), (odd, "Odd"), (divide, "ZeroDivisionError")])
def test_what_transform_raises_is_the_jobs_failure(act: Callable[[], None], named: str) -> None:
    with (
        pytest.raises(JobFailed, match=f"^transform raised {named}") as failed,
        foreign("jobs.flights.delays:Delays", "transform"),
    ):
        act()

    assert failed.value.exit_code == 65


def test_without_the_border_an_exit_of_the_authors_would_end_the_driver_well() -> None:
    with pytest.raises(SystemExit) as left:
        leave()

    assert left.value.code == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, NotYet("not yet")])
def test_what_is_not_the_authors_passes(error: BaseException | type[BaseException]) -> None:
    with pytest.raises((KeyboardInterrupt, GeneratorExit, NotYet)), foreign("jobs.flights.delays:Delays", "transform"):
        raise error
