"""``Job``: one ``transform`` whose signature is the contract, and fields that are its parameters."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from framework.errors import ConfigError, DefinitionError
from framework.records import mistakes
from framework.schema.annotations import BuiltSignature, defining_names, nearest

J = TypeVar("J", bound="Job")
# Constraints by the attribute that holds their bound, and how a person says them.
_ASKED: Final = (
    ("ge", "at least {}"),
    ("gt", "more than {}"),
    ("le", "at most {}"),
    ("lt", "less than {}"),
    ("multiple_of", "a multiple of {}"),
    ("min_length", "{} or longer"),
    ("max_length", "{} or shorter"),
    ("pattern", "like {}"),
)


class Job(BaseModel):
    """A Spark job. Subclass it and write ``transform``; a field is a parameter: ``DelayByCarrier(min_flights=3)``.

    The parameters of ``transform`` are its inputs (``Frame[S]``), and ``Run`` or ``SparkSession`` where they are asked
    for by type; ``framework.job.contract_of`` reads them. Constants are ``ClassVar`` or stand in the module.
    """

    # defer_build: importing a job costs little, and what pydantic cannot build is told by build_job and contract_of.
    model_config = ConfigDict(
        # allow_inf_nan: a run is told its parameters as JSON, which has neither.
        frozen=True,
        extra="forbid",
        validate_default=True,
        defer_build=True,
        protected_namespaces=(),
        allow_inf_nan=False,
    )

    # Names of the function that defines the class, and the contract once it has been read.
    __names__: ClassVar[Mapping[str, Any]] = {}
    __contract__: ClassVar[Any] = None

    @abstractmethod
    def transform(self, *args: Any, **kwargs: Any) -> Any:
        """Outputs from inputs: lazy, and without reading or writing storage."""

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        cls.__names__ = defining_names(cls.__module__)
        cls.__contract__ = None
        if found := [*_bad_parameters(cls), *_bad_methods(cls)]:
            raise DefinitionError(
                f"{cls.__name__} cannot be a job", where=job_name(cls), next_step="change the class", details=found
            )

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        super().__pydantic_init_subclass__()
        type.__setattr__(cls, "__signature__", BuiltSignature())


def _bad_parameters(job: type[Job]) -> Iterator[str]:
    """Parameters that pydantic would hide or mix up with its own methods."""
    for name in job.__annotations__:
        if "ClassVar" in str(job.__annotations__[name]):
            continue
        if name.startswith("_"):
            yield f"{name}: a parameter does not start with _; a constant is a ClassVar"
        elif hasattr(Job, name):
            yield f"{name}: the class uses this name itself; choose another for the parameter"


def _bad_methods(job: type[Job]) -> Iterator[str]:
    """Ways to make a job that would go past its parameters, inherited ones too. ``model_post_init`` goes by them."""
    for name in ("__init__", "__new__"):
        if getattr(job, name) is not getattr(Job, name):
            yield f"{name}: a job is made from its parameters, which are fields: min_flights: int = 1; remove the method"
    if hasattr(job, "__post_init__"):
        yield "__post_init__: nothing calls it; a job is made from its parameters, which are fields"


def job_name(job: type[Job]) -> str:
    """The name that DAGs and the command line use: ``jobs.flights.delays:Delays``."""
    return f"{job.__module__}:{job.__qualname__}"


class Contract(Job):
    """What a program in another image takes and gives, in the words of a ``Job``: a ``transform`` with a signature and no body
    (``...``). Its parameters reach the program in its configuration.

    ``local_command``: what runs in place of the image on a laptop, from the workspace.
    """

    local_command: ClassVar[tuple[str, ...]] = ()


def build_job(job: type[J], parameters: Mapping[str, Any], *, strings: bool = False) -> J:
    """``job`` with its parameters; with ``strings``, every value is text as a command line gives it.

    Raises: ConfigError with all mistakes at once; DefinitionError when the class has no ``transform``.
    """
    if getattr(job.transform, "__isabstractmethod__", False):
        raise DefinitionError(f"{job.__name__} has no transform", where=job_name(job))
    try:
        return job.model_validate_strings(dict(parameters)) if strings else job.model_validate(dict(parameters))
    except ValidationError as error:
        raise ConfigError(
            f"parameters do not fit {job.__name__}",
            where=job_name(job),
            expected=_signature(job),
            details=[line + _hint(line, job) for line in mistakes(error)],
        ) from error
    except PydanticUserError as error:
        raise DefinitionError(f"{job.__name__} cannot be a job: {first_line(error)}", where=job_name(job)) from error


def _hint(line: str, job: type[Job]) -> str:
    name, _, told = line.partition(": ")
    return nearest(name, job.model_fields) if told == "unknown key" else ""


def _signature(job: type[Job]) -> str:
    return "; ".join(f"{name}: {', '.join(_told_of(info))}" for name, info in job.model_fields.items()) or "none"


def _told_of(info: FieldInfo) -> Iterator[str]:
    """A parameter's type, what is asked of its value, and its default."""
    kind: Any = info.annotation
    if get_origin(kind) is Literal:
        yield f"one of {', '.join(map(repr, get_args(kind)))}"
    else:
        yield kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
    for mark in info.metadata:
        yield from (words.format(value) for name, words in _ASKED if (value := getattr(mark, name, None)) is not None)
    if not info.is_required():
        yield "default computed" if info.default_factory else f"default {info.default!r}"


def first_line(error: PydanticUserError) -> str:
    """What pydantic says is wrong, without its advice, which is for authors of pydantic models."""
    return (error.message or "").partition("\n")[0]
