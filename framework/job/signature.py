"""Reading ``transform``: parameters become ports by their type, or a sentence says why they cannot.

Nothing is read while a module is imported; the first use of a contract resolves the annotations, once.
"""

import dis
import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic.errors import PydanticUserError

from framework.errors import DefinitionError, clip
from framework.job.contract import Injected, JobContract
from framework.job.model import Contract, Job, first_line, job_name
from framework.job.ports import UNTYPED, Files, Frame, Input, InputPort, Output, OutputPort, Source, Table
from framework.job.run import Run
from framework.schema.annotations import resolve
from framework.schema.model import Schema, schema_spec
from framework.schema.spec import SchemaSpec
from framework.secret_values import secrets_in

_OUTPUT: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
# Methods of a tuple, and Airflow's own name for what a task returns.
_TAKEN: Final = frozenset({"count", "index", "return_value"})
_EXPECTED: Final = "Frame[S], Table[S], Files, Run or SparkSession; parameters of the job are fields of its class"
_NO_INPUT: Final = f"is neither input nor injected; expected {_EXPECTED}"
_NO_FILES: Final = "a Spark job returns frames; Files come from a container: class ...(Contract)"
_AS_WRITTEN: Final = "a program's files are published as they are: let it leave such rows out, or write Warn(...)"
_NO_BODY: Final = "a program does the work, and this body would never run; write ... in its place"
_NOT_INJECTED: Final = "a container finds its run in its configuration; remove the parameter"
_EDGE: Final = "let one publish what the container reads"
_NO_OUTPUT: Final = "is no output; expected Frame[S] or Table[S], or a NamedTuple of them"


@dataclass(frozen=True, slots=True)
class Signature:
    """A contract together with the schema classes that its ports name; one of ``Files`` names none."""

    contract: JobContract
    inputs: Mapping[str, type[Schema]]
    outputs: Mapping[str, type[Schema]]


@dataclass(frozen=True, slots=True)
class _Port:
    """One annotation, taken apart. ``schema`` is None for ``Files``."""

    schema: type[Schema] | None
    spec: SchemaSpec
    optional: bool
    options: tuple[object, ...]
    table: bool

    @property
    def files(self) -> bool:
        return self.schema is None


def contract_of(job: type[Job]) -> JobContract:
    """The contract of ``job``, read once. Raises: DefinitionError with every mistake in its signature."""
    return signature_of(job).contract


def signature_of(job: type[Job]) -> Signature:
    """The contract of ``job`` and the schema classes behind it. Raises: DefinitionError."""
    if job.__contract__ is None:
        job.__contract__ = _read(job)
    found: Signature = job.__contract__
    return found


def _read(job: type[Job]) -> Signature:
    function = _transform_of(job)
    names = _names_of(job, function)
    mistakes: list[str] = []
    inputs: list[tuple[InputPort, type[Schema] | None]] = []
    injected: list[tuple[str, Injected]] = []
    for parameter in _parameters(function, mistakes):
        try:
            annotation = resolve(parameter.annotation, module=function.__module__, names=names)
            if (kind := _injected(annotation)) is not None:
                injected.append((parameter.name, kind))
            else:
                inputs.append(_input(parameter.name, annotation))
        except DefinitionError as error:
            mistakes.extend(_told(parameter.name, error))
    outputs, several = _outputs(function, names, mistakes)
    container = issubclass(job, Contract)
    if container:
        mistakes += _misdescribed(job, function)
    mistakes += _misplaced([port for port, _ in inputs], [port for port, _ in outputs], injected, container=container)
    parameters = _parameter_schema(job, mistakes)
    mistakes += secrets_in("parameters", {n: one.get("default") for n, one in parameters.get("properties", {}).items()})
    if mistakes:
        raise _refusal(job, mistakes)
    contract = JobContract(
        job_name(job),
        _doc(job),
        tuple(port for port, _ in inputs),
        tuple(port for port, _ in outputs),
        tuple(injected),
        parameters,
        several,
        container,
    )
    return Signature(contract, _classes(inputs), _classes(outputs))


def _misplaced(
    inputs: Iterable[InputPort],
    outputs: Iterable[OutputPort],
    injected: Iterable[tuple[str, Injected]],
    *,
    container: bool,
) -> Iterator[str]:
    """What a program without Spark cannot be given, or cannot give; and a Spark job."""
    if not container:
        yield from (f"{port.name}: {_NO_FILES}" for port in outputs if port.files)
        return
    yield from (f"{name}: {_NOT_INJECTED}" for name, _ in injected)
    yield from (f"{port.name}: a source is read by a Spark job; {_EDGE}" for port in inputs if port.source)
    yield from (
        f"{port.name}: a table has no folder of its own; write Frame[S], the rows of one run"
        for port in inputs
        if port.table
    )
    yield from (f"{port.name}: a table is written by a Spark job; write Frame[S]" for port in outputs if port.table)
    yield from (
        f"{port.name}: {check.name} is Drop(...); {_AS_WRITTEN}"
        for port in outputs
        for check in port.schema.checks
        if check.policy == "drop"
    )


def _misdescribed(job: type[Job], function: Callable[..., Any]) -> Iterator[str]:
    """What else a ``Contract`` may not say."""
    if _does_something(function):
        yield f"transform: {_NO_BODY}"
    command: Any = vars(job).get("local_command", ())
    if not isinstance(command, tuple) or not all(isinstance(word, str) for word in command):
        yield f'local_command: words, such as ("python", "score.py"), got {clip(repr(command), 80)}'


def _does_something(function: Callable[..., Any]) -> bool:
    """Whether its body is more than ``...``, ``pass``, a docstring, or an exception."""
    done = [one for one in dis.get_instructions(function) if one.opname not in _NOTHING]
    return any(one.argval is not None for one in done) and not any(one.opname == "RAISE_VARARGS" for one in done)


_NOTHING: Final = frozenset({"RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "MAKE_CELL", "RETURN_VALUE", "POP_TOP"})


def _doc(job: type[Job]) -> str:
    text = job.__doc__ if job.__doc__ not in (Job.__doc__, Contract.__doc__) else None
    return " ".join((text or "").split())


def _classes(ports: Iterable[tuple[InputPort | OutputPort, type[Schema] | None]]) -> Mapping[str, type[Schema]]:
    return types.MappingProxyType({port.name: schema for port, schema in ports if schema is not None})


def _transform_of(job: type[Job]) -> Callable[..., Any]:
    found = inspect.getattr_static(job, "transform")
    if getattr(found, "__isabstractmethod__", False):
        raise _refusal(job, ["it has no transform"])
    if not inspect.isfunction(found):
        raise _refusal(job, ["transform is an ordinary method: def transform(self, ...)"])
    function: Callable[..., Any] = inspect.unwrap(found)
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise _refusal(job, ["transform neither awaits nor yields: it returns frames"])
    return function


def _names_of(job: type[Job], function: Callable[..., Any]) -> Mapping[str, Any]:
    """Names of the function that defined the class which holds ``transform``."""
    owner = next(base for base in job.__mro__ if "transform" in vars(base))
    names: Mapping[str, Any] = owner.__names__ if issubclass(owner, Job) else {}
    return names


_REFUSED_KINDS: Final = {
    inspect.Parameter.VAR_POSITIONAL: "*{}: every input is named; several datasets of one schema are one port",
    inspect.Parameter.VAR_KEYWORD: "**{}: every input is named",
    inspect.Parameter.POSITIONAL_ONLY: "{}: inputs are given by name; remove the /",
}


def _parameters(function: Callable[..., Any], mistakes: list[str]) -> Iterator[inspect.Parameter]:
    """The parameters after ``self`` that can be ports; the others are told."""
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        name = parameter.name
        if parameter.kind in _REFUSED_KINDS:
            mistakes.append(_REFUSED_KINDS[parameter.kind].format(name))
        elif name.startswith("_"):
            mistakes.append(f"{name}: the name of an input does not start with _")
        elif parameter.default is not inspect.Parameter.empty:
            mistakes.append(f"{name}: an input has no default; `| None` says that it may be absent, "
                            "a parameter of the job is a field of its class")  # fmt: skip
        elif parameter.annotation is inspect.Parameter.empty:
            mistakes.append(f"{name}: says no type; expected {_EXPECTED}")
        else:
            yield parameter


def _injected(annotation: Any) -> Injected | None:
    if annotation is Run:
        return "run"
    # By name: on Airflow's side, and in tests of a contract, there need not be any pyspark.
    if _is_pyspark(annotation, "SparkSession"):
        return "spark"
    return None


def _is_pyspark(annotation: Any, name: str) -> bool:
    return isinstance(annotation, type) and annotation.__name__ == name and annotation.__module__.startswith("pyspark.")


def _input(name: str, annotation: Any) -> tuple[InputPort, type[Schema] | None]:
    port = _port(annotation, (Input, Source))
    source = next((option.name for option in port.options if isinstance(option, Source)), None)
    asked = next((option for option in port.options if isinstance(option, Input)), Input())
    if source is None:
        _refuse_aliases(port.spec)
    if port.table and source is not None:
        raise DefinitionError("a source has no runs: write Frame[S]")
    if port.files and source is not None:
        raise DefinitionError("a source has rows: write Frame[S]")
    if asked.as_of != "run" and not port.table:
        raise DefinitionError(f"Input(as_of={asked.as_of!r}) is for a Table[S]; a Frame[S] is the rows of one run")
    found = InputPort(name, port.spec, port.optional, source, asked.cache, port.table, asked.as_of, port.files)
    return found, port.schema


def _port(annotation: Any, allowed: tuple[type, ...]) -> _Port:
    core, options, optional = _unwrap(annotation)
    schema, alias = (
        (None, "Files") if core is Files else _schema_in(core, _NO_INPUT if Input in allowed else _NO_OUTPUT)
    )
    words = " and ".join(f"{kind.__name__}(...)" for kind in allowed)
    for option in options:
        if not isinstance(option, allowed):
            shown = option.__name__ if isinstance(option, type) else repr(option)
            raise DefinitionError(f"{shown} means nothing here; there are {words}")
    if len({type(option) for option in options}) < len(options):
        raise DefinitionError(f"give each of {words} once")
    spec = UNTYPED if schema is None else schema_spec(schema)
    return _Port(schema, spec, optional, options, table=alias == "Table")


def _unwrap(annotation: Any) -> tuple[Any, tuple[object, ...], bool]:
    """The bare type, its ``Annotated`` options, and whether ``None`` is an arm, in whatever order they were written."""
    if get_origin(annotation) is Annotated:
        core, options, optional = _unwrap(get_args(annotation)[0])
        return core, (*options, *annotation.__metadata__), optional
    if get_origin(annotation) in (Union, types.UnionType):
        arms = [arm for arm in get_args(annotation) if arm is not types.NoneType]
        if len(arms) == 1:
            core, options, _ = _unwrap(arms[0])
            return core, options, True
    return annotation, (), False


def _schema_in(core: Any, neither: str) -> tuple[type[Schema], str]:
    """The schema, and the alias around it."""
    if core is Frame or core is Table or _is_pyspark(core, "DataFrame"):
        kind = "Table" if core is Table else "Frame"
        raise DefinitionError(f"does not say what its rows are; write {kind}[S], S being a Schema")
    if isinstance(core, type) and issubclass(core, Schema):
        raise DefinitionError(f"is one row; write Frame[{core.__name__}]")
    if get_origin(core) not in (Frame, Table):
        raise DefinitionError(f"{_shown(core)} {neither}")
    alias = "Table" if get_origin(core) is Table else "Frame"
    (schema,) = get_args(core)
    if not (isinstance(schema, type) and issubclass(schema, Schema)):
        raise DefinitionError(f"{alias}[{_shown(schema)}]: {_shown(schema)} is no Schema")
    return schema, alias


def _shown(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else repr(kind).removeprefix("typing.")


def _refuse_aliases(spec: SchemaSpec) -> None:
    foreign = [column.name for column in spec.columns if column.source_name != column.name]
    if foreign:
        raise DefinitionError(f"{spec.name} has foreign names ({', '.join(foreign)}), which only a Source has; "
                              "published datasets have plain names")  # fmt: skip


def _outputs(
    function: Callable[..., Any], names: Mapping[str, Any], mistakes: list[str]
) -> tuple[list[tuple[OutputPort, type[Schema] | None]], bool]:
    """The outputs, and whether they come as a NamedTuple."""
    written = inspect.signature(function).return_annotation
    if written is inspect.Parameter.empty:
        mistakes.append("it does not say what it returns; expected -> Frame[S] or Table[S], or a NamedTuple of them")
        return [], False
    try:
        returned = resolve(written, module=function.__module__, names=names)
        if not _is_named_tuple(returned):
            return [_output("default", returned)], False
    except DefinitionError as error:
        mistakes.extend(_told("return", error))
        return [], False
    return _named_outputs(returned, names, mistakes), True


def _is_named_tuple(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _named_outputs(
    returned: Any, names: Mapping[str, Any], mistakes: list[str]
) -> list[tuple[OutputPort, type[Schema] | None]]:
    outputs = []
    for name in returned._fields:
        written = returned.__annotations__.get(name, Any)
        try:
            _check_output_name(name)
            outputs.append(_output(name, resolve(written, module=returned.__module__, names=names)))
        except DefinitionError as error:
            mistakes.extend(_told(f"{returned.__name__}.{name}", error))
    if "default" not in returned._fields:
        mistakes.append(
            f"{returned.__name__}: one output is called default, so that a job can gain outputs and keep its readers"
        )
    return outputs


def _check_output_name(name: str) -> None:
    if name in _TAKEN:
        raise DefinitionError("is taken by tuples and Airflow; choose another name")
    if not _OUTPUT.fullmatch(name):
        raise DefinitionError("an output's name is a lower case letter, then lower case letters, digits and _")


def _output(name: str, annotation: Any) -> tuple[OutputPort, type[Schema] | None]:
    port = _port(annotation, (Output,))
    if port.optional:
        raise DefinitionError("an output is always there; an empty frame is one without rows")
    _refuse_aliases(port.spec)
    keep = next((option.keep for option in port.options if isinstance(option, Output)), None)
    if port.table and keep is not None:
        raise DefinitionError("Output(keep=) is for a Frame[S]; a table keeps the rows of all its runs")
    return OutputPort(name, port.spec, keep, port.table, port.files), port.schema


def _parameter_schema(job: type[Job], mistakes: list[str]) -> dict[str, Any]:
    try:
        job.model_rebuild(raise_errors=False, _types_namespace=dict(job.__names__))
        return job.model_json_schema()
    except PydanticUserError as error:
        mistakes.append(f"its parameters cannot be written as JSON: {first_line(error)}")
        return {}


def _told(place: str, error: DefinitionError) -> list[str]:
    """``error`` as lines under ``place``; a schema's own mistakes come along."""
    return [f"{place}: {error.what}", *(f"  {line}" for line in error.details)]


def _refusal(job: type[Job], mistakes: list[str]) -> DefinitionError:
    return DefinitionError(
        f"the transform of {job.__name__} is no contract",
        where=job_name(job),
        next_step="change the signature",
        details=mistakes,
    )
