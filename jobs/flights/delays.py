"""How late carriers and routes are."""

from typing import Annotated, Literal

from annotated_types import Ge
from pyspark.sql import functions as F

from framework import Frame, Job

from .schemas import Delay, Flight

LATE_MINUTES = 15
NAMES = {"carrier": "carrier", "route": "concat(origin, '-', dest)"}


class Delays(Job):
    """Mean delay and share of late flights of each carrier, or of each route, and day."""

    by: Literal["carrier", "route"]
    min_flights: Annotated[int, Ge(1)] = 1

    def transform(self, flights: Frame[Flight]) -> Frame[Delay]:
        late = (F.col("dep_delay") > LATE_MINUTES).cast("double")
        groups = flights.groupBy("flight_date", F.expr(NAMES[self.by]).alias("name"))
        delays = groups.agg(
            F.count("*").alias("flights"),
            F.avg("dep_delay").alias("mean_delay"),
            F.avg(late).alias("late_share"),
        )
        return delays.where(F.col("flights") >= self.min_flights)
