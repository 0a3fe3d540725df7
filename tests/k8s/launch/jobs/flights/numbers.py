"""Numbers from a file, and which machine worked on each."""

import os
from typing import Annotated

from annotated_types import Ge
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from framework import Frame, Job, Schema, Source


class Raw(Schema):
    """A line of the file."""

    n: int


class Number(Schema):
    """A number, its square, and the machine that computed it."""

    n: Annotated[int, Ge(0)]
    square: int
    host: str


class Numbers(Job):
    """Squares, some of the work in Python on the executors."""

    def transform(self, numbers: Annotated[Frame[Raw], Source("numbers")]) -> Frame[Number]:
        host = F.udf(lambda _: os.uname().nodename, StringType())
        return numbers.repartition(4).select("n", (F.col("n") * F.col("n")).alias("square"), host("n").alias("host"))
