"""From what the Airflow server says of a task instance to the run it stands for: the only place that knows.

The team is ``dag_run.team_name``, which the server derives from the bundle. Nothing here reads ``conf``,
``params``, Variables, XCom or events: other teams can write some of those.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from framework.config import RunFacts
from framework.errors import DefinitionError, PolicyError
from framework.identity import RunKey, check_team
from framework.storage.paths import RunRecord, run_path, run_segment


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One try of one task instance, as the server ordered it. ``segment`` is shared by all tasks of the run."""

    key: RunKey
    facts: RunFacts
    try_number: int
    clear_number: int


def task_run(context: Mapping[str, Any], *, stored: tuple[str, str] | None = None) -> TaskRun:
    """The run that this context stands for; ``stored`` replaces (dag_id, task_id) in its key.

    Raises: PolicyError when the run belongs to no team; PathError when an id cannot become a path.
    """
    dag_run, ti = context["dag_run"], context["ti"]
    dag_id, task_id = stored or (ti.dag_id, ti.task_id)
    team = require_team(dag_run.team_name, ti.dag_id)
    map_index = None if ti.map_index is None or ti.map_index < 0 else ti.map_index
    key = RunKey(team, dag_id, task_id, run_segment(record_of(dag_run)), map_index)
    run_path(key)
    facts = RunFacts(
        run_id=dag_run.run_id,
        run_after=_utc(dag_run.run_after),
        logical_date=_maybe_utc(dag_run.logical_date),
        start=_maybe_utc(dag_run.data_interval_start),
        end=_maybe_utc(dag_run.data_interval_end),
        zone=zone_of(context["dag"]),
    )
    return TaskRun(key, facts, ti.try_number, dag_run.clear_number or 0)


def record_of(dag_run: Any) -> RunRecord:
    """What the run's place depends on."""
    return RunRecord(
        run_id=dag_run.run_id,
        run_after=_utc(dag_run.run_after),
        logical_date=_maybe_utc(dag_run.logical_date),
        partition_key=dag_run.partition_key,
    )


def zone_of(dag: Any) -> str:
    """The IANA name of the zone in which the DAG counts days: its timetable's, else its own.

    Raises: DefinitionError for a fixed offset, which has no name and no daylight saving.
    """
    zone: str | tzinfo = getattr(dag.timetable, "timezone", None) or dag.timezone
    name = zone if isinstance(zone, str) else getattr(zone, "name", None) or getattr(zone, "key", None) or str(zone)
    if name in ("UTC", "+00:00"):
        return "UTC"
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise DefinitionError(
            "the DAG's time zone has no name",
            where=dag.dag_id,
            got=name,
            expected="a name such as Europe/London",
            next_step='give the timetable timezone="<Area>/<City>"',
        ) from error
    return name


def require_team(name: str | None, dag_id: str) -> str:
    """The team that the server names, if the DAG is its own. Raises: PolicyError."""
    if name is None:
        raise PolicyError(
            "this run belongs to no team",
            where=dag_id,
            expected="a DAG bundle with a team_name, and [core] multi_team = True",
            next_step="set team_name in [dag_processor] dag_bundle_config_list, then: airflow teams sync",
        )
    if not dag_id.startswith(f"{name}."):
        raise PolicyError("a DAG's id starts with its team's name and a dot", got=dag_id, expected=f"{name}.<name>")
    return check_team(name)


def _utc(moment: datetime) -> datetime:
    # A plain datetime: pendulum's subclass stays on Airflow's side of the border.
    at = moment.astimezone(UTC)
    return datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tzinfo=UTC)


def _maybe_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else _utc(moment)
