"""The path law: from a run key to ``/team/dag/task/run`` and back, as pure functions.

Nothing else in the project joins path segments of a run. Version 1 of the law:

* ids keep ``[a-z0-9._-]``; every other byte of their UTF-8, and every byte of ``.`` and ``..``, becomes ``!`` and two
  lower-case hex digits. ``!`` means nothing to URLs, Hadoop globs, partition names or S3, so no client un-escapes it,
  and as no capital is left, two encoded ids differ on file systems that ignore case as well;
* a run is ``key-<encoded partition key>``, else its logical date ``20261122T000000[.ffffff]Z``, else
  ``at-<run_after, always with microseconds>-<16 hex of sha256 of the run id>``;
* a mapped task adds ``map-<n>``;
* an output that is a table has its place beside the task's runs: ``_table/<output>``, and a run's share of it below that,
  in ``_runs/<run>[/map-<n>]``;
* Spark's event logs of a run are beside the team's DAGs: ``/team/+events/dag/task/run[/map-<n>]``.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

from framework.errors import ConfigError, PathError
from framework.identity import RunKey, TaskKey, check_team

LAW_VERSION: Final = 1
MAX_SEGMENT_BYTES: Final = 200
MAX_RUN_PATH_BYTES: Final = 600

# The laptop's place for a DAG id: real ones begin with `<team>.`, and a team's name begins with a letter.
LOCAL_DAG: Final = "_local"

# Beside a task's runs: no run's segment begins with `_`. Below a table, data lies in a folder that Delta takes for hidden:
# nobody's VACUUM looks there, so a file that a manifest names and the table does not, yet, is not taken for rubbish.
TABLES: Final = "_table"
TABLE_RUNS: Final = "_runs"

# Beside a team's DAGs, where no grant reaches: a grant opens a task's folder. No id is encoded as this.
EVENTS: Final = "+events"

_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-")
_ENCODED: Final = re.compile(r"(?:[a-z0-9._-]|![0-9a-f]{2})+")
_ESCAPE: Final = re.compile(r"!([0-9a-f]{2})")
_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?:\.(\d{6}))?Z")
_AT: Final = re.compile(r"at-(\d{8}T\d{6}\.\d{6}Z)-[0-9a-f]{16}")
_KEY: Final = "key-"
_TABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What the server knows of a DAG run, as far as its place depends on it. Dates are aware, in any zone."""

    run_id: str
    run_after: datetime
    logical_date: datetime | None = None
    partition_key: str | None = None


class SegmentNote(NamedTuple):
    """One segment of a path, for people: as stored, as given, and why it looks as it does."""

    encoded: str
    raw: str
    why: str


def encode(text: str) -> str:
    """``text`` as one path segment; injective, ASCII, without capitals.

    Raises: PathError when it is empty, not UTF-8, or longer than ``MAX_SEGMENT_BYTES`` once encoded.
    """
    encoded = _escape(text)
    _check_length(encoded, raw=text)
    return encoded


def decode(segment: str) -> str:
    """The id that ``encode`` made ``segment`` of.

    Raises: PathError when ``encode`` makes this segment of no id.
    """
    if not _ENCODED.fullmatch(segment):
        raise _not_encoded(segment)
    data = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), segment).encode("latin-1")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _not_encoded(segment) from error
    if _escape(text) != segment:
        raise _not_encoded(segment)
    return text


def run_segment(record: RunRecord) -> str:
    """The one segment of a run: its partition key, else its logical date in UTC, else when it was made.

    Raises: PathError.
    """
    if record.partition_key is not None:
        segment = _KEY + _escape(record.partition_key)
        _check_length(segment, raw=record.partition_key)
        return segment
    if record.logical_date is not None:
        return segment_of_date(record.logical_date)
    digest = sha256(_utf8(record.run_id)).hexdigest()[:16]
    return f"at-{_stamp(record.run_after, micros=True)}-{digest}"


def segment_of_date(moment: datetime) -> str:
    """The segment of the run whose logical date is ``moment`` (aware, any zone).

    Raises: PathError when it has no zone or leaves the years 1 to 9999 in UTC.
    """
    return _stamp(moment, micros=False)


def dated_run(segment: str) -> datetime | None:
    """The logical date, in UTC, of a dated run's segment; None for ``key-`` and ``at-`` runs and anything else."""
    match = _DATE.fullmatch(segment)
    if match is None or not segment.isascii():
        return None
    try:
        moment = datetime(*(int(part or 0) for part in match.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]  # seven numbers
    except ValueError:
        return None
    return moment if segment_of_date(moment) == segment else None


def made_at(segment: str) -> datetime | None:
    """When the run of an ``at-`` segment was made, in UTC; None for any other segment."""
    match = _AT.fullmatch(segment)
    if match is None or not segment.isascii():
        return None
    try:
        return datetime.strptime(match[1], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def check_run(segment: str) -> str:
    """``segment`` if ``run_segment`` can have made it.

    Raises: PathError.
    """
    if dated_run(segment) is not None or made_at(segment) is not None:
        return segment
    if segment.startswith(_KEY):
        decode(segment.removeprefix(_KEY))
        _check_length(segment, raw=segment)
        return segment
    raise PathError(
        "not a run's segment",
        got=segment,
        expected="20261122T000000Z, key-<encoded key> or at-<moment>-<16 hex>",
        next_step="make it with run_segment() of the run's record",
    )


def task_path(task: TaskKey) -> str:
    """``/team/dag/task``.

    Raises: PathError.
    """
    return f"/{_team(task.team)}/{encode(task.dag_id)}/{encode(task.task_id)}"


def run_path(key: RunKey) -> str:
    """``/team/dag/task/run``, and ``/map-<n>`` for a mapped task.

    Raises: PathError, also when the whole is longer than ``MAX_RUN_PATH_BYTES``.
    """
    path = f"{task_path(key.task)}/{check_run(key.run)}"
    if key.map_index is not None:
        path += f"/{_map_segment(key.map_index)}"
    if len(path) > MAX_RUN_PATH_BYTES:
        raise PathError(
            "the run's path is too long",
            where=f"team {key.team}",
            got=f"{len(path)} bytes: {path}",
            expected=f"at most {MAX_RUN_PATH_BYTES} bytes",
            next_step="shorten the DAG id, the task id or the partition key",
        )
    return path


def events_path(key: RunKey) -> str:
    """``/team/+events/dag/task/run``, and ``/map-<n>``: where the event logs of a run are.

    Raises: PathError.
    """
    team, _, rest = run_path(key)[1:].partition("/")
    return f"/{team}/{EVENTS}/{rest}"


def table_path(task: TaskKey, output: str) -> str:
    """``/team/dag/task/_table/<output>``: where a table of many runs is, its log included.

    Raises: PathError.
    """
    if not _TABLE.fullmatch(output) or not output.isascii():
        raise PathError("not an output's name", where=str(task), got=output)
    return f"{task_path(task)}/{TABLES}/{output}"


def table_share(key: RunKey) -> str:
    """``_runs/<run>[/map-<n>]``: where the rows of ``key`` are in a table of its task, relative to the table.

    Raises: PathError.
    """
    return f"{TABLE_RUNS}/{run_path(key)[len(task_path(key.task)) + 1 :]}"


def explain_path(key: RunKey) -> tuple[SegmentNote, ...]:
    """Every segment of ``run_path(key)`` with what it was made of and why."""
    run_path(key)
    notes = [
        SegmentNote(
            _team(key.team),
            key.team,
            "the team, as it is: a team's name holds nothing that a path would have to spell otherwise",
        ),
        _id_note(key.dag_id, "DAG id"),
        _id_note(key.task_id, "task id"),
        _run_note(key.run),
    ]
    if key.map_index is not None:
        notes.append(SegmentNote(_map_segment(key.map_index), str(key.map_index), "index of a mapped task"))
    return tuple(notes)


def _escape(text: str) -> str:
    data = _utf8(text)
    if not data:
        raise PathError("an empty id cannot become a path segment", expected="at least one character")
    kept = frozenset[int]() if text in {".", ".."} else _PLAIN
    return "".join(chr(byte) if byte in kept else f"!{byte:02x}" for byte in data)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise PathError(
            "an id holds a lone surrogate, which is no text",
            got=text.encode("ascii", "backslashreplace").decode(),
            next_step="choose an id of letters and digits",
        ) from error


def _check_length(encoded: str, *, raw: str) -> None:
    if len(encoded) > MAX_SEGMENT_BYTES:
        raise PathError(
            "an id is too long for a path segment",
            got=f"{len(encoded)} bytes once encoded: {raw}",
            expected=f"at most {MAX_SEGMENT_BYTES}; each byte outside a-z 0-9 . _ - counts as three",
            next_step="shorten the id",
        )


def _stamp(moment: datetime, *, micros: bool) -> str:
    if moment.tzinfo is None:
        raise PathError("a run's date has no time zone", got=moment.isoformat(), expected="an aware datetime")
    try:
        at = moment.astimezone(UTC)
    except OverflowError as error:
        raise PathError(
            "a run's date leaves the calendar in UTC", got=moment.isoformat(), expected="years 0001 to 9999"
        ) from error
    fraction = f".{at.microsecond:06d}" if micros or at.microsecond else ""
    # strftime does not pad years below 1000.
    return f"{at.year:04d}{at.month:02d}{at.day:02d}T{at.hour:02d}{at.minute:02d}{at.second:02d}{fraction}Z"


def _team(name: str) -> str:
    try:
        return check_team(name)
    except ConfigError as error:
        raise PathError(error.what, got=error.got, expected=error.expected, next_step=error.next_step) from error


def _map_segment(index: int) -> str:
    if index < 0:
        raise PathError("a map index below zero", got=index, expected="0, 1, 2, ...; None for a plain task")
    return f"map-{index}"


def _not_encoded(segment: str) -> PathError:
    return PathError("not an encoded segment", got=segment, expected="what encode() makes of an id")


def _id_note(raw: str, what: str) -> SegmentNote:
    encoded = encode(raw)
    if encoded == raw:
        return SegmentNote(encoded, raw, f"the {what}, unchanged")
    return SegmentNote(encoded, raw, f"the {what}; bytes outside a-z 0-9 . _ - are ! and two hex digits")


def _run_note(segment: str) -> SegmentNote:
    dated = dated_run(segment)
    if dated is not None:
        return SegmentNote(segment, dated.isoformat(), "the run's logical date in UTC")
    if segment.startswith(_KEY):
        return SegmentNote(segment, decode(segment.removeprefix(_KEY)), "the run's partition key")
    return SegmentNote(segment, segment, "a run without date or key: when it was made, and a digest of its run id")
