"""One grammar for assets: a task's outputs are one asset, because one manifest publishes them all at once.

    name  flights/flights.daily/delays
    uri   x-teamspark://flights/flights.daily/delays

Segments are encoded by the path law, so two tasks never share an asset. The scheme begins with ``x-`` because
Airflow loads every installed provider to normalise any other one, and a DAG file must not do that.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from framework.identity import TaskKey
from framework.storage.paths import task_path

if TYPE_CHECKING:
    from airflow.sdk import Asset

SCHEME: Final = "x-teamspark"


def asset_name(task: TaskKey) -> str:
    """Raises: PathError when an id cannot become a path segment."""
    return task_path(task).removeprefix("/")


def asset_uri(task: TaskKey) -> str:
    """Raises: PathError."""
    return f"{SCHEME}:/{task_path(task)}"


def asset_of(task: TaskKey, *, consumer: bool = False) -> "Asset":
    """The asset of a task. A ``consumer`` in another team says that it takes the producer team's events, and only its.

    Raises: PathError.
    """
    from airflow.sdk import Asset, AssetAccessControl

    access = AssetAccessControl(producer_teams=[task.team], allow_global=False) if consumer else AssetAccessControl()
    return Asset(name=asset_name(task), uri=asset_uri(task), group="teamspark", access_control=access)


def claimed_team(asset: Any) -> str | None:
    """Whose asset ``asset`` would be taken for, by its name or its URI; None when it is outside the grammar.

    Generous on purpose: what merely resembles the grammar (another case, an alias, a missing half) counts.
    """
    scheme, found, rest = str(getattr(asset, "uri", "") or "").strip().lower().partition("://")
    if found and scheme == SCHEME:
        return rest.strip("/").split("/")[0]
    team, *rest_of_name = str(getattr(asset, "name", "") or "").strip().lower().strip("/").split("/")
    looks_like_ours = len(rest_of_name) == 2 and rest_of_name[0].startswith(f"{team}.")
    return team if looks_like_ours else None


def is_exact(asset: Any) -> bool:
    """Whether name and URI belong together. A false pair makes Airflow deactivate the true asset, and its task fail.

    References by name or URI alone create nothing, so they are exact.
    """
    name, uri = getattr(asset, "name", None), getattr(asset, "uri", None)
    return name is None or uri is None or uri == f"{SCHEME}://{name}"


def scheduled_on(dag: Any) -> Iterator[Any]:
    """Every asset, alias and reference in the DAG's schedule."""
    timetable = dag.timetable
    for name in ("asset_condition", "assets"):
        yield from _flat(getattr(timetable, name, None))


def _flat(condition: Any) -> Iterator[Any]:
    inner = getattr(condition, "objects", condition)
    if isinstance(inner, list | tuple | set):
        for item in inner:
            yield from _flat(item)
    elif inner is not None:
        yield inner
