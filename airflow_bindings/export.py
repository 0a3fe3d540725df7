"""What feeds what, as ``edges.json``: read from bundles as Airflow reads them, for ``teamspark check``."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from airflow_bindings.contracts import SETTING
from airflow_bindings.declare import links_of
from airflow_bindings.link import LinkedEdge, LinkedTask
from framework.config import EdgeRef
from framework.errors import ConfigError, clip, scrub
from framework.exports import EdgesExport, TaskEdges

DAGS: Final = "airflow_bindings/dags"
LOCAL_BUNDLE: Final = "airflow.dag_processing.bundles.local.LocalDagBundle"


# Of one file: twenty mistakes of a few hundred characters.
TOLD: Final = 8000


@dataclass(frozen=True, slots=True)
class Bundle:
    """A directory of DAG files and the team that owns it; a laptop's stand-in for a configured bundle."""

    team: str
    path: Path


def bundles_of(workspace: Path) -> tuple[Bundle, ...]:
    """One bundle per directory below ``airflow_bindings/dags``, named like its team.

    Raises: ConfigError when there is no such directory.
    """
    root = workspace / DAGS
    if not root.is_dir():
        raise ConfigError("no DAG bundles here", where=str(workspace), expected=f"{DAGS}/<team>/*.py")
    found = (path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith((".", "_")))
    return tuple(Bundle(path.name, path) for path in found)


def airflow_environment(bundles: tuple[Bundle, ...], home: Path, contracts: Path) -> dict[str, str]:
    """Variables that make Airflow, in a process that has not imported it, know exactly these bundles. Pure.

    ``contracts``: the folder of the jobs' ports, as ``contracts.SETTING`` has it.
    """
    config = [
        {"name": b.team, "classpath": LOCAL_BUNDLE, "kwargs": {"path": str(b.path)}, "team_name": b.team}
        for b in bundles
    ]
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__MULTI_TEAM": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/none.db",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(config),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",  # what is wrong with a file is told by us, once
        SETTING: str(contracts),
    }


def export_edges(bundles: tuple[Bundle, ...], contracts: Path) -> EdgesExport:
    """The edges of every Spark task of ``bundles``. Sets this process's Airflow environment; needs no database.

    Raises: ConfigError with the import errors of all files, and with tasks of two DAGs that share a stored name.
    """
    bags = _load(bundles, contracts)
    wrong = [line for bundle, bag in bags for line in _import_errors(bundle, bag)]
    tasks = sorted((task for _, bag in bags for task in _tasks(bag)), key=lambda task: task.task)
    wrong += [f"{one.task}: two tasks are stored under this name" for one, two in _pairs(tasks) if one.task == two.task]
    if wrong:
        raise DagsRefused(wrong)
    return EdgesExport(tasks=tuple(tasks))


def dag_file(bundle: Bundle, dag_id: str, contracts: Path, *, date: datetime) -> str:
    """The file of a DAG, relative to its bundle. As ``export_edges``, for one team.

    Raises: ConfigError with the bundle's import errors when there is no such DAG, or when none of its tasks is there at
    ``date``.
    """
    ((_, bag),) = _load((bundle,), contracts)
    if dag_id in bag.dags:
        _require_tasks(bag.dags[dag_id], date)
        return str(bag.dags[dag_id].relative_fileloc)
    wrong = list(_import_errors(bundle, bag))
    if wrong:
        raise DagsRefused(wrong)
    raise ConfigError(
        "there is no such DAG",
        where=f"{DAGS}/{bundle.team}",
        got=dag_id,
        expected=", ".join(sorted(bag.dags)) or "a DAG file",
        next_step=f"write one: teamspark new dag {bundle.team} <name>",
    )


def _require_tasks(dag: Any, date: datetime) -> None:
    """Airflow makes no task of a run before its start, and calls such a run a success."""
    starts = [task.start_date or dag.start_date for task in dag.tasks]
    if starts and all(start is not None and start > date for start in starts):
        raise ConfigError(
            "this date is before the DAG's start_date",
            where=str(dag.dag_id),
            got=date.isoformat(),
            expected=f"{min(starts).isoformat()} or later",
            next_step="choose a later --date, or give the DAG an earlier start_date",
        )


class DagsRefused(ConfigError):
    """DAG files that do not load. ``told``: every mistake of every file, which one message has no room for."""

    def __init__(self, told: Sequence[str]) -> None:
        super().__init__(f"{len(told)} DAG file(s) do not load", next_step="mend what is told of each")
        self.told = tuple(told)


def _import_errors(bundle: Bundle, bag: Any) -> Iterator[str]:
    for file, text in sorted(bag.import_errors.items()):
        yield clip(scrub(f"{bundle.team}/{file}: {text}"), TOLD)


def _load(bundles: tuple[Bundle, ...], contracts: Path) -> list[tuple[Bundle, Any]]:
    with tempfile.TemporaryDirectory(prefix="teamspark-") as home:
        os.environ.update(airflow_environment(bundles, Path(home), contracts))
        return [(bundle, _bag(bundle)) for bundle in bundles]


def _bag(bundle: Bundle) -> Any:
    from airflow import settings
    from airflow.dag_processing.dagbag import BundleDagBag

    settings.initialize()  # type: ignore[no-untyped-call]  # Airflow's own
    return BundleDagBag(dag_folder=str(bundle.path), bundle_path=bundle.path, bundle_name=bundle.team)


def _tasks(bag: Any) -> Iterator[TaskEdges]:
    for dag in bag.dags.values():
        links: Mapping[str, LinkedTask] = links_of(dag) or {}
        for task in links.values():
            inputs = {port: tuple(_ref(item) for item in items) for port, items in task.inputs.items()}
            yield TaskEdges(
                task=task.key,
                job=None if task.spec.job is None else str(task.spec.job),
                contract=task.contract,
                inputs=inputs,
                destinations=task.spec.destinations,
            )


def _ref(item: LinkedEdge) -> EdgeRef:
    return EdgeRef(
        team=item.source.team,
        dag_id=item.source.dag_id,
        task_id=item.source.task_id,
        output=item.edge.output,
        run=item.edge.run,
        same_dag=item.producer is not None,
        wait_s=item.edge.wait_s,
        max_age_s=item.edge.max_age_s,
    )


def _pairs(tasks: list[TaskEdges]) -> Iterator[tuple[TaskEdges, TaskEdges]]:
    return pairwise(tasks)
