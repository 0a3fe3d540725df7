"""From the airlines' yearly file to typed flights of one day."""

from typing import Annotated, NamedTuple

from pyspark.sql import functions as F

from framework import Frame, Job, Run, Source

from .schemas import Cancelled, Flight, RawFlight


class Day(NamedTuple):
    """The flights of one day: those that took off, and the others."""

    default: Frame[Flight]
    cancelled: Frame[Cancelled]


class IngestFlights(Job):
    """Typed flights of the run's date."""

    def transform(self, raw: Annotated[Frame[RawFlight], Source("airline_flights")], run: Run) -> Day:
        dated = raw.withColumn("flight_date", F.make_date("year", "month", "day"))
        today = dated.where(F.col("flight_date") == run.date)
        return Day(
            default=today.where("dep_delay is not null").select(*Flight.c),
            cancelled=today.where("dep_delay is null").select(*Cancelled.c),
        )
