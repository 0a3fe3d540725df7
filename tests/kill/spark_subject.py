"""A real run of a real Spark job as what is killed: two outputs, two files each, content that depends on the version.

``python -m tests.kill.spark_subject PLACE GENERATION ATTEMPT`` is the victim. It leaves a file for every phase that it
begins, so that it can be killed there.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from framework import Frame, Job, Schema
from framework.config import ExportedConfig, RunFacts
from framework.errors import InputChanged, InputCorrupt
from framework.hashing import hash_files
from framework.identity import Epoch, RunKey
from framework.job import contract_of, job_name
from framework.plan import PlanRequest
from framework.runner import RunOptions, execute
from framework.schema.spec import SchemaSpec
from framework.spark.archive import archive_home
from framework.spark.session import open_session
from framework.spark.settings import SessionSettings
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog, check_files
from framework.tenancy.model import Teams
from framework.world import World
from tests.kill.harness import Torn

KEY = RunKey("flights", "flights.daily", "numbers", "20130101T000000Z")
DAY = datetime(2013, 1, 1, tzinfo=UTC)


class Number(Schema, key=("n",)):
    n: int
    text: str


class Halves(NamedTuple):
    default: Frame[Number]
    upper: Frame[Number]


class Numbers(Job):
    """Numbers with a text that tells the version."""

    generation: int

    def transform(self, spark: SparkSession) -> Halves:
        rows = spark.range(0, 2000, 1, 2).select(
            F.col("id").alias("n"), F.concat_ws("-", F.lit(self.generation), F.col("id") % 7).alias("text")
        )
        return Halves(default=rows.where("n < 1000"), upper=rows.where("n >= 1000"))


Session = Callable[[], AbstractContextManager[SparkSession]]


def own_session() -> AbstractContextManager[SparkSession]:
    """A JVM of this process's own, started as a driver starts it."""
    settings = SessionSettings(
        "sweep", conf={"spark.driver.memory": "512m"}, archive_dir=archive_home(), short_job=True
    )
    return open_session(settings)


class SparkRun:
    """What readers see of ``Numbers``."""

    def __init__(self, session: Session = own_session) -> None:
        self.session = session

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        """One try, as a driver makes it: a clear makes a new version, a retry has the clear number of the killed try."""
        job = Numbers(generation=generation)
        config = ExportedConfig(
            key=KEY,
            epoch=Epoch("sweep", 2 * generation + attempt, 1),
            clear_number=generation,
            job=job_name(Numbers),
            parameters={"generation": generation},
            run=RunFacts(run_id="r", run_after=DAY, logical_date=DAY),
            workspace=str(place),
        )
        trace = partial(_trace, place, generation, attempt)
        options = RunOptions(session=lambda _: self.session(), who="sweep", observe=trace)
        store = DirectoryStore(place / "store")
        execute(PlanRequest(config, contract_of(Numbers)), job, World(Teams(place, {}), lambda _: store), options)

    def look(self, place: Path) -> str | None:
        store = DirectoryStore(place / "store")
        log = RunLog(store, KEY)
        newest = log.newest()
        if newest is None:
            return None
        try:
            for entry in newest.manifest.outputs:
                check_files(store, newest, entry.name)
            return " ".join(
                str(hash_files([store.local(p) for p in newest.paths(o.name)], SchemaSpec.from_json(o.schema_)))
                for o in newest.manifest.outputs
            )
        except (InputCorrupt, InputChanged, OSError) as error:
            raise Torn(str(error)) from error


def _trace(place: Path, generation: int, attempt: int, phase: str) -> None:
    (place / f"{generation}-{attempt}-{phase}").touch()


if __name__ == "__main__":
    SparkRun().produce(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
