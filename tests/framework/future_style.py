"""Classes whose annotations are text, made inside functions, as a test in the older style makes them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, NamedTuple

from annotated_types import Ge
from pydantic import Field

from framework import Drop, Frame, Job, Output, Run, Schema


def schema_in_a_function() -> type[Schema]:
    money = Annotated[Decimal, Field(max_digits=12, decimal_places=2)]

    class Part(Schema):
        code: str

    class Whole(Schema, key=("day",)):
        day: dt.date
        part: Part | None
        fare: Annotated[money, Drop(Ge(0))] | None

    return Whole


def job_in_a_function() -> type[Job]:
    class Flight(Schema):
        carrier: str

    class Split(NamedTuple):
        default: Frame[Flight]
        rest: Annotated[Frame[Flight], Output(keep="P4W")]

    class Divide(Job):
        share: Annotated[float, Ge(0)] = 0.5

        def transform(self, flights: Frame[Flight], late: Frame[Flight] | None, run: Run) -> Split:
            return Split(default=flights, rest=flights)

    return Divide


class Later(Job):
    """Its schema stands further down."""

    def transform(self, rows: Frame[Below]) -> Frame[Below]:
        return rows


class Holder(Schema):
    below: Below


class Below(Schema):
    x: int
