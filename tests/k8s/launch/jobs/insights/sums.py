"""What another team makes of the numbers."""

from pyspark.sql import functions as F

from framework import Frame, Job, Schema


class Number(Schema):
    """What is read of flights' numbers."""

    n: int
    square: int


class Sum(Schema):
    """All squares together."""

    squares: int


class Sums(Job):
    """The sum of the squares."""

    def transform(self, numbers: Frame[Number]) -> Frame[Sum]:
        return numbers.agg(F.sum("square").alias("squares"))
