"""``team_scoped(S3Hook)``: any provider's hook, operator or sensor, with its connections looked up in the running team.

In Airflow's database a connection id is one team's only, so a team's ``warehouse`` is stored as ``flights__warehouse``. Here an
author writes ``warehouse``; which team runs is what the server says, when it runs. A name is never tried without the team's
before it: a connection that somebody else made under the plain name is not this team's.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from framework.errors import DefinitionError, PolicyError
from framework.tenancy.names import Names

C = TypeVar("C", bound=type)
_ENDS: Final = "conn_id"
_BEFORE: Final = "_teamspark_scoped"


def team_scoped(cls: C) -> C:
    """``cls``, with every ``*conn_id`` that it is given, or has by default, meant of the running team; None stays None.

    Hooks are made while a task runs, and look at once; operators and sensors when they execute, resume, or are asked.
    Raises: DefinitionError for what is neither.
    """
    from airflow.sdk import BaseHook, BaseOperator

    given: object = cls  # an author may write anything
    if not (isinstance(given, type) and issubclass(given, BaseHook | BaseOperator)):
        raise DefinitionError("not a hook, an operator or a sensor", got=repr(cls), expected="a provider's class")
    if _BEFORE in vars(cls):
        return cls
    made = _hook(cls) if issubclass(cls, BaseHook) else _operator(cls)
    made.__name__, made.__qualname__, made.__module__ = cls.__name__, cls.__qualname__, cls.__module__
    setattr(made, _BEFORE, True)
    return cast("C", made)


def _hook(cls: type) -> type:
    class Scoped(cls):  # type: ignore[misc]  # the base is the caller's
        @classmethod
        def get_connection(cls, conn_id: str) -> Any:
            return super().get_connection(Names(running_team()).connection(conn_id))

        @classmethod
        async def aget_connection(cls, conn_id: str) -> Any:
            return await super().aget_connection(Names(running_team()).connection(conn_id))

    return Scoped


def _operator(cls: type) -> type:
    class Scoped(cls):  # type: ignore[misc]  # the base is the caller's
        def execute(self, context: Mapping[str, Any]) -> Any:
            scope_attributes(self, team_of(context))
            return super().execute(context)

        def resume_execution(self, next_method: str, next_kwargs: Any, context: Mapping[str, Any]) -> Any:
            scope_attributes(self, team_of(context))
            return super().resume_execution(next_method, next_kwargs, context)

    return Scoped


def scope_attributes(task: Any, team: str) -> None:
    """Every connection id that the task holds becomes the team's. Doing it twice changes nothing more."""
    for name, value in list(vars(task).items()):
        if name.endswith(_ENDS) and isinstance(value, str) and value:
            object.__setattr__(task, name, Names(team).connection(value))


def running_team() -> str:
    """The team of the task that runs in this process. Raises: PolicyError outside of one."""
    from airflow.sdk import get_current_context

    try:
        context = get_current_context()
    except RuntimeError:
        raise PolicyError(
            "no task runs here, so no team does",
            expected="a scoped hook is used inside a task",
            next_step="make the hook in the task's function, not beside the DAG",
        ) from None
    return team_of(cast("Mapping[str, Any]", context))


def team_of(context: Mapping[str, Any]) -> str:
    """As the server derived it from the bundle. Raises: PolicyError for a run of no team."""
    from airflow_bindings.context import require_team  # when a task runs, not when a file is parsed

    return require_team(context["dag_run"].team_name, context["dag_run"].dag_id)
