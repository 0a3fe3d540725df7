"""Two Spark tasks on the framework's own way of a run, in one session that is up: as a second job of a driver finds it.

The first makes its output of the rows of local Parquet files. The second is done when it has read each column; what it then
publishes is none of the hand-off.
"""

import time
from contextlib import ExitStack, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from benchmarks.handover.contracts import Numbers
from benchmarks.handover.order import Clock, Handing, Order
from benchmarks.handover.ours import EDGE, key
from framework import Frame, Job, Schema
from framework.job import contract_of, job_name
from framework.laptop import LaptopRun, laptop_config
from framework.plan import PlanRequest
from framework.runner import RunOptions, execute
from framework.spark.archive import archive_home
from framework.spark.session import SessionSettings, open_session
from framework.spark.stores import S3Endpoint, store_access
from framework.storage.s3 import S3Store
from framework.tenancy.model import Team, Teams
from framework.tenancy.places import DirectoryStore as Place
from framework.world import World

_MEMORY: Final = {"spark.driver.memory": "2g"}


class Sums(Schema):
    rows: int
    w: int | None
    x: int | None
    y: int | None
    z: int | None


class Writing(Job):
    folder: str

    def transform(self, spark: SparkSession) -> Frame[Numbers]:
        return spark.read.parquet(f"file://{self.folder}")


class Reading(Job):
    """``mark``: where it notes when it had read all."""

    mark: str

    def transform(self, spark: SparkSession, numbers: Frame[Numbers]) -> Frame[Sums]:
        found = numbers.agg(F.count("*").alias("rows"), *(F.bit_xor(name).alias(name) for name in "wxyz")).collect()
        Path(self.mark).write_text(repr(time.monotonic()))
        return spark.createDataFrame(found, "rows long, w long, x long, y long, z long")


def in_session(order: Order, undo: ExitStack) -> Handing:
    stores = store_access({order.bucket: S3Endpoint(order.region, order.endpoint, path_style=True)})
    settings = SessionSettings("handover", conf=_MEMORY, archive_dir=archive_home(), stores=stores)
    spark = undo.enter_context(open_session(settings))
    return lambda clock: _handed(order, spark, clock)


def _handed(order: Order, spark: SparkSession, clock: Clock) -> int:
    store = S3Store(order.place)
    team = Team(team="bench", owners=("bench@example.org",), store=Place(kind="directory", root="store"))
    world = World(Teams(order.root, {"bench": team}), lambda _: store)
    options, mark = RunOptions(session=lambda _: nullcontext(spark), who="benchmark"), order.root / "mark"
    writing, reading = Writing(folder=str(order.left)), Reading(mark=str(mark))
    with clock.part("first task"):
        execute(_request(order, writing, "first"), writing, world, options)
    result = execute(_request(order, reading, "second"), reading, world, options)
    clock.end(float(mark.read_text()))
    return result.rows_read


def _request(order: Order, job: Job, task: str) -> PlanRequest:
    asked = LaptopRun(
        job_name(type(job)), date(2013, 1, 1), datetime(2013, 1, 2, tzinfo=UTC), job.model_dump(mode="json")
    )
    config = laptop_config(asked, order.root)
    wired = config.model_copy(update={"key": key(task), "inputs": EDGE if task == "second" else {}})
    return PlanRequest(wired, contract_of(type(job)))
