"""Spark on a real node: driver and executors in the team's namespace, at the store by their tokens, walls around them; and the
teams' own caches, filled by one run and hot for the next, closed to the other team.
"""

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from framework.cache.properties import PUBLIC_PORTS
from framework.config import EdgeRef, ExportedConfig, RunFacts, RunResult
from framework.identity import Epoch, RunKey
from framework.launch.base import CONFIG, RESULT, UNFINISHED, Launcher, LaunchRequest, Status
from tests.servers.cluster import TEAMS, Whole
from tests.servers.node import IMAGES
from tests.servers.seaweed import client_of

# Whoever is first waits for a node to start and to be given its images.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WITHIN_S = 240.0
READY_S = 240.0
HEARTBEATS_S = 3.0
"""A cache's worker tells its master every second what it holds."""
RUN = "20130101T000000Z"
NUMBERS = RunKey("flights", "flights.daily", "numbers", RUN)


def request_name(key: RunKey) -> str:
    return f"{key.team}-{key.task_id}-1"


def request_of(whole: Whole, key: RunKey, job: str, **told: object) -> LaunchRequest:
    from k8s.images.parts import PACKAGES
    from k8s.launch.parts import FILES, PLATFORM
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


@pytest.fixture(scope="module")
def numbers(whole: Whole) -> RunResult:
    """What a run of flights' has published."""
    lines = "n\n" + "".join(f"{n}\n" for n in range(1000))
    client_of(whole.endpoint, whole.keys).put_object(
        Bucket="partner-drop", Key="flights/numbers.csv", Body=lines.encode()
    )
    request = request_of(whole, NUMBERS, "jobs.flights.numbers:Numbers")
    return result_of(whole.launcher("flights"), request)


def summed(whole: Whole, task: str) -> RunResult:
    """A run of insights', which reads what flights has published."""
    key = RunKey("insights", "insights.daily", task, RUN)
    edge = EdgeRef(team="flights", dag_id="flights.daily", task_id="numbers")
    request = request_of(whole, key, "jobs.insights.sums:Sums", inputs={"numbers": (edge,)})
    return result_of(whole.launcher("insights"), request)


def test_two_teams_runs_meet_at_the_store_only(whole: Whole, numbers: RunResult) -> None:
    sums = summed(whole, "sums")

    assert numbers.outputs["default"].rows == 1000
    assert sums.rows_read == 1000
    told = rows(whole, "flights", numbers)
    assert sorted(told["n"]) == list(range(1000))
    assert told["square"] == [n * n for n in told["n"]]
    assert {host.rpartition("-exec-")[0] for host in told["host"]} == {request_name(NUMBERS)}
    assert rows(whole, "insights", sums)["squares"] == [sum(n * n for n in range(1000))]


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


@pytest.fixture(scope="module")
def cached(whole: Whole) -> Iterator[Whole]:
    with whole.cached():
        for name in TEAMS:
            _await_ready(whole, name)
        yield whole


def _await_ready(whole: Whole, name: str) -> None:
    deadline = time.monotonic() + READY_S
    while not _ready(pods := whole.node.admin.list("v1", "Pod", namespace=name, labels="teamspark.io/part=cache")):
        assert time.monotonic() < deadline, json.dumps([one["status"] for one in pods]) + _log(whole, name, "cache-0")
        time.sleep(0.5)


def _ready(pods: Any) -> bool:
    return any(
        one["type"] == "Ready" and one["status"] == "True"
        for pod in pods
        for one in pod["status"].get("conditions", ())
    )


@pytest.mark.usefixtures("numbers")
def test_what_one_run_read_is_hot_for_the_next(cached: Whole) -> None:
    _await_mount(cached, "insights", "s3a://flights-data/flights/flights.daily/numbers")

    first, second = (summed(cached, task) for task in ("first", "second"))

    assert first.bytes_hot + first.bytes_cold > 0
    assert second.bytes_cold == 0, second
    assert second.bytes_hot == first.bytes_hot + first.bytes_cold


def _await_mount(whole: Whole, team: str, uri: str) -> None:
    """Its first run publishes what can be mounted then."""
    deadline = time.monotonic() + READY_S
    while f"before {uri}" not in (log := _log(whole, team, "cache-0")):
        assert time.monotonic() < deadline, log
        time.sleep(0.5)


def _log(whole: Whole, team: str, name: str) -> str:
    return whole.node.admin.ask_bytes("GET", f"/api/v1/namespaces/{team}/pods/{name}/log").decode()


def test_what_a_program_left_is_copied_hot_for_the_next(cached: Whole, tmp_path: Path) -> None:
    from tests.k8s.launch.programs import WORDS, import_scripts

    image = f"{IMAGES}/flights/passes:1"
    settings: dict[str, object] = {"user": "4242:4242", "entrypoint": WORDS}
    import_scripts(cached, tmp_path, {image: (Path(__file__).with_name("passes.py"), settings)})

    first = passed(cached, image, "first")
    time.sleep(HEARTBEATS_S)
    second = passed(cached, image, "second", reads="first")

    assert (first.bytes_hot, first.bytes_cold) == (0, 0)
    assert (second.bytes_hot, second.bytes_cold) == (1 << 20, 0), second
    assert second.outputs["default"].bytes == 1 << 20


def passed(whole: Whole, image: str, task: str, reads: str | None = None) -> RunResult:
    from tests.k8s.launch.programs import as_program

    key = RunKey("flights", "flights.programs", task, RUN)
    edges = {} if reads is None else {"given": (EdgeRef(team="flights", dag_id=key.dag_id, task_id=reads),)}
    asked = as_program(request_of(whole, key, image, inputs=edges), image, "copy", inputs=tuple(edges))
    return result_of(whole.launcher("flights"), asked)


def test_a_cache_is_reached_from_its_own_namespace_only(cached: Whole) -> None:
    port = PUBLIC_PORTS["proxy"]

    assert _asked(cached, "flights", f"http://cache.flights.svc:{port}") == "answered"
    assert _asked(cached, "insights", f"http://cache.flights.svc:{port}") == "silent"


ASK = """
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=5)
except urllib.error.HTTPError:
    print("answered")
except OSError:
    print("silent")
else:
    print("answered")
"""


def _asked(whole: Whole, team: str, url: str) -> str:
    """By a pod of the team's."""
    from k8s.client import Place
    from k8s.pods import small_pod

    body = small_pod(team, whole.node.image, limits={"cpu": "200m", "memory": "128Mi"}, restartPolicy="Never")
    body["spec"]["containers"][0]["args"] = ["python3", "-c", ASK, url]
    body["spec"]["securityContext"] = {"runAsUser": 185}
    name = whole.node.admin.create(body)["metadata"]["name"]
    place, deadline = Place("v1", "Pod", team, name), time.monotonic() + READY_S
    try:
        while (whole.node.admin.get(place) or {})["status"]["phase"] not in ("Succeeded", "Failed"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        return _log(whole, team, name).strip()
    finally:
        whole.node.admin.delete(place, grace_s=0)
