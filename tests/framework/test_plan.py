"""Plans: inputs found, permitted, compatible, pinned; everything refused before anything is written."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from framework import Frame, Job, Schema
from framework.config import EdgeRef, ExportedConfig, RunFacts
from framework.errors import (
    ContractSkew,
    DefinitionError,
    FinalError,
    NotYet,
    PolicyError,
    SchemaMismatch,
    TeamsparkError,
)
from framework.identity import Epoch, RunKey
from framework.job import contract_of
from framework.manifest import Manifest, OutputEntry
from framework.plan import AbsentInput, Plan, PlanRequest, RunInput, make_plan
from framework.schema.model import schema_spec
from framework.storage.memory import MemoryStore
from framework.storage.paths import RunRecord, run_segment
from framework.storage.publish import RunLog
from framework.tenancy.model import Grant, Team, Teams
from framework.tenancy.places import DirectoryStore
from framework.world import World

DAY = datetime(2013, 1, 10, tzinfo=UTC)


class Wide(Schema):
    name: str
    size: int
    extra: float | None


class Narrow(Schema):
    name: str
    size: int


class Other(Schema):
    name: str
    size: str


class One(Job):
    def transform(self, things: Frame[Narrow]) -> Frame[Narrow]:
        return things


class Maybe(Job):
    def transform(self, things: Frame[Narrow] | None) -> Frame[Narrow]:
        assert things is not None
        return things


class Two(Job):
    def transform(self, things: Frame[Narrow], others: Frame[Other]) -> Frame[Narrow]:
        return things


@dataclass(frozen=True)
class Place:
    """Two teams, each with a store; ``publish`` is a producer's run that wrote no files."""

    world: World

    def publish(self, run: str, **where: Any) -> RunKey:
        key = RunKey(where.get("team", "flights"), where.get("dag", "flights.daily"), "ingest", run, where.get("index"))
        log = RunLog(self.world.store(key.team), key)
        epoch = Epoch("producer", where.get("number", 1), 1)
        attempt = log.claim(epoch, clear_number=0, who="a test", seen=None)
        spec = schema_spec(where.get("schema", Wide))
        output = OutputEntry(name="default", schema_=spec.to_json(), rows=0, bytes=0, files=())
        manifest = Manifest(
            key=key,
            attempt=attempt.number,
            token=attempt.token,
            epoch=epoch,
            clear_number=0,
            job="jobs.flights.x:X",
            contract="0",
            outputs=(output,),
            map_count=where.get("map_count"),
        )
        log.publish(attempt, manifest)
        return key

    def plan(self, job: type[Job] = One, *edges: EdgeRef, **facts: Any) -> Plan:
        return make_plan(
            PlanRequest(config_of(job, {"things": edges} if edges else {}, **facts), contract_of(job)), self.world
        )


def edge(**changes: Any) -> EdgeRef:
    return EdgeRef(**({"team": "flights", "dag_id": "flights.daily", "task_id": "ingest"} | changes))


def config_of(job: type[Job], inputs: dict[str, tuple[EdgeRef, ...]], **facts: Any) -> ExportedConfig:
    logical = facts.get("date", DAY)
    record = RunRecord("r", facts.get("run_after", DAY + timedelta(days=1)), logical)
    return ExportedConfig(
        key=RunKey(facts.get("team", "flights"), "flights.daily", "use", run_segment(record)),
        epoch=Epoch("consumer", 1, 1),
        job="jobs.flights.x:X",
        contract=facts.get("contract"),
        inputs=inputs,
        run=RunFacts(run_id="r", run_after=record.run_after, logical_date=logical),
        workspace="/nowhere",
    )


def segment(day: int) -> str:
    return f"201301{day:02d}T000000Z"


@pytest.fixture
def place() -> Place:
    stores = {name: MemoryStore() for name in ("flights", "insights")}
    grants = (Grant(to="insights", read=("flights.daily/ingest",)),)
    teams = {
        name: Team(
            team=name,
            owners=("a@example.org",),
            store=DirectoryStore(kind="directory", root="x"),
            grants=grants if name == "flights" else (),
        )
        for name in stores
    }
    return Place(World(Teams(Path("/nowhere"), teams), stores.__getitem__))


def numbers(plan: Plan) -> list[tuple[str, int]]:
    (planned,) = plan.inputs
    assert isinstance(planned, RunInput)
    return [(read.path.rpartition("/")[2], read.published.number) for read in planned.reads]


def test_the_newest_attempt_of_the_same_run_is_pinned(place: Place) -> None:
    place.publish(segment(10))
    place.publish(segment(10), number=2)
    place.publish(segment(11))

    assert numbers(place.plan(One, edge())) == [(segment(10), 2)]


def test_what_is_not_there_yet_names_the_nearest(place: Place) -> None:
    place.publish(segment(8))
    place.publish(segment(9))

    with pytest.raises(NotYet) as stop:
        place.plan(One, edge())
    assert f"{segment(8)}, {segment(9)}" in str(stop.value)


def test_latest_is_bounded_by_my_own_date(place: Place) -> None:
    for day in (7, 9, 11):
        place.publish(segment(day))

    assert numbers(place.plan(One, edge(run="latest"))) == [(segment(9), 1)]


def test_latest_without_a_date_is_bounded_by_when_i_run(place: Place) -> None:
    for day in (7, 9, 11):
        place.publish(segment(day))

    plan = place.plan(One, edge(run="latest"), date=None, run_after=DAY + timedelta(days=5))
    assert numbers(plan) == [(segment(11), 1)]


def test_latest_may_be_too_old(place: Place) -> None:
    place.publish(segment(7))

    with pytest.raises(NotYet, match="too old"):
        place.plan(One, edge(run="latest", max_age_s=86_400))
    assert numbers(place.plan(One, edge(run="latest", max_age_s=4 * 86_400))) == [(segment(7), 1)]


def test_same_run_of_another_dag_needs_a_date(place: Place) -> None:
    with pytest.raises(FinalError, match="run='latest'"):
        place.plan(One, edge(dag_id="flights.other"), date=None)


def test_same_run_of_ones_own_dag_needs_none(place: Place) -> None:
    with pytest.raises(NotYet):
        place.plan(One, edge(same_dag=True), date=None)


def test_an_optional_port_may_stay_empty(place: Place) -> None:
    assert isinstance(place.plan(Maybe, edge()).inputs[0], AbsentInput)
    assert isinstance(place.plan(Maybe).inputs[0], AbsentInput)


def test_another_teams_output_needs_its_grant(place: Place) -> None:
    place.publish(segment(10))
    place.publish(segment(10), dag="flights.hourly")

    assert numbers(place.plan(One, edge(), team="insights")) == [(segment(10), 1)]
    with pytest.raises(PolicyError, match="grants"):
        place.plan(One, edge(dag_id="flights.hourly"), team="insights")


def test_an_incompatible_producer_is_named_with_the_columns(place: Place) -> None:
    place.publish(segment(10), schema=Other)

    with pytest.raises(SchemaMismatch) as stop:
        place.plan(One, edge())
    assert "size" in str(stop.value)
    assert stop.value.where == "jobs.flights.x:X"
    assert "flights/flights.daily/ingest" in str(stop.value.got)


def test_several_edges_are_a_union_in_order(place: Place) -> None:
    place.publish(segment(10))
    place.publish(segment(10), dag="flights.hourly")

    plan = place.plan(One, edge(dag_id="flights.hourly"), edge())
    (planned,) = plan.inputs
    assert isinstance(planned, RunInput)
    assert [read.published.key.dag_id for read in planned.reads] == ["flights.hourly", "flights.daily"]


def test_a_mapped_producer_is_all_indices_of_its_count_and_no_stale_ones(place: Place) -> None:
    for index in range(5):
        place.publish(segment(10), index=index, map_count=5)
    for index in range(3):
        place.publish(segment(10), index=index, map_count=3, number=2)

    assert numbers(place.plan(One, edge(map_count=3))) == [("map-0", 2), ("map-1", 2), ("map-2", 2)]
    assert len(numbers(place.plan(One, edge()))) == 3


def test_a_missing_index_is_not_yet(place: Place) -> None:
    place.publish(segment(10), index=0, map_count=3)
    place.publish(segment(10), index=2, map_count=3)

    with pytest.raises(NotYet, match=r"indices \[1\] missing"):
        place.plan(One, edge())


def test_mapped_over_nothing_is_a_frame_of_no_rows(place: Place) -> None:
    plan = place.plan(One, edge(map_count=0))

    assert numbers(plan) == []


def test_an_output_that_does_not_exist_is_named(place: Place) -> None:
    place.publish(segment(10))

    with pytest.raises(DefinitionError, match="no such output"):
        place.plan(One, edge(output="rejects"))


@pytest.mark.parametrize(
    ("job", "inputs", "told"),
    [
        (One, {}, "port 'things' has no edge"),
        (One, {"things": (edge(),), "thing": (edge(),)}, "no input port 'thing'"),
        (Two, {}, "port 'others' has no edge"),
    ],
)
def test_ports_and_edges_must_match(
    place: Place, job: type[Job], inputs: dict[str, tuple[EdgeRef, ...]], told: str
) -> None:
    with pytest.raises(DefinitionError) as stop:
        make_plan(PlanRequest(config_of(job, inputs), contract_of(job)), place.world)
    assert told in str(stop.value)


def test_a_final_mistake_is_told_before_a_missing_input_and_both_are_told(place: Place) -> None:
    place.publish(segment(10), dag="flights.hourly")
    config = config_of(Two, {"things": (edge(),), "others": (edge(dag_id="flights.hourly"),)})

    with pytest.raises(SchemaMismatch) as stop:
        make_plan(PlanRequest(config, contract_of(Two)), place.world)
    assert "not published yet" in str(stop.value)


def test_a_dag_of_another_version_is_told(place: Place) -> None:
    with pytest.raises(ContractSkew, match="teamspark jobs export"):
        place.plan(One, edge(), contract="0" * 64)


def test_planning_writes_nothing(place: Place) -> None:
    place.publish(segment(10))
    before = {name: place.world.store(name).list("/") for name in ("flights", "insights")}

    place.plan(One, edge())
    with pytest.raises(TeamsparkError):
        place.plan(One, edge(task_id="nothing"))

    assert {name: place.world.store(name).list("/") for name in before} == before
