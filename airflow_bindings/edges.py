"""What an author says about a task's inputs, as plain records: edges in Python and in JSON become the same ``Edge``.

Pure: nothing here looks at a DAG. Which task an edge means and which port a nameless one feeds is decided in
``link``, when the DAG is complete.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from airflow_bindings.arguments import refusals
from framework.errors import ConfigError, PathError, clip
from framework.identity import JobName
from framework.secret_values import secrets_in

if TYPE_CHECKING:
    from airflow.sdk import Asset

    from framework.config import DataMode, DestinationEntry, JobConfig, OperatorEntry

RUNS: Final = ("same", "latest")
# As ``framework.config.DataMode``.
DATA: Final = ("copy", "volume", "uri")
SECTIONS: Final = ("input", "output", "parameters", "spark")
_DURATION: Final = re.compile(r"(^|\.)(wait|max_age): Input")
_PORT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# As ``framework.tenancy.cluster.SizeName``, which costs pydantic's import when a file is parsed.
_SIZE: Final = re.compile(r"[A-Z][A-Z0-9]{0,7}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One data edge as written. None for ``dag_id`` and ``team`` means the consumer's own; durations in seconds.

    ``port`` is None for a JSON entry without ``as``. ``place`` says where it was written, for error messages.
    """

    place: str
    task_id: str
    port: str | None = None
    dag_id: str | None = None
    team: str | None = None
    output: str = "default"
    run: Literal["same", "latest"] = "same"
    wait_s: int = 0
    max_age_s: int | None = None


@dataclass(frozen=True)
class Upstream:
    """The output of a task that is not in this DAG run: another DAG's, or an earlier run of this one.

    ``run``: ``same`` (the run with my date or partition key) or ``latest`` (the newest dated run at or before mine;
    strictly before for my own task). ``wait``: how long to wait for it, an ISO duration such as ``PT2H``.
    ``max_age``: refuse a ``latest`` run that is older. ``team`` and ``dag_id`` default to this DAG's.

    Its mistakes are told with those of the task that it feeds.
    """

    task_id: str
    dag_id: str | None = None
    team: str | None = None
    output: str = "default"
    run: str = "same"
    wait: str | timedelta = timedelta(0)
    max_age: str | timedelta | None = None

    def edge(self, port: str, place: str) -> Edge:
        """Raises: ConfigError with all mistakes."""
        return _edge(self._entry(), port, place)

    @property
    def asset(self) -> "Asset":
        """What to schedule on: ``schedule=[Upstream("delays", dag_id="flights.daily", team="flights").asset]``.

        Raises: ConfigError when it does not say whose task it is, or cannot mean what it says.
        """
        from airflow_bindings.assets import asset_of
        from framework.identity import TaskKey

        self._entry()
        dag_id = self.dag_id
        team = self.team or (dag_id or "").partition(".")[0]
        if dag_id is None:
            raise ConfigError("an asset needs the DAG's id", where=repr(self), next_step='add dag_id="<team>.<name>"')
        return asset_of(TaskKey(team, dag_id, self.task_id), consumer=True)

    def _entry(self) -> "OperatorEntry":
        from framework.config import OperatorEntry

        where = f"Upstream({self.task_id!r})"
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        wrong = [*_templated(where, given), *_unsupported_run(where, self.run)]
        if wrong:
            raise ConfigError("an upstream cannot mean what it says", where=where, details=wrong)
        return OperatorEntry.parse(given, where=where)


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """Of a task that runs another image: which, how it is given data, and what runs in its place on a laptop."""

    image: str
    data: "DataMode | None" = None
    local_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task's definition, checked as far as it can be without its DAG. ``job`` is None for an image without a contract.

    ``stored``: (dag_id, task_id) under which its outputs lie, when they differ from Airflow's.
    ``outputs``: names that ``job_config["output"]`` mentions, ``destinations`` what is delivered of them.
    ``parameters``: None when they are known only at run time. ``size``: one of the team file; None for its smallest.
    ``image`` and ``tag``: of a cluster, instead of the team file's. ``program``: of a task that runs another image.
    """

    job: JobName | None
    edges: tuple[Edge, ...] = ()
    stored: tuple[str | None, str] | None = None
    outputs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] | None = None
    destinations: "Mapping[str, tuple[DestinationEntry, ...]]" = field(default_factory=dict)
    size: str | None = None
    image: str | None = None
    tag: str | None = None
    program: ProgramSpec | None = None

    @property
    def name(self) -> str:
        """What runs: the job, or the image where it has no contract."""
        if self.job is not None:
            return str(self.job)
        assert self.program is not None, "a task has a job or an image"
        return self.program.image

    @property
    def untyped(self) -> tuple[str, ...]:
        """The outputs of an image without a contract."""
        return (self.outputs or ("default",)) if self.job is None else ()


@dataclass(frozen=True, slots=True)
class Arguments:
    """The author's arguments of one task, unrendered. ``unknown``: those that the operator does not take. ``container``: it runs
    another image.
    """

    job: Any = None
    job_config: Any = None
    inputs: Any = None
    parameters: Any = None
    spark_conf: Any = None
    stored_as: Any = None
    size: Any = None
    resources: Any = None
    image: Any = None
    tag: Any = None
    data: Any = None
    local_command: Any = None
    unknown: Mapping[str, Any] = field(default_factory=dict)
    container: bool = False


def task_spec_or_error(given: Arguments, *, where: str) -> TaskSpec | ConfigError:
    """As ``task_spec``, for a constructor: what it raised would hide the mistakes of every task that follows."""
    try:
        return task_spec(given, where=where)
    except ConfigError as error:
        return error


def task_spec(given: Arguments, *, where: str) -> TaskSpec:
    """The definition in ``given``. Raises: ConfigError with every mistake and its place."""
    wrong = list(refusals(given.unknown, container=given.container))
    config = _job_config(given.job_config, wrong)
    wrong += _said_twice(given)
    edges = [*_python_edges(given.inputs, wrong), *(_json_edges(config) if config else ())]
    bare = given.container and given.job is None
    job = None if bare else _attempt(lambda: JobName.parse(given.job), wrong)
    stored = _stored(given.stored_as, wrong)
    wrong += _not_a_mapping("parameters", given.parameters)
    size = given.size if given.size is not None else given.resources
    wrong += _not_a_size(size)
    wrong += _not_an_image(given.image, given.tag)
    wrong += _not_a_program(given) if given.container else ()
    wrong += _refused("spark_conf", given.spark_conf)
    wrong += _refused("job_config.spark.conf", config.spark.conf if config else None, rendered=False)
    parameters = given.parameters if given.parameters is not None else config.parameters if config else {}
    constant = parameters if isinstance(parameters, Mapping) else None
    wrong += secrets_in("parameters", constant, rendered=False)
    if wrong or (job is None and not bare):
        raise ConfigError("this task cannot mean what it says", where=where, details=wrong)
    outputs = config.output if config else {}
    brought = {name: options.destinations for name, options in outputs.items() if options.destinations}
    return TaskSpec(
        job,
        tuple(edges),
        stored,
        tuple(outputs),
        constant,
        brought,
        size,
        given.image,
        given.tag,
        _program(given),
    )


def _not_a_size(size: Any) -> list[str]:
    if size is None or (isinstance(size, str) and _SIZE.fullmatch(size)):
        return []
    return [f"size: {size!r}; expected one of the team file, such as S or XL"]


def _not_an_image(image: Any, tag: Any) -> list[str]:
    """Whether it is one of the team's is known when the task starts: the team file is not read here."""
    if image is None and tag is None:
        return []
    from framework.tenancy.images import wished

    wrong = [
        f"{name}: {given!r}; expected text" for name, given in (("image", image), ("tag", tag)) if not _is_text(given)
    ]
    if wrong:
        return wrong
    try:
        wished(image, tag, "registry.example.org/team/jobs:1")
    except ValueError as error:
        given = [f"{name}: {one!r}" for name, one in (("image", image), ("tag", tag)) if one is not None]
        return [f"{', '.join(given)}; {error}"]
    return []


def _not_a_program(given: Arguments) -> Iterator[str]:
    command = given.local_command
    if given.image is None:
        yield 'image: missing; it says which program runs: image="registry.example.org/team/tool", tag="1.2"'
    if given.data not in (None, *DATA):
        yield f"data: {clip(repr(given.data), 40)}; expected one of {', '.join(DATA)}"
    if command is None:
        return
    if isinstance(command, str) or not command or not all(isinstance(word, str) for word in command):
        yield f'local_command: a list of words such as ["python", "score.py"], got {clip(repr(command), 80)}'
        return
    yield from secrets_in("local_command", list(command))


def _program(given: Arguments) -> ProgramSpec | None:
    if not given.container:
        return None
    from framework.tenancy.images import wished

    image = wished(given.image, given.tag, None)
    assert image is not None, "a program without an image was refused"
    return ProgramSpec(image, given.data, tuple(given.local_command or ()))


def _is_text(given: Any) -> bool:
    return given is None or isinstance(given, str)


def _attempt(build: Any, wrong: list[str], place: str = "") -> Any:
    try:
        return build()
    except (ConfigError, PathError) as error:
        wrong += [f"{place}{_explained(line)}" for line in error.details or (str(error).replace("\n", " "),)]
        return None


def _explained(line: str) -> str:
    """``line``, and how a duration is written when it is about one."""
    return f"{line}; write an ISO duration such as PT2H" if _DURATION.search(line) else line


def _job_config(given: Any, wrong: list[str]) -> "JobConfig | None":
    if given is None:
        return None
    if not isinstance(given, Mapping):
        wrong.append(f"job_config: a dictionary with {', '.join(SECTIONS)}, got {clip(given, 80)}")
        return None
    from framework.config import JobConfig

    entries = list(_entries(given))
    found = [line for place, entry in entries for line in _templated(place, entry)]
    found += [line for place, entry in entries for line in _unsupported_run(place, entry.get("run", "same"))]
    if found:
        wrong += found
        return None
    config: JobConfig | None = _attempt(lambda: JobConfig.parse(given, where="job_config"), wrong)
    wrong += _destination_mistakes(config)
    return config


def _destination_mistakes(config: "JobConfig | None") -> list[str]:
    """Nothing is imported for a task that delivers nowhere."""
    entries = {name: options.destinations for name, options in config.output.items()} if config else {}
    if not any(entries.values()):
        return []
    from framework.destinations.kinds import mistakes

    return [f"job_config.{line}" for line in mistakes(entries)]


def _entries(given: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    section = given.get("input")
    operators = section.get("operators") if isinstance(section, Mapping) else None
    for index, entry in enumerate(operators if isinstance(operators, list | tuple) else ()):
        if isinstance(entry, Mapping):
            yield f"input.operators.{index}", entry


def _json_edges(config: "JobConfig") -> Iterator[Edge]:
    for index, entry in enumerate(config.input.operators):
        yield _edge(entry, entry.port, f"job_config.input.operators.{index}")


def _edge(entry: "OperatorEntry", port: str | None, place: str) -> Edge:
    return Edge(
        place=place,
        task_id=entry.task_id,
        port=port,
        dag_id=entry.dag_id,
        team=entry.team,
        output=entry.output,
        run=entry.run,
        wait_s=int(entry.wait.total_seconds()),
        max_age_s=None if entry.max_age is None else int(entry.max_age.total_seconds()),
    )


def _python_edges(inputs: Any, wrong: list[str]) -> Iterator[Edge]:
    if inputs is None:
        return
    if not isinstance(inputs, Mapping):
        wrong.append(f"inputs: a dictionary from port to edge, got {clip(inputs, 80)}")
        return
    for port, value in inputs.items():
        if not (isinstance(port, str) and _PORT.fullmatch(port)):
            wrong.append(f"inputs: {port!r} is no port name; ports are parameters of the job's transform")
            continue
        many = isinstance(value, list | tuple)
        for index, item in enumerate(value if many else [value]):
            place = f"inputs.{port}.{index}" if many else f"inputs.{port}"
            edge = _python_edge(item, port, place, wrong)
            if edge:
                yield edge


def _python_edge(item: Any, port: str, place: str, wrong: list[str]) -> Edge | None:
    # Both are loaded already wherever an operator class exists.
    from airflow.sdk.definitions._internal.abstractoperator import AbstractOperator
    from airflow.sdk.definitions.xcom_arg import PlainXComArg, XComArg

    if isinstance(item, Upstream):
        edge: Edge | None = _attempt(lambda: item.edge(port, place), wrong, f"{place}: ")
        return edge
    if isinstance(item, PlainXComArg):
        output = "default" if item.key == "return_value" else item.key
        return Edge(place=place, task_id=item.operator.task_id, port=port, output=output)
    if isinstance(item, XComArg):
        wrong.append(f"{place}: .map(), .zip() and .concat() change values, and an edge is no value; use <task>.output")
    elif isinstance(item, AbstractOperator):
        name = item.task_id.rpartition(".")[2]
        wrong.append(f"{place}: the task itself; Airflow would not see the edge. Write {name}.output")
    else:
        wrong.append(f"{place}: <task>.output, Upstream(...) or a list of these, got {clip(repr(item), 80)}")
    return None


def _templated(place: str, given: Mapping[str, Any]) -> list[str]:
    found = [name for name, value in given.items() if isinstance(value, str) and "{{" in value]
    return [f"{place}.{name}: an edge is never a template: the DAG must know it when it is parsed" for name in found]


def _unsupported_run(place: str, run: object) -> list[str]:
    if run in RUNS:
        return []
    return [f"{place}.run: {clip(repr(run), 40)} is not supported in this version; 'same' and 'latest' are"]


def _said_twice(given: Arguments) -> list[str]:
    config = given.job_config if isinstance(given.job_config, Mapping) else {}
    spark = config.get("spark")
    pairs = (
        ("inputs", given.inputs, 'job_config["input"]', config.get("input")),
        ("parameters", given.parameters, 'job_config["parameters"]', config.get("parameters")),
        ("spark_conf", given.spark_conf, 'job_config["spark"]', spark),
        ("size", given.size, "resources", given.resources),
    )
    return [
        f"{a} and {b} say the same thing twice; keep one" for a, x, b, y in pairs if x is not None and y is not None
    ]


def _refused(name: str, conf: Any, *, rendered: bool = True) -> list[str]:
    """``rendered``: no template is ever filled in here. Nothing is imported for a task that sets nothing."""
    if conf is None or conf == {}:
        return []
    if not isinstance(conf, Mapping):
        return [f"{name}: a dictionary of constants, got {clip(repr(conf), 80)}"]
    from framework import sparkconf

    return [f"{name}: {line}" for line in sparkconf.refusals(conf, rendered=rendered)]


def _not_a_mapping(name: str, value: Any) -> list[str]:
    if value is None or isinstance(value, Mapping):
        return []
    from airflow.sdk.definitions.xcom_arg import XComArg

    if isinstance(value, XComArg):
        return []
    return [f"{name}: a dictionary, got {clip(repr(value), 80)}"]


def _stored(given: Any, wrong: list[str]) -> tuple[str | None, str] | None:
    if given is None:
        return None
    if not isinstance(given, str) or "{{" in given or not all(given.split("/")) or given.count("/") > 1:
        wrong.append(f'stored_as: "<task>" or "<dag>/<task>", never a template, got {clip(repr(given), 80)}')
        return None
    dag_id, slash, task_id = given.rpartition("/")
    return (dag_id if slash else None, task_id)
