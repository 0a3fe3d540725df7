"""The run a transform works for: its coordinates, date and interval, as a frozen record that a test can build."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from framework.errors import ConfigError, DefinitionError
from framework.identity import RunKey

_OFFSET: Final = re.compile(r"(?:UTC)?([+-])(\d{2}):?(\d{2})")


@dataclass(frozen=True, slots=True)
class Run:
    """Injected into ``transform`` by type. ``zone`` is the DAG's time zone, which decides what ``date`` is.

    ``logical_date`` and ``interval`` are aware and as Airflow gave them; a run made by hand may have neither.
    """

    key: RunKey
    zone: str = "UTC"
    logical_date: datetime | None = None
    interval: tuple[datetime, datetime] | None = None
    attempt: int | None = None

    @property
    def team(self) -> str:
        return self.key.team

    @property
    def dag_id(self) -> str:
        return self.key.dag_id

    @property
    def task_id(self) -> str:
        return self.key.task_id

    @property
    def map_index(self) -> int | None:
        return self.key.map_index

    @property
    def date(self) -> date:
        """The logical date in the DAG's time zone, which need not be the date in the path. Raises: DefinitionError."""
        if self.logical_date is None:
            raise DefinitionError(
                "run.date: this run has no logical date",
                where=str(self.key),
                next_step="give it one: --date 2013-01-01, or a DAG run with a logical date; or leave run.date out of the job",
            )
        return self.logical_date.astimezone(zone_of(self.zone)).date()

    @property
    def start(self) -> datetime:
        """Where the data interval starts, in the DAG's time zone. Raises: DefinitionError when it is empty."""
        return self._interval("start")[0].astimezone(zone_of(self.zone))

    @property
    def end(self) -> datetime:
        """Where the data interval ends, exclusive, in the DAG's time zone. Raises: DefinitionError when it is empty."""
        return self._interval("end")[1].astimezone(zone_of(self.zone))

    def _interval(self, asked: str) -> tuple[datetime, datetime]:
        if self.interval is not None and self.interval[0] < self.interval[1]:
            return self.interval
        # "@daily" and plain cron strings are such schedules in Airflow 3: start equals end, and a filter between the
        # two would publish nothing, in green.
        raise DefinitionError(
            f"run.{asked}: this run's data interval is {'missing' if self.interval is None else 'empty'}",
            where=str(self.key),
            got=None if self.interval is None else " to ".join(moment.isoformat() for moment in self.interval),
            expected="a start before the end",
            next_step='schedule the DAG with CronDataIntervalTimetable("0 0 * * *", timezone=...) from airflow.sdk, '
            "or use run.date",
        )


def zone_of(name: str) -> tzinfo:
    """The time zone ``name``: UTC, an IANA name, or a fixed offset such as ``+01:00``. Raises: ConfigError."""
    if name == "UTC":
        return UTC
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups()
        return timezone((1 if sign == "+" else -1) * timedelta(hours=int(hours), minutes=int(minutes)))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError("not a time zone", got=name, expected="UTC, an IANA name, or an offset +hh:mm") from error
