"""The last phase: what other tasks and people learn of a run that published, and people of the executors of one that did not.

Coordinates and counts, never data. Whoever reads them treats an attempt number as "at least this one".
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from airflow_bindings.admission import Admitted
from airflow_bindings.assets import asset_of
from framework.config import RunResult
from framework.launch.base import Executor, Phase

_NAMED: Final = 10
"""Executors that are told of without their words."""


def announce(task: Any, context: Mapping[str, Any], admitted: Admitted, result: RunResult) -> dict[str, Any]:
    """Push one XCom per output, fill the asset event, and return the run's reference for ``return_value``."""
    reference = reference_of(result)
    if task.do_xcom_push:
        for name, facts in reference["outputs"].items():
            one = {key: value for key, value in reference.items() if key != "outputs"}
            context["ti"].xcom_push(key=name, value={**one, "output": name, **facts})
    asset = asset_of(admitted.linked.key)
    if any(getattr(outlet, "name", None) == asset.name for outlet in task.outlets):
        context["outlet_events"][asset].extra.update(reference)
    return reference


def reference_of(result: RunResult) -> dict[str, Any]:
    """A run as XCom and asset events carry it: JSON values only."""
    key = result.key
    return {
        "team": key.team,
        "dag_id": key.dag_id,
        "task_id": key.task_id,
        "run": key.run,
        "map_index": key.map_index,
        "attempt": result.attempt,
        "path": result.path,
        # For whoever looks at the task's page: no link, since nobody serves Spark's pages for all teams.
        "spark_ui": shlex.join(["teamspark", "spark-ui", f"{result.path}@{result.attempt}"]),
        "digest": result.digest,
        "verdict": result.verdict,
        "rows_read": result.rows_read,
        "bytes_hot": result.bytes_hot,
        "bytes_cold": result.bytes_cold,
        "outputs": {name: facts.model_dump() for name, facts in result.outputs.items()},
        "seconds": dict(result.seconds),
    }


def told_of(executors: Sequence[Executor]) -> Iterator[str]:
    """A line for each executor that ended badly or was never made, behind it what it said last; then how to see more."""
    mute = [one for one in executors if one.ended_badly and not one.words]
    for one in executors:
        if one.phase is Phase.ABSENT:
            yield f"Executors were not made: {one.why}"
        elif one.words:
            yield _line(one)
            yield from (f"{one.name} | {line}" for line in one.words.decode(errors="replace").splitlines())
    yield from map(_line, mute[:_NAMED])
    if len(mute) > _NAMED:
        yield f"and {len(mute) - _NAMED} more executors that ended badly"


def _line(one: Executor) -> str:
    code = "" if one.exit_code is None else f", exit code {one.exit_code}"
    return f"Executor {one.name}: {one.why or one.phase}{code}; its log: {one.see}"
