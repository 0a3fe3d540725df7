"""The first phase: may this task run here, and what is its run told?

Everything is read and checked; nothing is created.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final

from airflow_bindings.context import TaskRun, task_run
from airflow_bindings.declare import links_of
from airflow_bindings.edges import TaskSpec
from airflow_bindings.link import LinkedEdge, LinkedTask, link
from airflow_bindings.settings import Settings
from framework.config import CodeFacts, ContainerFacts, DestinationEntry, EdgeRef, ExportedConfig, JobConfig
from framework.errors import ConfigError, PolicyError, clip
from framework.identity import Epoch, TaskKey
from framework.secret_values import secrets_in
from framework.sparkconf import require_allowed


@dataclass(frozen=True, slots=True)
class Admitted:
    """A task that may run: its run, and everything its driver is told except the epoch."""

    run: TaskRun
    linked: LinkedTask
    told: ExportedConfig

    @property
    def wait_s(self) -> int:
        """The longest that any input is waited for."""
        return max((edge.wait_s for edges in self.told.inputs.values() for edge in edges), default=0)

    def config(self, epoch: Epoch, **elsewhere: str | CodeFacts) -> bytes:
        """``elsewhere``: what is another where the run is."""
        return self.told.model_copy(update={"epoch": epoch, **elsewhere}).json_bytes()


def admit(task: Any, context: Mapping[str, Any], settings: Settings) -> Admitted:
    """Raises: PolicyError, ConfigError, PathError, DefinitionError; all of them final."""
    linked = _linked(task, context)
    run = task_run(context, stored=(linked.key.dag_id, linked.key.task_id))
    _require_own(run, linked)
    _require_ordered(task, linked)
    ti = context["ti"]
    inputs = {
        port: tuple(_edge_ref(item, ti, hint) for item, hint in zip(items, _hints(task.inputs, port), strict=False))
        for port, items in linked.inputs.items()
    }
    told = ExportedConfig(
        key=run.key,
        epoch=Epoch("", 0, 0),
        clear_number=run.clear_number,
        job=linked.spec.name,
        contract=linked.contract,
        parameters=_parameters(task),
        inputs=inputs,
        run=run.facts,
        destinations=_destinations(task),
        map_count=None if run.key.map_index is None else _count(ti, ti.task_id),
        spark_conf=_spark_conf(task),
        workspace=str(settings.workspace),
        team_files=None if settings.team_files is None else str(settings.team_files),
        short_job=settings.short_jobs,
        container=_container(linked.spec),
    )
    return Admitted(run, linked, told)


def _container(spec: TaskSpec) -> ContainerFacts | None:
    program = spec.program
    if program is None:
        return None
    names = {"outputs": spec.untyped} if spec.untyped else {}
    return ContainerFacts(image=program.image, data=program.data, command=program.local_command, **names)


def _linked(task: Any, context: Mapping[str, Any]) -> LinkedTask:
    """The links made when the bundle was loaded; made now for a DAG object that no bundle loaded."""
    dag = context["dag"]
    links = links_of(dag)
    if links is None:
        links = link(dag, str(context["dag_run"].team_name), None)
    return links[task.task_id]


def _require_own(run: TaskRun, linked: LinkedTask) -> None:
    """The policy asked the same of the bundle's team; this asks the server's. Raises: PolicyError."""
    team = run.key.team
    if linked.key.team != team:
        raise PolicyError("the server and the bundle name different teams", got=linked.key.team, expected=team)
    if linked.spec.job is not None and linked.spec.job.team not in (team, "shared"):
        raise PolicyError(
            "this job belongs to another team",
            where=str(run.key),
            got=str(linked.spec.job),
            expected=f"jobs.{team}.<module>:<Class> or jobs.shared.<module>:<Class>",
        )


def _require_ordered(task: Any, linked: LinkedTask) -> None:
    """Raises: ConfigError when an edge has set no dependency, so that the input may not be there yet."""
    producers = {item.producer for items in linked.inputs.values() for item in items if item.producer}
    loose = sorted(producers - set(task.upstream_task_ids))
    if loose:
        raise ConfigError(
            "Airflow does not know this task's edges",
            where=task.task_id,
            got=f"no dependency on {', '.join(loose)}",
            expected="a DAG loaded from a bundle, where the policy links edges written as JSON",
            next_step="use: airflow dags test <dag_id>; dag.test() of the file itself knows only <task>.output",
        )


def _hints(inputs: Any, port: str) -> Iterator[int | None]:
    """Attempt numbers in the rendered values of a port's edges: "at least this one", never more."""
    value = inputs.get(port) if isinstance(inputs, Mapping) else None
    for item in value if isinstance(value, list | tuple) else [value]:
        attempt = item.get("attempt") if isinstance(item, Mapping) else None
        yield attempt if isinstance(attempt, int) and attempt > 0 else None
    while True:
        yield None


def _edge_ref(item: LinkedEdge, ti: Any, hint: int | None) -> EdgeRef:
    source: TaskKey = item.source
    return EdgeRef(
        team=source.team,
        dag_id=source.dag_id,
        task_id=source.task_id,
        output=item.edge.output,
        run=item.edge.run,
        same_dag=item.producer is not None,
        wait_s=item.edge.wait_s,
        max_age_s=item.edge.max_age_s,
        map_count=_count(ti, str(item.producer)) if item.mapped else None,
        at_least=None if item.mapped or item.producer is None else hint,
    )


def _count(ti: Any, task_id: str) -> int:
    """How many indices a mapped task has in this run, as the server expanded it."""
    of_task = {"dag_id": ti.dag_id, "task_ids": [task_id], "run_ids": [ti.run_id]}
    # An expansion that shrank leaves its former indices behind, marked as removed.
    return int(ti.get_ti_count(**of_task)) - int(ti.get_ti_count(**of_task, states=["removed"]))


def _section(task: Any, name: str, given: Any) -> dict[str, Any]:
    """The rendered section, from its argument or from ``job_config``. Raises: ConfigError."""
    config = task.job_config if isinstance(task.job_config, Mapping) else {}
    value = given if given is not None else config.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name}: a dictionary once rendered", where=task.task_id, got=clip(repr(value), 80))
    wrong: list[str] = []
    plain = {str(key): _plain(item, f"{name}.{key}", wrong) for key, item in value.items()}
    if wrong:
        raise ConfigError(f"{name} hold what JSON cannot", where=task.task_id, details=wrong)
    return plain


def _parameters(task: Any) -> dict[str, Any]:
    """Those of the task, its templates filled in: by now they may hold what was a secret before. Raises: ConfigError."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]  # Airflow's providers import it from there too

    found = _section(task, "parameters", task.parameters)
    wrong = list(secrets_in("parameters", found, lambda text: redact(text) != text))
    if wrong:
        raise ConfigError("a secret is no parameter", where=task.task_id, details=wrong)
    return found


def _destinations(task: Any) -> Mapping[str, tuple[DestinationEntry, ...]]:
    """Those of ``job_config``, their templates filled in. Raises: ConfigError with every mistake."""
    given = _section(task, "output", None)
    if not given:
        return {}
    from framework.destinations.kinds import mistakes

    read = JobConfig.parse({"output": given}, where=f"job_config of task {task.task_id}")
    found = {name: options.destinations for name, options in read.output.items() if options.destinations}
    wrong = list(mistakes(found))
    if wrong:
        raise ConfigError("a destination cannot mean what it says", where=task.task_id, details=wrong)
    return found


def _spark_conf(task: Any) -> dict[str, str]:
    """The author's settings. Asked again: attributes can be assigned, and templates are rendered only now."""
    section = _section(task, "spark", None)
    given = _section(task, "spark_conf", section.get("conf") if task.spark_conf is None else task.spark_conf)
    require_allowed(given, where=task.task_id)
    return {name: str(value) for name, value in given.items()}


def _plain(value: Any, place: str, wrong: list[str]) -> Any:
    """``value`` as JSON has it; the job's own types read dates, durations and decimals from text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{place}.{key}", wrong) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item, f"{place}.{index}", wrong) for index, item in enumerate(value)]
    for kind, convert in _SCALARS:
        if isinstance(value, kind):
            return convert(value)
    wrong.append(f"{place}: {type(value).__name__} {clip(repr(value), 80)}")
    return None


def _as_is(value: Any) -> Any:
    return value


_SCALARS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (bool | int | float | str | None, _as_is),
    (date | time, lambda value: value.isoformat()),
    (Decimal, str),
    (timedelta, timedelta.total_seconds),
)
