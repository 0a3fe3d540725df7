"""Spark on a real node: driver and executors in the team's namespace, at the store by their tokens, walls around them."""

import io
import time
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from framework.config import EdgeRef, ExportedConfig, RunFacts, RunResult
from framework.identity import Epoch, RunKey
from framework.launch.base import CONFIG, RESULT, UNFINISHED, Launcher, LaunchRequest, Status
from tests.servers.cluster import Whole
from tests.servers.seaweed import client_of

# Whoever is first waits for a node to start and to be given its images.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WITHIN_S = 240.0
RUN = "20130101T000000Z"


def request_name(key: RunKey) -> str:
    return f"{key.team}-{key.task_id}-1"


def request_of(whole: Whole, key: RunKey, job: str, **told: object) -> LaunchRequest:
    from k8s.images.parts import PACKAGES
    from k8s.launch.pods import FILES, PLATFORM
    from k8s.launch.sizes import resources_of

    epoch = Epoch("2f" * 8, 1, 1)
    config = ExportedConfig(
        key=key, epoch=epoch, job=job, workspace=PACKAGES, team_files=f"{FILES}/teams", short_job=True,
        run=RunFacts(run_id="r", run_after=datetime(2013, 1, 1, tzinfo=UTC)), **told,  # type: ignore[arg-type]
    )  # fmt: skip
    command = ("driver", "--config", CONFIG, "--result", RESULT, "--platform", f"{FILES}/{PLATFORM}")
    name = request_name(key)
    resources = resources_of(whole.teams.team(key.team))
    return LaunchRequest(name, key, epoch, 0, command, config.json_bytes(), resources=resources, files=whole.files)


def ended(launcher: Launcher, name: str) -> Status:
    deadline = time.monotonic() + WITHIN_S
    while (status := launcher.status(name)).phase in UNFINISHED:
        assert time.monotonic() < deadline, f"{status.why}\n{launcher.log(name).decode()}"
        time.sleep(0.5)
    return status


def result_of(launcher: Launcher, request: LaunchRequest) -> RunResult:
    launcher.start(request)
    status = ended(launcher, request.name)
    log = launcher.log(request.name).decode()
    assert status.exit_code == 0, f"{status}\n{log}"
    assert status.result is not None
    return RunResult.parse_json(status.result, where="result")


def test_two_teams_runs_meet_at_the_store_only(whole: Whole) -> None:
    lines = "n\n" + "".join(f"{n}\n" for n in range(1000))
    client_of(whole.endpoint, whole.keys).put_object(
        Bucket="partner-drop", Key="flights/numbers.csv", Body=lines.encode()
    )
    numbers = RunKey("flights", "flights.daily", "numbers", RUN)
    sums = RunKey("insights", "insights.daily", "sums", RUN)

    first = result_of(whole.launcher("flights"), request_of(whole, numbers, "jobs.flights.numbers:Numbers"))
    edge = EdgeRef(team="flights", dag_id="flights.daily", task_id="numbers")
    second = result_of(
        whole.launcher("insights"), request_of(whole, sums, "jobs.insights.sums:Sums", inputs={"numbers": (edge,)})
    )

    assert first.outputs["default"].rows == 1000
    assert second.rows_read == 1000
    told = rows(whole, "flights", first)
    assert sorted(told["n"]) == list(range(1000))
    assert told["square"] == [n * n for n in told["n"]]
    assert {host.rpartition("-exec-")[0] for host in told["host"]} == {request_name(numbers)}
    assert rows(whole, "insights", second)["squares"] == [sum(n * n for n in range(1000))]


def rows(whole: Whole, team: str, result: RunResult) -> dict[str, list[Any]]:
    """What was published, read without Spark."""
    client, found = client_of(whole.endpoint, whole.keys), []
    prefix = str(result.path).lstrip("/")
    for one in client.list_objects_v2(Bucket=f"{team}-data", Prefix=prefix)["Contents"]:
        if one["Key"].endswith(".parquet"):
            body = client.get_object(Bucket=f"{team}-data", Key=one["Key"])["Body"].read()
            found.append(parquet.read_table(io.BytesIO(body)))
    columns: dict[str, list[Any]] = pa.concat_tables(found).to_pydict()
    return columns
