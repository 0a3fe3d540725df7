"""The last phase: what other tasks and people learn of a run that published.

Coordinates and counts, never data. Whoever reads them treats an attempt number as "at least this one".
"""

from collections.abc import Mapping
from typing import Any

from airflow_bindings.admission import Admitted
from airflow_bindings.assets import asset_of
from framework.config import RunResult


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
        "digest": result.digest,
        "verdict": result.verdict,
        "rows_read": result.rows_read,
        "bytes_hot": result.bytes_hot,
        "bytes_cold": result.bytes_cold,
        "outputs": {name: facts.model_dump() for name, facts in result.outputs.items()},
        "seconds": dict(result.seconds),
    }
