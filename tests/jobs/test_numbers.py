"""The examples' numbers on the real flights, against plain pandas on the raw files."""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from airflow_bindings.demo.landing import installed_data, land
from framework.config import EdgeRef, ExportedConfig, RunFacts, RunResult
from framework.identity import Epoch, RunKey
from framework.job import build_job, contract_of, load_job
from framework.plan import PlanRequest
from framework.runner import RunOptions, execute
from framework.storage.paths import segment_of_date
from framework.storage.publish import RunLog
from framework.testing import JobRun, assert_rows
from framework.world import World

ROOT = Path(__file__).resolve().parents[2]
DAYS = (date(2013, 1, 1), date(2013, 1, 2))
FLIGHTS = EdgeRef(team="flights", dag_id="flights.daily", task_id="ingest")
WEATHER = EdgeRef(team="insights", dag_id="insights.daily", task_id="weather", same_dag=True)

# task: team, job, parameters, inputs; in an order in which producers come first.
TASKS: dict[str, tuple[str, str, dict[str, Any], dict[str, tuple[EdgeRef, ...]]]] = {
    "ingest": ("flights", "jobs.flights.ingest:IngestFlights", {}, {}),
    "delays_by_carrier": ("flights", "jobs.flights.delays:Delays", {"by": "carrier"}, {"flights": (FLIGHTS,)}),
    "delays_by_route": (
        "flights",
        "jobs.flights.delays:Delays",
        {"by": "route", "min_flights": 3},
        {"flights": (FLIGHTS,)},
    ),
    "weather": ("insights", "jobs.insights.weather:IngestWeather", {}, {}),
    "wind_delays": (
        "insights",
        "jobs.insights.weather:WindDelays",
        {},
        {"departures": (FLIGHTS,), "weather": (WEATHER,)},
    ),
}


class Published(Protocol):
    """The published rows of a task's output."""

    def __call__(self, task: str, day: date, output: str = "default") -> list[dict[str, Any]]: ...


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the repository's own team files, and the real data where the sources say it is."""
    place = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "k8s/teams", place / "k8s/teams")
    land(installed_data(), place / ".teamspark/demo/landing")
    return place


@pytest.fixture(scope="module")
def published(workspace: Path, spark: SparkSession) -> Published:
    """Both days of every task, run as a driver runs them; a function from task, day and output to rows."""
    world = World.of(workspace)
    results = {(task, day): run(world, spark, task, day) for day in DAYS for task in TASKS}

    def rows(task: str, day: date, output: str = "default") -> list[dict[str, Any]]:
        key = key_of(task, day)
        store = world.store(key.team)
        found = RunLog(store, key).newest()
        assert found is not None
        return JobRun(results[task, day], found, store, spark).rows(output)

    return rows


def key_of(task: str, day: date) -> RunKey:
    team = TASKS[task][0]
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return RunKey(team, f"{team}.daily", task, segment_of_date(moment))


def run(world: World, spark: SparkSession, task: str, day: date) -> RunResult:
    _, job_name, parameters, inputs = TASKS[task]
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    config = ExportedConfig(
        key=key_of(task, day),
        epoch=Epoch("numbers", 1, 1),
        job=job_name,
        parameters=parameters,
        inputs=inputs,
        run=RunFacts(run_id="r", run_after=moment, logical_date=moment),
        workspace=str(world.teams.workspace),
    )
    job = load_job(job_name)
    options = RunOptions(session=lambda _: nullcontext(spark), who="test")
    result = execute(PlanRequest(config, contract_of(job)), build_job(job, parameters), world, options)
    assert result.verdict == "published"
    return result


@pytest.fixture(scope="module")
def flights(workspace: Path) -> pd.DataFrame:
    raw = pd.read_csv(workspace / ".teamspark/demo/landing/flights.csv", na_values="NA")
    raw["flight_date"] = pd.to_datetime(raw[["year", "month", "day"]]).dt.date
    raw["time_hour"] = pd.to_datetime(raw["time_hour"], utc=True)
    assert len(raw) == 336_776
    return raw


@pytest.fixture(scope="module")
def weather(workspace: Path) -> pd.DataFrame:
    raw = pd.read_csv(workspace / ".teamspark/demo/landing/weather.csv", na_values="NA")
    raw["time_hour"] = pd.to_datetime(raw["time_hour"], utc=True)
    return raw


def records(frame: pd.DataFrame) -> Iterable[Mapping[str, Any]]:
    rows: list[dict[str, Any]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return rows


def flown(flights: pd.DataFrame, day: date) -> pd.DataFrame:
    return flights[(flights["flight_date"] == day) & flights["dep_delay"].notna()]


@pytest.mark.spark
@pytest.mark.parametrize("day", DAYS)
def test_every_flight_of_the_day_is_there_once(published: Published, flights: pd.DataFrame, day: date) -> None:
    today = flights[flights["flight_date"] == day]
    columns = ["carrier", "flight", "origin", "dest", "tailnum", "dep_delay", "arr_delay", "distance", "time_hour"]

    assert_rows(published("ingest", day), records(flown(flights, day)[columns]))
    assert_rows(
        published("ingest", day, "cancelled"),
        records(today[today["dep_delay"].isna()][["carrier", "flight", "origin", "dest", "time_hour"]]),
    )


@pytest.mark.spark
@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize(("by", "at_least"), [("carrier", 1), ("route", 3)])
def test_delays(published: Published, flights: pd.DataFrame, day: date, by: str, at_least: int) -> None:
    own = flown(flights, day).assign(route=lambda rows: rows["origin"] + "-" + rows["dest"])
    groups = own.groupby(by)["dep_delay"]
    expected = pd.DataFrame(
        {"flights": groups.size(), "mean_delay": groups.mean(), "late_share": groups.apply(lambda d: (d > 15).mean())}
    )
    expected = expected[expected["flights"] >= at_least].reset_index(names="name")

    assert_rows(published(f"delays_by_{by}", day), records(expected))


@pytest.mark.spark
@pytest.mark.parametrize("day", DAYS)
def test_wind(published: Published, flights: pd.DataFrame, weather: pd.DataFrame, day: date) -> None:
    own = weather[(weather["year"] == day.year) & (weather["month"] == day.month) & (weather["day"] == day.day)]
    hours = flown(flights, day).merge(
        own[["origin", "time_hour", "wind_speed"]], on=["origin", "time_hour"], how="left"
    )
    hours["wind"] = pd.cut(hours["wind_speed"], [-1, 8, 19, 999], right=False, labels=["calm", "breeze", "strong"])
    hours["wind"] = hours["wind"].astype(object).where(hours["wind_speed"].notna(), "unknown")
    groups = hours.groupby(["origin", "wind"])["dep_delay"]
    expected = pd.DataFrame({"flights": groups.size(), "mean_delay": groups.mean()}).reset_index()

    assert_rows(published("wind_delays", day), records(expected))
