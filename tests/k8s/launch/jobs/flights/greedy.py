"""A job whose executors need more memory than they have."""

from typing import Annotated

from pyspark.sql import functions as F

from framework import Frame, Job, Schema, Source


class Raw(Schema):
    """A line of the file."""

    n: int


class Greedy(Job):
    """Each row's worker takes a GiB."""

    def transform(self, numbers: Annotated[Frame[Raw], Source("numbers")]) -> Frame[Raw]:
        takes = F.udf(lambda n: n + len(bytearray(b"x" * 2**30)) * 0, "bigint")
        return numbers.select(takes("n").alias("n"))
