"""``spark-ui``: which log is meant and what is said when there is none; and Spark's real history server on one."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from framework.identity import Epoch, RunKey
from framework.servers import history
from framework.storage.base import Store
from framework.storage.events import log_name, put_log
from framework.storage.posix import DirectoryStore
from tests.framework.cli.conftest import Teamspark
from tests.framework.cli.datasets import Dataset, publish
from tests.framework.numbers import config_of, driven, environment, workspace

RUN = "20130101T000000Z"
ROWS: list[dict[str, Any]] = [{"name": "a", "amount": 1.0}]
CLAIMED, OTHER = Epoch("incarnation", 1, 1), Epoch("another", 1, 1)
SECRET = "canary-77ab31"


@pytest.fixture
def store(workspace: Path) -> DirectoryStore:
    return DirectoryStore(workspace / "store")


@pytest.fixture
def key(team: str) -> RunKey:
    return RunKey(team, f"{team}.daily", "Ingest", RUN)


def named(key: RunKey) -> str:
    return f"{key.task}/2013-01-01"


def test_the_logs_there_are_come_with_what_their_launches_claimed(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey
) -> None:
    publish(store, Dataset(key, ROWS))
    publish(store, Dataset(key, ROWS))
    put_log(store, key, CLAIMED, b"one")
    put_log(store, key, OTHER, b"another")

    done = teamspark("spark-ui", named(key), "--list", "--json")

    found = {one["log"]: (one["attempts"], one["bytes"]) for one in json.loads(done.stdout)}
    assert found == {log_name(CLAIMED): ([1, 2], 3), log_name(OTHER): ([], 7)}
    lines = teamspark("spark-ui", named(key), "--list").stdout.splitlines()
    assert lines[0].split() == ["log", "kept", "size", "attempts"]
    assert [line.split()[0] for line in lines[1:]] == [one["log"] for one in json.loads(done.stdout)]


def test_a_run_of_this_machine_has_its_logs_in_its_own_store(teamspark: Teamspark, workspace: Path, team: str) -> None:
    local = RunKey(team, "_local", "ingest", RUN)
    put_log(DirectoryStore(workspace / ".teamspark/local"), local, CLAIMED, b"events")

    done = teamspark("spark-ui", named(local), "--list", "--json")

    assert [one["log"] for one in json.loads(done.stdout)] == [log_name(CLAIMED)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "an event log tells of no application"),
        (("--log", "1.1-00000000"), f"expected: one of {log_name(CLAIMED)}"),
        (("--port", "0"), ""),
    ],
)
def test_what_is_wrong_with_a_log_is_said(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, options: tuple[str, ...], told: str
) -> None:
    put_log(store, key, CLAIMED, pa.compress(b'{"Event":"SparkListenerLogStart"}\n', "zstd", asbytes=True))

    done = teamspark("spark-ui", named(key), *options)

    assert done.exit_code == (64 if told else 2)
    assert told in done.stderr


@pytest.mark.parametrize("attempt", ["", "@1", "@7"])
def test_where_no_log_is_kept_it_is_said_why_that_may_be(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, attempt: str
) -> None:
    publish(store, Dataset(key, ROWS))
    if attempt:
        put_log(store, key, OTHER, b"of a launch that claimed nothing")

    done = teamspark("spark-ui", f"{named(key)}{attempt}")

    assert done.exit_code == 64
    assert [
        word
        for word in ("no event log is kept", "got: attempts of the run: 1", "spark.eventLog.enabled", "outputs ls")
        if word not in done.stderr
    ] == []


@pytest.mark.parametrize(("run", "told"), [("nobody/a/b/2013-01-01", "no such team"), ("flights/a.b/c", "not a run")])
def test_a_run_that_cannot_be_is_told(teamspark: Teamspark, run: str, told: str) -> None:
    done = teamspark("spark-ui", run)

    assert done.exit_code == 64
    assert told in done.stderr


JOBS = """

import os


class Secret(Job):
    def transform(self, spark: SparkSession) -> Frame[Sum]:
        spark.sparkContext.setJobDescription("Authorization: Bearer " + os.environ["SERVICE_TOKEN"])
        return spark.range(5).groupBy(F.col("id").cast("string").alias("text")).agg(F.sum("id").alias("total"))
"""


def get(port: int, path: str) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    assert response.status == 200, (path, response.status, body[:300])
    return body


@contextmanager
def opened(place: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """The command, once it has told its page; and what it told."""
    code = "from framework.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--workspace", str(place), "spark-ui", *arguments, "--json"],
        cwd=place,
        env=environment(place) | {"TMPDIR": str(place / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = []
        while (line := process.stdout.readline()) not in {"}\n", ""}:
            lines.append(line)
        assert line, process.communicate(timeout=60)
        yield process, json.loads("".join([*lines, "}"]))
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def is_open(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.connect(("127.0.0.1", port))
        return True
    return False


def servers(place: Path) -> list[int]:
    """History servers whose files are, or were, in ``place``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if f"{place}/tmp/{history.PREFIX}".encode() in words and b"HistoryServer" in words:
                found.append(int(process.name))
    return found


@pytest.mark.e2e
@pytest.mark.spark
def test_the_real_history_server_shows_a_run_from_a_bucket_and_leaves_nothing(
    tmp_path: Path, s3_place: Any, s3_store: Store
) -> None:
    bucket = {"kind": "s3", "bucket": s3_place.name, "prefix": s3_place.prefix, "endpoint": s3_place.endpoint}
    place = workspace(tmp_path, {**bucket, "region": s3_place.region}, JOBS)
    (place / "tmp").mkdir()
    result = driven(config_of(place, "Secret"), SERVICE_TOKEN=SECRET)
    assert result.warnings == ()

    with opened(place, f"{result.path}@{result.attempt}") as (process, told):
        assert list((place / "tmp").iterdir()) == []  # it has read them
        port, application = int(told["url"].split(":")[2].partition("/")[0]), told["application"]
        api = f"/api/v1/applications/{application}"
        (shown,) = json.loads(get(port, "/api/v1/applications"))
        assert (shown["id"], shown["attempts"][0]["completed"]) == (application, True)
        stages = json.loads(get(port, f"{api}/stages"))
        assert {stage["status"] for stage in stages} <= {"COMPLETE", "SKIPPED"}
        assert sum(stage["numCompleteTasks"] for stage in stages) > 0
        assert any("Authorization: ***" in one.get("description", "") for one in json.loads(get(port, f"{api}/jobs")))
        pages = [f"/history/{application}/{page}/" for page in ("jobs", "stages", "environment", "SQL")]
        keys = [os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_ACCESS_KEY_ID"], SECRET]
        for path in (*pages, f"{api}/environment", f"{api}/sql", f"{api}/stages", f"{api}/jobs"):
            body = get(port, path).decode()
            assert [secret for secret in keys if secret in body] == [], path
        assert servers(place)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert (servers(place), is_open(port), list((place / "tmp").iterdir())) == ([], False, [])

    with opened(place, str(config_of(place, "Secret").key), "--log", told["log"]) as (process, told):
        port = int(told["url"].split(":")[2].partition("/")[0])
        assert is_open(port)
        process.kill()
        process.wait()
        while servers(place) or is_open(port):
            pass  # the kernel is at it
    assert list((place / "tmp").iterdir()) == []
