"""What transform returned, taken apart by output, or refused with the line that mends it."""

from importlib import import_module
from typing import Any, NamedTuple

import pytest
from pyspark.sql import DataFrame
from pyspark.sql.classic.dataframe import DataFrame as ClassicFrame

from framework.errors import SchemaMismatch
from framework.job import Frame, Job, contract_of, split_outputs
from framework.schema.model import Schema


class Flight(Schema):
    carrier: str


class Split(NamedTuple):
    default: Frame[Flight]
    rejects: Frame[Flight]


class One(Job):
    def transform(self, flights: Frame[Flight]) -> Frame[Flight]:
        return flights


class Two(Job):
    def transform(self, flights: Frame[Flight]) -> Split:
        return Split(flights, flights)


@pytest.fixture
def frame() -> DataFrame:
    """A real frame's class; nothing in it is looked at, so it needs no session."""
    return object.__new__(ClassicFrame)


def test_one_frame_is_the_default(frame: DataFrame) -> None:
    assert split_outputs(contract_of(One), frame) == {"default": frame}


def test_a_named_tuple_is_taken_apart_by_name(frame: DataFrame) -> None:
    other = object.__new__(ClassicFrame)

    outputs = split_outputs(contract_of(Two), Split(rejects=other, default=frame))

    assert outputs["default"] is frame
    assert outputs["rejects"] is other


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (None, "default: None; is there a return?"),
        (import_module("pandas").DataFrame({"a": [1]}), "default: a pandas DataFrame; ask for spark: SparkSession"),
        ([{"carrier": "AA"}], "default: a list"),
        (Split, "default: a type"),
    ],
)
def test_what_is_no_frame_is_told(returned: Any, sentence: str) -> None:
    with pytest.raises(SchemaMismatch) as refused:
        split_outputs(contract_of(One), returned)

    assert sentence in refused.value.details[0]
    assert refused.value.expected == "a Spark DataFrame"
    assert "return" in (refused.value.next_step or "")


def test_each_output_that_is_no_frame_is_told(frame: DataFrame) -> None:
    with pytest.raises(SchemaMismatch) as refused:
        split_outputs(contract_of(Two), Split(None, 3))  # type: ignore[arg-type]  # the mistake under test

    assert [line.partition(":")[0] for line in refused.value.details] == ["default", "rejects"]


class Swapped(NamedTuple):
    rejects: Any
    default: Any


@pytest.mark.parametrize("returned", [None, (1, 2), Swapped(1, 2), {"default": 1, "rejects": 2}, "frame"])
def test_several_outputs_come_as_their_named_tuple(returned: Any, frame: DataFrame) -> None:
    given = frame if returned == "frame" else returned

    with pytest.raises(SchemaMismatch, match="something else than its signature says") as refused:
        split_outputs(contract_of(Two), given)

    assert "(default=..., rejects=...)" in str(refused.value)
