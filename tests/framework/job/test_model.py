"""A job with its parameters: all mistakes at once, from values and from text."""

import datetime as dt
import inspect
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, Self

import pytest
from annotated_types import Ge
from pydantic import BaseModel, ValidationError

from framework.errors import ConfigError, DefinitionError
from framework.job import Frame, Job, build_job, job_name
from framework.schema.model import Schema


class Flight(Schema):
    carrier: str


class Top(Job):
    by: Literal["carrier", "route"]
    n: Annotated[int, Ge(1)] = 10
    since: dt.date | None = None
    exact: bool = False
    LIMIT: ClassVar[int] = 5

    def transform(self, flights: Frame[Flight]) -> Frame[Flight]:
        return flights


def test_parameters_are_fields() -> None:
    assert build_job(Top, {"by": "route", "since": "2013-01-01"}) == Top(by="route", since=dt.date(2013, 1, 1))


def test_parameters_from_a_command_line_are_text() -> None:
    job = build_job(Top, {"by": "route", "n": "3", "exact": "True"}, strings=True)

    assert job == Top(by="route", n=3, exact=True)


@pytest.mark.parametrize("text", ["None", "['a']", "3.5", ""])
def test_text_that_only_a_template_could_mean_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        build_job(Top, {"by": "route", "n": text}, strings=True)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        build_job(Top, {"n": 0, "since": "soon", "exakt": True})

    told = refused.value.details
    assert [line.partition(":")[0] for line in told] == ["by", "n", "since", "exakt"]
    assert told[3] == "exakt: unknown key; did you mean exact?"
    assert refused.value.expected == (
        "by: one of 'carrier', 'route'; n: int, at least 1, default 10; since: datetime.date | None, default None; "
        "exact: bool, default False"
    )


def test_a_job_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Top(by="route").n = 3


def test_a_bad_default_is_found_when_the_job_is_built() -> None:
    class Bad(Top):
        n: Annotated[int, Ge(1)] = 0

    with pytest.raises(ConfigError, match="n: Input should be greater than or equal to 1"):
        build_job(Bad, {"by": "route"})


def test_a_job_without_transform_cannot_be_built() -> None:
    class Nothing(Job):
        pass

    with pytest.raises(DefinitionError, match="Nothing has no transform"):
        build_job(Nothing, {})  # type: ignore[type-abstract]  # the attack
    with pytest.raises(TypeError, match="abstract"):
        Nothing()  # type: ignore[abstract]  # the attack


@pytest.mark.parametrize("name", ["schema", "json", "copy", "dict", "validate", "transform", "_hidden"])
def test_parameters_that_pydantic_would_hide_or_shadow_are_refused(name: str) -> None:
    space: dict[str, Any] = {"__annotations__": {name: int}, "__module__": __name__}

    with pytest.raises(DefinitionError) as refused:
        type("Bad", (Job,), space)

    assert refused.value.details[0].startswith(f"{name}: ")


def test_a_parameter_type_that_pydantic_does_not_know_is_a_definition_error() -> None:
    class Strange:
        pass

    job = type("Odd", (Top,), {"__annotations__": {"x": Strange}, "__module__": __name__})

    with pytest.raises(DefinitionError, match=r"Odd cannot be a job.*Strange"):
        build_job(job, {})


def test_the_signature_shows_the_parameters() -> None:
    assert list(inspect.signature(Top).parameters) == ["by", "n", "since", "exact"]


def test_names_say_module_and_class() -> None:
    assert job_name(Top) == f"{__name__}:Top"


def test_a_transform_can_be_called_as_a_function() -> None:
    frame: Any = object()

    assert Top(by="route").transform(frame) is frame


def test_a_local_job_is_named_with_its_function() -> None:
    def make() -> type[Job]:
        class Inner(Job):
            pass

        return Inner

    maker: Callable[[], type[Job]] = make
    assert "make.<locals>.Inner" in job_name(maker())


class Counts:
    def __init__(self, count: int) -> None:
        self.count = count


def define_init() -> type:
    class Bad(Job):
        def __init__(self, x: int) -> None:
            pass

        def __new__(cls) -> Self:
            return super().__new__(cls)

        def __post_init__(self) -> None:
            pass

    return Bad


def define_inherited_init() -> type:
    class Bad(Counts, Job):
        pass

    return Bad


@pytest.mark.parametrize(
    ("define", "named"),
    [(define_init, ["__init__", "__new__", "__post_init__"]), (define_inherited_init, ["__init__"])],
)
def test_a_job_is_made_from_its_parameters_alone(define: Callable[[], type], named: list[str]) -> None:
    with pytest.raises(DefinitionError) as refused:
        define()

    assert [line.partition(":")[0] for line in refused.value.details] == named
    assert "fields" in str(refused.value)


def test_without_that_rule_a_job_would_lose_its_parameters() -> None:
    class Model(BaseModel):
        n: int = 1

        def __init__(self, x: int) -> None:
            pass

    with pytest.raises(TypeError):
        Model.model_validate({"n": 2})
