"""What constant parameters cannot be, and that whatever the job may still read is passed on: pydantic has the last word."""

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from airflow_bindings.parameters import misfits


class Colour(StrEnum):
    RED = "red"


class Wanted(BaseModel, extra="forbid"):
    """A parameter of each kind."""

    whole: int = 0
    number: float = 0
    least: Annotated[int, Ge(1)] = 1
    exact: Decimal = Decimal(0)
    text: str = ""
    switch: bool = False
    day: date = date(2013, 1, 1)
    long: timedelta = timedelta(0)
    one_of: Literal["a", "b"] = "a"
    level: Literal[1, 2] = 1
    colour: Colour = Colour.RED
    names: list[str] = []
    by_name: dict[str, int] = {}
    maybe: int | None = None


SCHEMA = Wanted.model_json_schema()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("whole", "many", "a whole number, got 'many'"),
        ("whole", 1.5, "a whole number, got 1.5"),
        ("whole", [1], "a whole number, got [1]"),
        ("number", {"a": 1}, "a number, got {'a': 1}"),
        ("least", 0, "at least 1, got 0"),
        ("text", 7, "text, got 7"),
        ("text", None, "text, got None"),
        ("switch", "perhaps", "true or false, got 'perhaps'"),
        ("day", [1], "text, got [1]"),
        ("one_of", "c", "one of a, b, got 'c'"),
        ("level", 3, "one of 1, 2, got 3"),
        ("names", "one", "a list, got 'one'"),
        ("by_name", [1], "a dictionary, got [1]"),
        ("nmaes", [], "the job has no such parameter (did you mean 'names'?)"),
    ],
)
def test_what_cannot_be_meant_is_told(name: str, value: Any, told: str) -> None:
    (line,) = misfits(SCHEMA, {name: value})

    assert line.startswith(f"parameters.{name}: {told}")


@pytest.mark.parametrize("value", ["{{ ds }}", object()])
@pytest.mark.parametrize("name", Wanted.model_fields)
def test_what_is_filled_in_later_is_passed_on(name: str, value: object) -> None:
    assert list(misfits(SCHEMA, {name: value})) == []


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-3, 3),
    st.sampled_from(["", "1", "1.0", "1.5", "nan", "inf", "1e3", " 1 ", "1_000", "yes", "OFF", "a", "red", "2013-01-01", "P1D", "x"]),
    st.lists(st.sampled_from(["a", 1]), max_size=2),
    st.dictionaries(st.just("a"), st.integers(0, 1), max_size=1),
)  # fmt: skip


@given(name=st.sampled_from(sorted(Wanted.model_fields)), value=VALUES)
def test_nothing_is_refused_that_the_job_would_read(name: str, value: Any) -> None:
    try:
        Wanted.model_validate({name: value})
    except ValidationError:
        return
    assert list(misfits(SCHEMA, {name: value})) == []
