"""Tables in a plan: which version and which runs a consumer gets, and what a producer is told before it computes."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest

from framework import Frame, Input, Job, Run, Schema, Table
from framework.config import EdgeRef, ExportedConfig, RunFacts
from framework.edges import PinnedRun
from framework.errors import DefinitionError, InputCorrupt, NotYet, PolicyError, SchemaMismatch
from framework.identity import Epoch, RunKey
from framework.job import contract_of
from framework.plan import AbsentInput, Plan, PlanRequest, RunInput, TableInput, make_plan
from framework.storage.memory import MemoryStore
from framework.storage.paths import RunRecord, run_segment
from framework.storage.publish import RunLog
from framework.tables.commit import commit_output
from framework.tenancy.model import Grant, Team, Teams
from framework.tenancy.places import DirectoryStore
from framework.world import World
from tests.framework.storage.tries import Try, write_and_publish
from tests.framework.tables.runs import FIRST_DAY, OUTPUT, TASK, Delay, claim, day, publish, published, rows, table


class Mean(Schema):
    carrier: str


class Up(Job):
    def transform(self, history: Table[Delay]) -> Frame[Mean]:
        return history


class Now(Job):
    def transform(self, history: Annotated[Table[Delay], Input(as_of="latest")]) -> Frame[Mean]:
        return history


class Perhaps(Job):
    def transform(self, history: Table[Delay] | None) -> Frame[Mean]:
        raise NotImplementedError


class Day(Job):
    def transform(self, history: Frame[Delay]) -> Frame[Mean]:
        return history


class Makes(Job):
    def transform(self, run: Run) -> Table[Delay]:
        raise NotImplementedError


class Grows(Job):
    def transform(self, history: Table[Delay]) -> Table[Delay]:
        return history


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def world(store: MemoryStore) -> World:
    grants = (Grant(to="insights", read=(f"{TASK.dag_id}/{TASK.task_id}",)),)
    place = DirectoryStore(kind="directory", root="x")
    teams = {
        "flights": Team(team="flights", owners=("a@example.org",), store=place, grants=grants),
        "insights": Team(team="insights", owners=("a@example.org",), store=place),
        "weather": Team(team="weather", owners=("a@example.org",), store=place),
    }
    return World(Teams(Path("/nowhere"), teams), lambda _: store)


def edge(**changes: Any) -> EdgeRef:
    return EdgeRef(**({"team": TASK.team, "dag_id": TASK.dag_id, "task_id": TASK.task_id, "output": OUTPUT} | changes))


def planned(
    world: World, job: type[Job], *edges: EdgeRef, date: datetime | None = FIRST_DAY, team: str = "insights", **key: str
) -> Plan:
    record = RunRecord("r", FIRST_DAY + timedelta(days=9), date)
    ids = {"dag_id": f"{team}.daily", "task_id": "use"} | key
    config = ExportedConfig(
        key=RunKey(team, ids["dag_id"], ids["task_id"], run_segment(record)),
        epoch=Epoch("consumer", 1, 1),
        job="jobs.flights.x:X",
        inputs={"history": edges} if edges else {},
        run=RunFacts(run_id="r", run_after=record.run_after, logical_date=date),
        workspace="/nowhere",
    )
    return make_plan(PlanRequest(config, contract_of(job)), world)


def only(plan: Plan) -> Any:
    (found,) = plan.inputs
    return found


def days_of(plan: Plan) -> list[str]:
    found = only(plan)
    assert isinstance(found, TableInput)
    return sorted({file.run for one in found.tables for file in one.files})


def fill(store: MemoryStore, *numbers: int) -> None:
    for number in numbers:
        commit_output(store, published(store, day(number)), OUTPUT)


def test_a_backfill_does_not_see_the_future(world: World, store: MemoryStore) -> None:
    fill(store, 0, 1, 2, 3)

    assert days_of(planned(world, Up, edge(), date=FIRST_DAY + timedelta(1))) == [day(0).run, day(1).run]
    assert len(days_of(planned(world, Now, edge(), date=FIRST_DAY + timedelta(1)))) == 4


def test_a_run_without_a_date_sees_what_was_there_when_it_ran(world: World, store: MemoryStore) -> None:
    fill(store, 0, 5, 20)

    assert days_of(planned(world, Up, edge(run="latest"), date=None)) == [day(0).run, day(5).run]


def test_the_version_is_pinned(world: World, store: MemoryStore) -> None:
    fill(store, 0)
    before = only(planned(world, Up, edge()))
    fill(store, 1)
    commit_output(store, published(store, day(0), 2), OUTPUT)

    (one,) = before.tables
    assert one.snapshot.version == 0
    assert one.files == table(store).at(0).up_to(None)
    assert one.rows == 3
    assert [file.uri for file in one.data_files(store)] == [f"memory:{one.path}/{one.files[0].path}"]


def test_my_run_of_the_producer_has_to_be_in_the_table(world: World, store: MemoryStore) -> None:
    fill(store, 0)

    with pytest.raises(NotYet, match="not published yet"):
        planned(world, Up, edge(), date=FIRST_DAY + timedelta(1))


def test_published_is_not_yet_in_the_table(world: World, store: MemoryStore) -> None:
    first = published(store, day(0))
    with pytest.raises(NotYet, match="its rows are not in the table yet"):
        planned(world, Up, edge())
    commit_output(store, first, OUTPUT)
    late = published(store, day(0), 2)

    with pytest.raises(NotYet, match="its rows are not in the table yet"):
        planned(world, Up, edge())
    commit_output(store, late, OUTPUT)
    assert (
        only(planned(world, Up, edge())).tables[0].snapshot.attempt_of("/flights/flights.daily/delays/20130101T000000Z")
        == 2
    )


def test_all_indices_of_a_mapped_producer_have_to_be_there(world: World, store: MemoryStore) -> None:
    late = [published(store, day(0, index), map_count=2) for index in range(2)]
    commit_output(store, late[0], OUTPUT)

    with pytest.raises(NotYet):
        planned(world, Up, edge(map_count=2))
    commit_output(store, late[1], OUTPUT)
    assert only(planned(world, Up, edge(map_count=2))).tables[0].rows == 6


def test_a_producer_mapped_over_nothing_needs_no_table(world: World) -> None:
    assert only(planned(world, Up, edge(map_count=0))).tables == ()


def test_nobody_has_written_to_it(world: World) -> None:
    with pytest.raises(NotYet):
        planned(world, Up, edge())
    assert isinstance(only(planned(world, Perhaps, edge())), AbsentInput)


def test_my_own_table_begins_empty_and_never_shows_my_own_run(world: World, store: MemoryStore) -> None:
    mine: Any = {"team": TASK.team, "dag_id": TASK.dag_id, "task_id": TASK.task_id}
    assert only(planned(world, Grows, edge(run="latest"), **mine)).tables == ()

    fill(store, 0, 1, 2)
    assert days_of(planned(world, Grows, edge(run="latest"), date=FIRST_DAY + timedelta(1), **mine)) == [day(0).run]


def test_too_old_a_table_is_waited_for(world: World, store: MemoryStore) -> None:
    fill(store, 0)

    with pytest.raises(NotYet, match="too old"):
        planned(world, Up, edge(run="latest", max_age_s=3600), date=FIRST_DAY + timedelta(2))


def test_a_frame_of_a_table_is_the_rows_of_one_run(world: World, store: MemoryStore) -> None:
    fill(store, 0, 1)

    found = only(planned(world, Day, edge(), date=FIRST_DAY + timedelta(1)))
    assert isinstance(found, RunInput)
    (read,) = found.reads
    assert isinstance(read, PinnedRun)
    assert read.path.endswith(day(1).run)
    assert all("/_table/history/_runs/20130102T000000Z/a0001-" in path for path in read.published.paths(OUTPUT))
    assert all(store.stat(path) for path in read.published.paths(OUTPUT))


def test_what_is_no_table_is_told_so(world: World, store: MemoryStore) -> None:
    write_and_publish(store, Try.of(1), seen=frozenset(), key=day(0))

    with pytest.raises(DefinitionError, match="the producer's output is no table"):
        planned(world, Up, edge(output="default"))


def test_nobody_reads_a_table_without_a_grant(world: World, store: MemoryStore) -> None:
    fill(store, 0)

    with pytest.raises(PolicyError):
        planned(world, Up, edge(), team="weather")


def test_a_log_with_a_gap_is_an_error_of_the_plan(world: World, store: MemoryStore) -> None:
    fill(store, 0, 1, 2)
    del store._files[f"{table(store).place}/_delta_log/{1:020d}.json"]

    with pytest.raises(InputCorrupt, match="missing"):
        planned(world, Up, edge())


def test_a_table_is_made_of_dated_runs(world: World) -> None:
    with pytest.raises(DefinitionError, match="made of dated runs"):
        planned(world, Makes, date=None, team="flights")


class Less(Schema):
    carrier: str


class MakesLess(Job):
    def transform(self, run: Run) -> Table[Less]:
        raise NotImplementedError


def test_columns_that_the_table_cannot_take_are_told_before_anything_is_computed(
    world: World, store: MemoryStore
) -> None:
    attempt = claim(store, RunKey("flights", "flights.daily", "use", day(0).run))
    log = RunLog(store, attempt.key, pause=lambda _: None)
    folder = attempt.output_dir("default", table=True)
    assert folder.startswith("/flights/flights.daily/use/_table/default/_runs/20130101T000000Z/a0001-")
    assert log.newest() is None
    made = publish(store, attempt, rows(attempt.key, 1), output="default")
    commit_output(store, made, "default")

    with pytest.raises(SchemaMismatch) as told:
        planned(world, MakesLess, team="flights")
    assert told.value.details == ("n: missing, and in the table never null",)
    assert planned(world, Makes, team="flights").inputs == ()


def test_a_consumer_whose_columns_do_not_fit_is_named(world: World, store: MemoryStore) -> None:
    class Wrong(Schema):
        carrier: int

    class Reads(Job):
        def transform(self, history: Table[Wrong]) -> Frame[Mean]:
            return history

    fill(store, 0)
    with pytest.raises(SchemaMismatch, match="input 'history' does not fit") as told:
        planned(world, Reads, edge())
    assert "version 0" in str(told.value)
