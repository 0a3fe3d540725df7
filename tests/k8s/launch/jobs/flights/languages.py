"""One small transform, by Spark and as a contract that programs in other languages fulfil."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from framework import Contract, Frame, Job, Schema


class Delays(Schema):
    carrier: str
    flights: int
    minutes: int


class Raw(Job):
    """Some flights of a few carriers."""

    def transform(self, spark: SparkSession) -> Frame[Delays]:
        rows = spark.range(500)
        carrier = F.concat(F.lit("C"), (F.col("id") % 7).cast("string"))
        return rows.select(
            carrier.alias("carrier"), F.lit(1).cast("long").alias("flights"), F.col("id").alias("minutes")
        )


class Totals(Job):
    """Flights and minutes of each carrier."""

    def transform(self, delays: Frame[Delays]) -> Frame[Delays]:
        sums = [F.sum(name).alias(name) for name in ("flights", "minutes")]
        return delays.groupBy("carrier").agg(*sums).select(*Delays.c)


class TotalsElsewhere(Contract):
    """The same, by a program of another image."""

    def transform(self, delays: Frame[Delays]) -> Frame[Delays]: ...
