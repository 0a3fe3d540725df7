"""What linking leaves on a DAG: the assets of its Spark tasks, and the links themselves."""

from collections.abc import Mapping
from typing import Any, Final

from airflow_bindings.assets import asset_of
from airflow_bindings.link import LinkedTask

_LINKS: Final = "_teamspark_links"


def remember(dag: Any, linked: Mapping[str, LinkedTask]) -> None:
    """Keep the links with the DAG object that they were made for: a worker links while it loads the DAG."""
    setattr(dag, _LINKS, dict(linked))


def links_of(dag: Any) -> Mapping[str, LinkedTask] | None:
    """What ``remember`` kept; None for a DAG that no bundle loaded."""
    return getattr(dag, _LINKS, None)


def declare_assets(dag: Any, linked: Mapping[str, LinkedTask]) -> None:
    """Add each task's asset to its outlets, and the assets it reads to its inlets. Adding twice adds once.

    Raises: PathError.
    """
    for task_id, task in linked.items():
        read = dict.fromkeys(item.source for items in task.inputs.values() for item in items)
        _extend(dag.get_task(task_id), "outlets", [asset_of(task.key)])
        _extend(dag.get_task(task_id), "inlets", [asset_of(source) for source in read if source != task.key])


def _extend(task: Any, name: str, assets: list[Any]) -> None:
    """Lists of assets are shared through ``default_args``: they are replaced, never appended to."""
    has = list(getattr(task, name) or ())
    names = {getattr(asset, "name", None) for asset in has}
    setattr(task, name, [*has, *(asset for asset in assets if asset.name not in names)])
