"""Ships from a file on the team's own volume, and who wrote what was made of them."""

import os
from typing import Annotated

from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from framework import Frame, Job, Schema, Source


class Raw(Schema):
    """A line of the file."""

    ship: str


class Ship(Schema):
    """A ship, and the user of the executor that saw it."""

    ship: str
    user: str


class Ships(Job):
    """Some of the work in Python on the executors."""

    def transform(self, ships: Annotated[Frame[Raw], Source("ships")]) -> Frame[Ship]:
        user = F.udf(lambda _: f"{os.getuid()}:{os.getgid()}", StringType())
        return ships.select("ship", user("ship").alias("user"))
