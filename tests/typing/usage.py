"""What teams write, as type checkers must accept it: mypy --strict and pyright strict, without a cast or an ignore."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Annotated, ClassVar, Literal, NamedTuple, assert_type

from annotated_types import Ge, Le
from pydantic import AwareDatetime, Field, NaiveDatetime
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from framework import (
    Drop,
    Float32,
    Frame,
    Input,
    Int8,
    Int16,
    Int32,
    Job,
    Output,
    Run,
    Schema,
    Source,
    Table,
    Warn,
)

Money = Annotated[Decimal, Field(max_digits=12, decimal_places=2)]


class Cabin(str, Enum):  # noqa: UP042  people write it
    first = "F"
    rest = "R"


class Leg(Schema):
    miles: Annotated[Int32, Ge(0)]
    note: str | None = None


class Flight(
    Schema,
    key=("carrier", "flight", "day"),
    rules={"lands_later": Warn("arrival >= departure"), "somewhere": "origin <> destination"},
):
    """One departure."""

    carrier: Annotated[str, Field(pattern="^[A-Z0-9]{2}$", description="IATA code")]
    flight: int
    day: dt.date
    origin: str
    destination: str
    departure: AwareDatetime
    arrival: AwareDatetime | None
    local: NaiveDatetime
    fare: Money | None = None
    delay: Annotated[float, Drop(Ge(-120))] | None
    seats: Annotated[Int16, Warn(Ge(1), Le(900))]
    engines: Int8
    load: Float32
    cabin: Cabin = Cabin.rest
    kind: Literal["freight", "people"]
    legs: list[Leg]
    taxes: dict[str, Money]
    LIMIT: ClassVar[int] = 3


class Delay(Schema):
    carrier: str
    mean_delay: float


class Raw(Schema):
    tail: Annotated[str, Field(alias="Tail Number")]


class Split(NamedTuple):
    default: Frame[Delay]
    rejects: Annotated[Frame[Flight], Output(keep="P30D")]


class Delays(Job):
    """Mean delay of each carrier."""

    least: Annotated[int, Ge(1)] = 1
    by: Literal["carrier", "origin"] = "carrier"

    def transform(self, flights: Frame[Flight]) -> Frame[Delay]:
        assert_type(flights, DataFrame)
        return (
            flights.groupBy(self.by)
            .agg(F.avg(Flight.c.delay).alias("mean_delay"), F.count("*").alias("n"))
            .where(F.col("n") >= self.least)
            .select(*Delay.c)
        )


class Kept(NamedTuple):
    default: Table[Delay]
    rejects: Frame[Flight]


class Keep(Job):
    def transform(self, flights: Frame[Flight], before: Table[Delay]) -> Kept:
        known = before.select(Delay.c.carrier).distinct()
        return Kept(default=flights.join(known, "carrier").select(*Delay.c), rejects=flights.where("delay > 100"))


class Everything(Job):
    def transform(
        self,
        flights: Frame[Flight],
        planes: Annotated[Frame[Delay], Input(cache="pin")],
        raw: Annotated[Frame[Raw], Source("faa_delays")],
        yesterday: Frame[Delay] | None,
        history: Table[Delay],
        everything: Annotated[Table[Delay], Input(as_of="latest")] | None,
        run: Run,
        spark: SparkSession,
    ) -> Split:
        assert_type(raw, DataFrame)
        assert_type(history, DataFrame)
        assert_type(everything, DataFrame | None)
        assert_type(yesterday, DataFrame | None)
        today = flights.where(F.col(Flight.c.day) == run.date).join(planes, "carrier").select(*Delay.c)
        both = today if yesterday is None else today.unionByName(yesterday)
        late = flights.where(F.col(Flight.c.departure).between(run.start, run.end))
        return Split(default=both, rejects=late.select(*Flight.c))


def a_test_calls_a_job(frame: DataFrame) -> DataFrame:
    job = Delays(least=3, by="origin")
    assert_type(job.least, int)
    assert_type(Flight.c.carrier, str)
    assert_type(Delay(carrier="AA", mean_delay=1.0).mean_delay, float)
    assert_type(Split(default=frame, rejects=frame).rejects, DataFrame)
    return job.transform(frame)
