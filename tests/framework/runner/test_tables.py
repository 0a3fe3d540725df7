"""Jobs that write and read tables, run whole: from plan to commit, and back."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from framework import Frame, Input, Job, Output, Run, Schema, Table
from framework.config import EdgeRef, ExportedConfig, RunFacts, RunResult
from framework.errors import CheckFailed, DefinitionError, StoreUnavailable
from framework.identity import Epoch, RunKey, TaskKey
from framework.job import contract_of, job_name
from framework.plan import PlanRequest
from framework.runner import RunOptions, execute
from framework.storage.base import Store
from framework.storage.paths import segment_of_date
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog
from framework.tables.log import TableLog
from framework.tenancy.model import Teams
from framework.world import World
from tests.contracts.faults import Wrapped
from tests.framework.tables.runs import FIRST_DAY

pytestmark = pytest.mark.spark
TASK = TaskKey("flights", "flights.daily", "make")


class Daily(Schema, key=("day", "carrier")):
    """What each carrier did on a day."""

    day: date
    carrier: str
    flights: int
    note: str | None = None


class Total(Schema):
    carrier: str
    flights: int
    days: int


class Both(NamedTuple):
    default: Table[Daily]
    top: Annotated[Frame[Daily], Output(keep="P30D")]


class Make(Job):
    carriers: int = 2
    bad: bool = False

    def transform(self, run: Run, spark: SparkSession) -> Both:
        rows = spark.range(0, self.carriers, 1, 1).select(
            F.lit(run.date).alias("day"),
            F.concat(F.lit("C"), F.col("id").cast("string")).alias("carrier"),
            (F.col("id") + F.lit(run.date.day) * (0 if self.bad else 1)).alias("flights"),
            F.lit(None if not self.bad else "x").cast("string").alias("note"),
        )
        twice = rows.union(rows) if self.bad else rows
        return Both(default=twice, top=rows.where("flights > 1"))


def totals(history: DataFrame) -> DataFrame:
    found = history.groupBy("carrier").agg(F.sum("flights").alias("flights"), F.countDistinct("day").alias("days"))
    return found.select(*Total.c)


class UpToMine(Job):
    def transform(self, history: Table[Daily]) -> Frame[Total]:
        return totals(history)


class OfAll(Job):
    def transform(self, history: Annotated[Table[Daily], Input(as_of="latest")]) -> Frame[Total]:
        return totals(history)


class OfMine(Job):
    def transform(self, history: Frame[Daily]) -> Frame[Total]:
        return totals(history)


class Grow(Job):
    """Reads its own past."""

    def transform(self, history: Table[Daily], run: Run, spark: SparkSession) -> Table[Daily]:
        seen = history.count()
        return spark.createDataFrame([(run.date, "C", seen, None)], history.schema).select(*Daily.c)


class Place:
    """Runs jobs on one store, as Airflow's tries would."""

    def __init__(self, spark: SparkSession, store: Store, root: Path) -> None:
        self.spark, self.store, self.root = spark, store, root

    def run(
        self, job: Job, number: int, *edges: EdgeRef, task: str = "make", try_number: int = 1, **changes: Any
    ) -> RunResult:
        moment = FIRST_DAY + timedelta(number)
        config = ExportedConfig(
            key=RunKey("flights", "flights.daily", task, segment_of_date(moment), changes.pop("map_index", None)),
            epoch=Epoch("one", try_number, 1),
            job=job_name(type(job)),
            inputs={"history": edges} if edges else {},
            run=RunFacts(run_id="r", run_after=moment + timedelta(1), logical_date=moment),
            workspace=str(self.root),
            **changes,
        )
        world = World(Teams(self.root, {}), lambda _: self.store)
        options = RunOptions(session=lambda _: nullcontext(self.spark), who="a test")
        return execute(PlanRequest(config, contract_of(type(job))), job, world, options)

    def read(self, job: Job, number: int, **edge: Any) -> set[tuple[Any, ...]]:
        """What a consumer computes of the table, by carrier."""
        task = type(job).__name__.lower()
        source = EdgeRef(team="flights", dag_id="flights.daily", task_id="make", **edge)
        again = RunLog(
            self.store, RunKey("flights", "flights.daily", task, segment_of_date(FIRST_DAY + timedelta(number)))
        )
        attempts = len(again.state().attempts)
        self.run(job, number, source, task=task, try_number=attempts + 1, clear_number=attempts)
        newest = again.newest()
        assert newest is not None
        uris = [self.store.uri(path) for path in newest.paths()]
        return {tuple(row) for row in self.spark.read.parquet(*uris).collect()}

    @property
    def log(self) -> TableLog:
        return TableLog.of(self.store, TASK, "default")


@pytest.fixture
def place(spark: SparkSession, tmp_path: Path) -> Place:
    return Place(spark, DirectoryStore(tmp_path / "store"), tmp_path)


def test_each_day_is_added_and_each_consumer_sees_what_it_asks_for(place: Place) -> None:
    for number in (2, 0, 1):
        result = place.run(Make(), number)
        assert (result.verdict, result.outputs["default"].rows) == ("published", 2)
        assert "commit" in result.seconds

    assert place.read(UpToMine(), 1) == {("C0", 3, 2), ("C1", 5, 2)}
    assert place.read(OfAll(), 1) == {("C0", 6, 3), ("C1", 9, 3)}
    assert place.read(OfMine(), 1) == {("C0", 2, 1), ("C1", 3, 1)}

    key = RunKey("flights", "flights.daily", "uptomine", segment_of_date(FIRST_DAY + timedelta(1)))
    reader = RunLog(place.store, key).newest()
    assert reader is not None
    (entry,) = reader.manifest.inputs
    (read,) = entry.tables
    assert (entry.kind, read.path, read.version) == ("table", "/flights/flights.daily/make/_table/default", 2)
    assert (read.rows, read.run) == (4, "20130102T000000Z")
    snapshot = place.log.latest()
    assert snapshot is not None
    assert read.table_id == snapshot.meta.id


def test_a_second_attempt_replaces_its_own_rows_also_by_none(place: Place) -> None:
    for number in (0, 1):
        place.run(Make(), number)
    again = place.run(Make(carriers=1), 0, clear_number=1, try_number=2)
    assert again.attempt == 2
    assert place.read(OfAll(), 0) == {("C0", 3, 2), ("C1", 3, 1)}

    place.run(Make(carriers=0), 0, clear_number=2, try_number=3)
    assert place.read(OfAll(), 0) == {("C0", 2, 1), ("C1", 3, 1)}


def test_nothing_of_a_run_that_breaks_a_check_shows(place: Place) -> None:
    place.run(Make(), 0)

    with pytest.raises(CheckFailed):
        place.run(Make(bad=True), 1)
    assert place.read(OfAll(), 0) == {("C0", 1, 1), ("C1", 2, 1)}


class Deaf(Wrapped):
    """A store that takes no entry of a table's log, while it is deaf."""

    deaf = True

    def put_if_absent(self, path: str, data: bytes) -> None:
        if self.deaf and "/_delta_log/" in path:
            raise StoreUnavailable("no answer", where=path)
        super().put_if_absent(path, data)


def test_what_was_published_and_not_committed_the_next_try_commits_without_computing(place: Place) -> None:
    place.store = store = Deaf(place.store)
    with pytest.raises(StoreUnavailable):
        place.run(Make(), 0)
    assert place.log.latest() is None

    store.deaf = False
    done = place.run(Make(carriers=77), 0, try_number=2)

    assert (done.verdict, done.attempt) == ("resumed", 1)
    assert place.read(OfAll(), 0) == {("C0", 1, 1), ("C1", 2, 1)}


def test_an_old_try_that_commits_late_is_superseded(place: Place) -> None:
    place.store = store = Deaf(place.store)
    with pytest.raises(StoreUnavailable):
        place.run(Make(), 0)
    store.deaf = False
    place.run(Make(carriers=1), 0, clear_number=1, try_number=2)

    late = place.run(Make(), 0, clear_number=1, try_number=3)
    assert late.attempt == 2
    assert place.read(OfAll(), 0) == {("C0", 1, 1)}


def test_a_job_reads_its_own_past_and_not_its_own_attempt(place: Place) -> None:
    own = EdgeRef(team="flights", dag_id="flights.daily", task_id="grow", run="latest")
    for number in range(3):
        place.run(Grow(), number, own, task="grow")
    place.run(Grow(), 2, own, task="grow", clear_number=1, try_number=2)

    newest = RunLog(place.store, RunKey("flights", "flights.daily", "grow", "20130103T000000Z")).newest()
    assert newest is not None
    (row,) = place.spark.read.parquet(*map(place.store.uri, newest.paths())).collect()
    assert (newest.number, row["flights"]) == (2, 2)


def test_mapped_indices_share_the_table(place: Place) -> None:
    for index in (1, 0):
        place.run(Make(carriers=index + 1), 0, map_index=index, map_count=2)

    assert place.read(OfAll(), 0, map_count=2) == {("C0", 2, 1), ("C1", 2, 1)}


def test_the_testing_kit_runs_jobs_with_tables(run_job: Callable[..., Any]) -> None:
    made = run_job(Make())
    assert {row["carrier"] for row in made.rows()} == {"C0", "C1"}
    assert made.rows("top") == [row for row in made.rows() if row["flights"] > 1]

    read = run_job(UpToMine(), {"history": [{"carrier": "A", "flights": 2}, {"carrier": "A", "flights": 3}]})
    assert [(row["carrier"], row["flights"]) for row in read.rows()] == [("A", 5)]
    with pytest.raises(DefinitionError, match="made of dated runs"):
        run_job(Make(), run=None)
