"""How people name tasks, runs and attempts on the command line. Pure.

flights/flights.daily/ingest                      a task, by its ids
flights/flights.daily/ingest:rejects              one of its outputs
flights/flights.daily/ingest/2013-01-01           a run, by its date (UTC) ...
/flights/flights.daily/ingest/20130101T000000Z    ... or by the path that a report printed
flights/flights.daily/ingest/2013-01-01/map-3@2   attempt 2 of map index 3

A leading ``/`` says that ids are encoded; there is no other difference between the two forms.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from framework.errors import ConfigError, PathError
from framework.identity import RunKey, TaskKey, check_team
from framework.storage.paths import check_run, decode, segment_of_date

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MAP: Final = re.compile(r"map-(\d{1,9})")
_ATTEMPT: Final = re.compile(r"(.+)@(\d{1,9})")
EXAMPLE: Final = "flights/flights.daily/ingest"


@dataclass(frozen=True, slots=True)
class OutputAddress:
    """A task's output, of whichever run is asked for."""

    task: TaskKey
    output: str


@dataclass(frozen=True, slots=True)
class AttemptAddress:
    """A run, and one of its attempts; None: the newest published one."""

    key: RunKey
    attempt: int | None = None

    def __str__(self) -> str:
        return str(self.key) if self.attempt is None else f"{self.key}@{self.attempt}"


def parse_parts(text: str, most: int) -> tuple[str, ...]:
    """The raw ids in ``text``: at least a team, at most ``most``; a leading ``/`` says that they are encoded.

    Raises: ConfigError, PathError.
    """
    encoded = text.startswith("/")
    parts = tuple(text.strip("/").split("/"))
    if not 1 <= len(parts) <= most or not all(parts):
        raise ConfigError(
            "not a place of outputs", got=text, expected=f"team, DAG id and task id, for example {EXAMPLE}"
        )
    check_team(parts[0])
    with _typed(text):
        ids = tuple(decode(part) for part in parts[1:3]) if encoded else parts[1:3]
    return (parts[0], *ids, *parts[3:])


@contextmanager
def _typed(text: str) -> Iterator[None]:
    """What cannot be a path is a mistake of whoever typed it. Raises: ConfigError."""
    try:
        yield
    except PathError as error:
        raise ConfigError(
            error.what,
            where=text,
            got=error.got,
            expected=f"ids as Airflow shows them, {EXAMPLE}, or a whole path as a report prints it, with a / before it",
            next_step="see what there is: teamspark outputs ls",
        ) from error


def parse_task(text: str) -> TaskKey:
    """Raises: ConfigError, PathError."""
    parts = parse_parts(text, 3)
    if len(parts) != 3:
        raise ConfigError("not a task", got=text, expected=f"team/DAG id/task id, for example {EXAMPLE}")
    return TaskKey(*parts)


def parse_output(text: str) -> OutputAddress:
    """A task, and behind ``:`` the output if it is not ``default``. Raises: ConfigError, PathError."""
    place, colon, output = text.rpartition(":")
    if not colon:
        return OutputAddress(parse_task(text), "default")
    return OutputAddress(parse_task(place), output)


def parse_attempt(text: str) -> AttemptAddress:
    """A run, and behind ``@`` the attempt. Raises: ConfigError, PathError."""
    match = _ATTEMPT.fullmatch(text)
    place, number = (match[1], int(match[2])) if match else (text, None)
    if number == 0:
        raise ConfigError("not an attempt", got=text, expected="@1 for the first one; without @ it is the newest")
    parts = parse_parts(place, 5)
    if len(parts) < 4:
        raise ConfigError(
            "not a run",
            got=text,
            expected=f"team/DAG id/task id/run, for example {EXAMPLE}/2013-01-01",
            next_step=f"see its runs: teamspark outputs ls {'/'.join(parts)}",
        )
    team, dag_id, task_id, run = parts[:4]
    return AttemptAddress(RunKey(team, dag_id, task_id, parse_run(run), _map_index(parts[4:])), number)


def parse_run(text: str) -> str:
    """A run's segment: as it is, or of a date or moment (UTC where it names no zone). Raises: ConfigError."""
    if _DATE.match(text):
        return segment_of_date(parse_moment(text))
    try:
        return check_run(text)
    except PathError as error:
        raise ConfigError(
            "not a run",
            got=text,
            expected="its date, 2013-01-01 or 2013-01-01T06:00, or its segment, 20130101T000000Z, at-... or key-...",
            next_step="see a task's runs: teamspark outputs ls TEAM/DAG/TASK",
        ) from error


def parse_moment(text: str) -> datetime:
    """An ISO date or moment, aware: in UTC where it names no zone. Raises: ConfigError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError("not a date", got=text, expected="2013-01-01 or 2013-01-01T06:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _map_index(rest: tuple[str, ...]) -> int | None:
    if not rest:
        return None
    match = _MAP.fullmatch(rest[0])
    if match is None:
        raise ConfigError("not an index of a mapped task", got=rest[0], expected="map-0, map-1, ...")
    return int(match[1])
