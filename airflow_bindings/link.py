"""From the tasks of a complete DAG to resolved edges: which task, which port, and no cycle.

The only place where edges meet the DAG. It sets the dependencies that edges imply, and nothing else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Final

from airflow_bindings.contracts import Contracts, JobPorts, untyped_ports
from airflow_bindings.edges import Arguments, Edge, TaskSpec, task_spec
from airflow_bindings.parameters import misfits
from framework.errors import ConfigError
from framework.identity import TaskKey
from framework.job import InputPort, other_kind
from framework.schema.compare import missing_for

ARGUMENTS: Final = tuple(one.name for one in fields(Arguments) if one.name not in ("unknown", "container"))
MAPPABLE: Final = frozenset({"parameters"})


@dataclass(frozen=True, slots=True)
class LinkedEdge:
    """An edge with everything resolved. ``source`` holds stored names.

    ``producer`` is the task of this DAG run that Airflow orders before the consumer; None for a run that Airflow
    cannot order. ``mapped``: the producer has indices.
    """

    edge: Edge
    source: TaskKey
    producer: str | None = None
    mapped: bool = False


@dataclass(frozen=True, slots=True)
class LinkedTask:
    """A Spark task with its place among the others. ``inputs`` by port, unions in the order written.

    ``sources``: those of the job, by name; None where nobody exported them. ``outputs``: those of its contract, where one is known.
    """

    spec: TaskSpec
    key: TaskKey
    inputs: Mapping[str, tuple[LinkedEdge, ...]]
    contract: str | None = None
    sources: tuple[str, ...] | None = None
    outputs: tuple[str, ...] = ()


def is_spark(task: Any) -> bool:
    """Whether a task, mapped or not, is one of ours; by a mark, so that no operator is imported for the question."""
    return bool(getattr(getattr(task, "operator_class", type(task)), "teamspark_task", False))


def link(dag: Any, team: str, contracts: Contracts | None) -> dict[str, LinkedTask]:
    """Resolve every data edge of ``dag``; changes nothing.

    Raises: ConfigError with every mistake of the DAG.
    """
    wrong: list[str] = []
    specs = dict(_specs(dag, wrong))
    linked = {}
    for task_id, spec in specs.items():
        key = _stored_key(spec, team, dag.dag_id, task_id)
        ports = contracts.ports.get(spec.name) if contracts is not None else None
        if contracts is not None and ports is None and spec.job is not None:
            wrong.append(f"{task_id}: {_no_such_job(spec, contracts)}")
        found = [_resolve(dag, team, task_id, edge, specs) for edge in spec.edges]
        wrong += [f"{task_id}: {item}" for item in found if isinstance(item, str)]
        edges = [item for item in found if isinstance(item, LinkedEdge)]
        by_port = _by_port(task_id, edges, ports, wrong)
        wrong += [f"{task_id}: {line}" for line in _against_contract(spec, by_port, ports)]
        wrong += [f"{task_id}: {line}" for line in _against_producers(ports, by_port, specs, contracts)]
        linked[task_id] = _linked_task(spec, key, by_port, ports)
    wrong += _stored_twice(linked)
    if wrong:
        raise ConfigError("this DAG's tasks and data edges do not hold together", where=dag.dag_id, details=wrong)
    return linked


def _linked_task(
    spec: TaskSpec, key: TaskKey, by_port: Mapping[str, tuple[LinkedEdge, ...]], ports: JobPorts | None
) -> LinkedTask:
    if ports is None:
        return LinkedTask(spec, key, by_port)
    return LinkedTask(spec, key, by_port, ports.contract, ports.sources, ports.outputs)


def definition_mistakes(dag: Any) -> list[str]:
    """Every mistake of the tasks' own definitions, without what they mean to each other."""
    wrong: list[str] = []
    list(_specs(dag, wrong))
    return wrong


def specs_of(task: Any) -> TaskSpec:
    """The definition of one Spark task. Raises: ConfigError."""
    if not getattr(task, "is_mapped", False):
        spec: TaskSpec | ConfigError = task.spec
        if isinstance(spec, ConfigError):
            raise spec
        return spec
    expanded = getattr(task.expand_input, "value", None)
    names = set(expanded) if isinstance(expanded, Mapping) else {"whatever expand_kwargs() holds"}
    unmappable = sorted(names - MAPPABLE)
    if unmappable:
        raise ConfigError(
            "only 'parameters' can be mapped over: every index has the same job and the same edges",
            where=task.task_id,
            got=", ".join(unmappable),
            next_step="use .partial(job=..., inputs=...).expand(parameters=[...])",
        )
    arguments = {name: task.partial_kwargs.get(name) for name in ARGUMENTS}
    container = bool(getattr(task.operator_class, "runs_image", False))
    spec = task_spec(Arguments(**arguments, container=container), where=task.task_id)
    # Each index has its own, and whatever maps them may be known only at run time.
    return replace(spec, parameters=None)


def _specs(dag: Any, wrong: list[str]) -> Iterator[tuple[str, TaskSpec]]:
    for task in dag.tasks:
        if not is_spark(task):
            continue
        try:
            yield task.task_id, specs_of(task)
        except ConfigError as error:
            wrong += [f"{task.task_id}: {line}" for line in (error.details or (f"{error.what}; got {error.got}",))]


def _stored_key(spec: TaskSpec, team: str, dag_id: str, task_id: str) -> TaskKey:
    stored_dag, stored_task = spec.stored or (None, task_id)
    return TaskKey(team, stored_dag or dag_id, stored_task)


def _resolve(dag: Any, team: str, consumer: str, edge: Edge, specs: Mapping[str, TaskSpec]) -> LinkedEdge | str:
    """The edge with its producer, or the sentence that says why it has none."""
    dag_id = edge.dag_id or dag.dag_id
    if dag_id != dag.dag_id or edge.team not in (None, team):
        owner = edge.team or team
        if not dag_id.startswith(f"{owner}."):
            return f"{edge.place}: DAG {dag_id!r} is not of team {owner!r}: ids start with '{owner}.'"
        return LinkedEdge(edge, TaskKey(owner, dag_id, edge.task_id))
    if edge.task_id not in specs:
        return _without_spec(dag, TaskKey(team, dag_id, edge.task_id), edge, specs)
    refusal = _refusal(dag, consumer, edge)
    if refusal:
        return f"{edge.place}: {refusal}"
    source = _stored_key(specs[edge.task_id], team, dag_id, edge.task_id)
    if edge.run == "latest":
        return LinkedEdge(edge, source)
    return LinkedEdge(edge, source, edge.task_id, _indexed(dag.get_task(edge.task_id)))


def _without_spec(dag: Any, source: TaskKey, edge: Edge, specs: Mapping[str, TaskSpec]) -> LinkedEdge | str:
    """A Spark task that is wrong itself has its mistakes told; that it is no producer would be a false one more."""
    if dag.has_task(edge.task_id) and is_spark(dag.get_task(edge.task_id)):
        return LinkedEdge(edge, source)
    return f"{edge.place}: {_no_such_task(dag, edge.task_id, specs)}"


def _refusal(dag: Any, consumer: str, edge: Edge) -> str | None:
    """Why an edge between two Spark tasks of this DAG cannot be; None when it can."""
    producer = dag.get_task(edge.task_id)
    latest = edge.run == "latest"
    facts = (
        (latest and _indexed(producer), "run='latest' of a mapped task is not supported in this version; 'same' is"),
        (
            not latest and (edge.wait_s or edge.max_age_s is not None),
            "wait and max_age are for other runs; tasks of one run are ordered by Airflow",
        ),
        (
            not latest and edge.task_id == consumer,
            "a task cannot read its own output of the same run; run='latest' reads an earlier one",
        ),
        (
            not latest and _same_mapped_group(producer, dag.get_task(consumer)),
            "edges inside a mapped task group are not supported in this version; map the task itself",
        ),
    )
    return next((sentence for true, sentence in facts if true), None)


def _indexed(task: Any) -> bool:
    return bool(getattr(task, "is_mapped", False)) or task.get_closest_mapped_task_group() is not None


def _same_mapped_group(one: Any, other: Any) -> bool:
    group = one.get_closest_mapped_task_group()
    return group is not None and group is other.get_closest_mapped_task_group()


def _by_port(
    task_id: str, edges: list[LinkedEdge], ports: JobPorts | None, wrong: list[str]
) -> dict[str, tuple[LinkedEdge, ...]]:
    """Edges by the port they feed. One without ``as`` feeds the only port, or the port named like its task."""
    found: dict[str, tuple[LinkedEdge, ...]] = {}
    for item in edges:
        name = item.edge.task_id.rpartition(".")[2]
        port = item.edge.port or (name if ports is None or name in ports.inputs else None)
        if port is None and ports is not None and len(ports.inputs) == 1 and len(edges) == 1:
            port = next(iter(ports.inputs))
        if port is None:
            wrong.append(f'{task_id}: {item.edge.place}: which port? Add "as": one of {_names(ports)}')
            continue
        found[port] = (*found.get(port, ()), item)
    return found


def _against_contract(
    spec: TaskSpec, by_port: Mapping[str, tuple[LinkedEdge, ...]], ports: JobPorts | None
) -> Iterator[str]:
    """What the task's own job has not, or needs."""
    if ports is None:
        return
    if ports.container != (spec.program is not None):
        yield f"{spec.job} is {_KINDS[ports.container]}"
    for name in by_port.keys() - ports.inputs.keys():
        yield f"inputs.{name}: {spec.job} has no such port{_nearest(name, ports.inputs)}; it has {_names(ports)}"
    for name, needed in ports.inputs.items():
        if needed and name not in by_port:
            yield f"port '{name}' of {spec.job} has no edge; add inputs={{'{name}': <task>.output}}"
    for name in spec.outputs:
        if name not in ports.outputs:
            yield f"job_config.output.{name}: {spec.job} has no such output; it has {', '.join(ports.outputs)}"
    if spec.parameters is not None:
        yield from misfits(ports.parameters, spec.parameters)


def _against_producers(
    ports: JobPorts | None,
    by_port: Mapping[str, tuple[LinkedEdge, ...]],
    specs: Mapping[str, TaskSpec],
    contracts: Contracts | None,
) -> Iterator[str]:
    """What tasks of this run do not publish, as far as it is known what they do."""
    known = contracts.ports if contracts else {}
    for port, item in ((port, item) for port, items in by_port.items() for item in items if item.producer):
        producer = specs[item.edge.task_id]
        made = untyped_ports(producer.untyped) if producer.untyped else known.get(producer.name)
        if made:
            yield from _against_producer(item.edge, made, ports.reads.get(port) if ports else None)


def _against_producer(edge: Edge, made: JobPorts, wanted: InputPort | None) -> Iterator[str]:
    if edge.output not in made.outputs:
        known = ", ".join(made.outputs)
        yield f"{edge.place}: task '{edge.task_id}' has no output '{edge.output}'; it has {known}"
    elif wanted is not None:
        given = made.writes[edge.output]
        other = other_kind(wanted, given)
        for line in (*([other] if other else []), *missing_for(wanted.schema, given.schema)):
            yield f"{edge.place}: output '{edge.output}' of task '{edge.task_id}' does not fit: {line}"


_KINDS: Final = {
    True: "a Contract, which an image fulfils: use ExecutionEnvironmentOperator",
    False: "a Spark job, which no other image runs: use SparkExecutionEnvironmentOperator, or make it a Contract",
}


def _stored_twice(linked: Mapping[str, LinkedTask]) -> Iterator[str]:
    seen: dict[TaskKey, str] = {}
    for task_id, task in linked.items():
        if task.key in seen:
            yield f"{task_id}: stored_as gives it the place of task '{seen[task.key]}'; two tasks never share one"
        seen.setdefault(task.key, task_id)
        if not task.key.dag_id.startswith(f"{task.key.team}."):
            yield f"{task_id}: stored_as names DAG {task.key.dag_id!r}; ids start with '{task.key.team}.'"


def order(dag: Any, linked: Mapping[str, LinkedTask]) -> None:
    """Set the dependencies of edges and look for cycles again: Airflow looked before these existed.

    Raises: ConfigError.
    """
    from airflow.sdk.exceptions import AirflowDagCycleException

    for task_id, task in linked.items():
        wanted = {item.producer for items in task.inputs.values() for item in items if item.producer}
        for producer in sorted(wanted - dag.get_task(task_id).upstream_task_ids):
            dag.set_dependency(producer, task_id)
    try:
        dag.check_cycle()
    except AirflowDagCycleException as error:
        raise ConfigError("this DAG's data edges form a cycle", where=dag.dag_id, got=str(error)) from error


def _no_such_task(dag: Any, task_id: str, specs: Mapping[str, TaskSpec]) -> str:
    if dag.has_task(task_id):
        return f"task {task_id!r} publishes nothing to read: it is no task of ours"
    return f"no task {task_id!r} in this DAG{_nearest(task_id, specs)}; inside a task group it is '<group>.<task>'"


def _no_such_job(spec: TaskSpec, contracts: Contracts) -> str:
    near = _nearest(str(spec.job), contracts.ports)
    return f"no job {spec.job} in {contracts.place}{near}; {contracts.remedy}"


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _names(ports: JobPorts | None) -> str:
    return ", ".join(f"'{name}'" for name in ports.inputs) if ports and ports.inputs else "(no port)"
