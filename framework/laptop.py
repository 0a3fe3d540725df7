"""The configuration of a run that no Airflow asked for: on a laptop or in a test, one try of one made-up task. Pure,
but for the random incarnation that keeps two calls apart.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from framework.config import EdgeRef, ExportedConfig, RunFacts
from framework.errors import ConfigError
from framework.identity import Epoch, JobName, RunKey, snake_case
from framework.storage.paths import LOCAL_DAG, RunRecord, run_segment


@dataclass(frozen=True)
class LaptopRun:
    """What a person says of a run. ``moment``: the logical date; a plain date is its midnight in UTC; None: no date.

    ``now`` is when it is asked for: a run without a date is named after it.
    """

    job: str
    moment: date | datetime | None
    now: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, tuple[EdgeRef, ...]] = field(default_factory=dict)
    spark_conf: Mapping[str, str] = field(default_factory=dict)


def laptop_config(run: LaptopRun, workspace: Path) -> ExportedConfig:
    """The exported configuration of ``run``: try 1, launch 1, a day's interval, in the laptop's own place.

    Raises: PathError.
    """
    logical = _moment(run.moment)
    team, task_id = _place(run.job)
    record = RunRecord(run_id=f"local__{run.now.isoformat()}", run_after=run.now, logical_date=logical)
    return ExportedConfig(
        key=RunKey(team, LOCAL_DAG, task_id, run_segment(record)),
        epoch=Epoch(incarnation=secrets.token_hex(8), try_number=1, launch=1),
        job=run.job,
        parameters=run.parameters,
        inputs=run.inputs,
        run=RunFacts(
            run_id=record.run_id,
            run_after=run.now,
            logical_date=logical,
            start=logical,
            end=None if logical is None else logical + timedelta(days=1),
        ),
        spark_conf=run.spark_conf,
        workspace=str(workspace),
    )


def _place(job: str) -> tuple[str, str]:
    """Team and task id for a job's name; a job that a test defines belongs to nobody."""
    try:
        name = JobName.parse(job)
    except ConfigError:
        return "nobody", snake_case(job.rpartition(":")[2].rpartition(".")[2])
    return name.team, f"{name.module.split('.', 2)[2]}.{snake_case(name.class_name)}"


def _moment(value: date | datetime | None) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return None if value is None else datetime.combine(value, time.min, UTC)
