"""What a transform may know about its run."""

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from framework.errors import ConfigError, DefinitionError
from framework.identity import RunKey
from framework.job import Run
from framework.job.run import zone_of

KEY = RunKey("flights", "flights.daily", "ingest", "20130630T230000Z", 3)
MIDNIGHT_IN_LONDON = datetime(2013, 6, 30, 23, tzinfo=UTC)


def test_the_coordinates_are_those_of_the_key() -> None:
    run = Run(KEY, attempt=2)

    assert (run.team, run.dag_id, run.task_id, run.map_index, run.attempt) == (
        "flights",
        "flights.daily",
        "ingest",
        3,
        2,
    )


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("UTC", date(2013, 6, 30)),
        ("Europe/London", date(2013, 7, 1)),
        ("America/New_York", date(2013, 6, 30)),
        ("+01:00", date(2013, 7, 1)),
        ("UTC-0330", date(2013, 6, 30)),
    ],
)
def test_the_date_is_that_of_the_dags_time_zone(zone: str, day: date) -> None:
    assert Run(KEY, zone=zone, logical_date=MIDNIGHT_IN_LONDON).date == day


def test_a_day_ahead_the_winter_date_is_no_other() -> None:
    winter = datetime(2013, 1, 1, tzinfo=UTC)

    assert Run(KEY, zone="Europe/London", logical_date=winter).date == date(2013, 1, 1)


def test_the_interval_is_told_in_the_dags_time_zone() -> None:
    run = Run(KEY, zone="Europe/London", interval=(MIDNIGHT_IN_LONDON, MIDNIGHT_IN_LONDON + timedelta(days=1)))

    assert run.start.isoformat() == "2013-07-01T00:00:00+01:00"
    assert run.end.isoformat() == "2013-07-02T00:00:00+01:00"


def test_a_run_without_a_date_says_so() -> None:
    with pytest.raises(DefinitionError, match="has no logical date") as refused:
        _ = Run(KEY).date

    assert refused.value.next_step is not None
    assert "a DAG run with a logical date" in refused.value.next_step
    assert str(KEY) in str(refused.value)


@pytest.mark.parametrize(
    ("interval", "found"), [(None, "missing"), ((MIDNIGHT_IN_LONDON, MIDNIGHT_IN_LONDON), "empty")]
)
@pytest.mark.parametrize("asked", ["start", "end"])
def test_an_empty_interval_names_the_timetable_to_use(
    interval: tuple[datetime, datetime] | None, found: str, asked: str
) -> None:
    run = Run(KEY, logical_date=MIDNIGHT_IN_LONDON, interval=interval)

    with pytest.raises(DefinitionError, match=f"run.{asked}: this run's data interval is {found}") as refused:
        getattr(run, asked)

    assert "CronDataIntervalTimetable" in str(refused.value)


def test_the_empty_interval_would_have_kept_no_row() -> None:
    start, end = MIDNIGHT_IN_LONDON, MIDNIGHT_IN_LONDON

    assert not [moment for moment in [start, start + timedelta(hours=1)] if start <= moment < end]


def test_a_run_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Run(KEY).zone = "Europe/London"  # type: ignore[misc]  # the attack


@pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "25:00", "\x00"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="not a time zone"):
        zone_of(name)


def test_zones_are_found() -> None:
    assert zone_of("UTC") is UTC
    assert zone_of("Europe/London") == ZoneInfo("Europe/London")
    assert zone_of("-03:30").utcoffset(None) == -timedelta(hours=3, minutes=30)
