"""Runs by the driver with a real Alluxio before the store: hot, and right whatever happens to the cache meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from framework.cache.cluster import down, known
from framework.cache.looking import Cluster
from framework.cache.opening import home_of
from framework.config import EdgeRef, RunResult
from framework.errors import InputChanged
from framework.servers.processes import end_session
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from tests.framework.numbers import DRIVER_S, RUN, UPPER, config_of, contents, driven, environment, workspace

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

JOBS = """


class Sums(Job):
    def transform(self, numbers: Frame[Number]) -> Frame[Sum]:
        return numbers.groupBy("text").agg(F.sum("n").alias("total"))
"""
HISTORY = """


class TableSums(Job):
    def transform(self, numbers: Table[Number]) -> Frame[Sum]:
        return numbers.groupBy("text").agg(F.sum("n").alias("total"))
"""
# What happens to the cache while a job works: before it has read anything, or between two reads.
HARMED = """
import os
from contextlib import suppress


def harm():
    # What is published goes from the store.
    for path in os.environ.get("GONE", "").split():
        with suppress(FileNotFoundError):
            os.remove(path)
    for word in os.environ.get("HARM", "").split():
        signum, _, pid = word.partition(":")
        with suppress(ProcessLookupError):  # the job may be run again, without the cache
            os.kill(int(pid), int(signum))


class HarmedSums(Job):
    read_first: bool = False

    def transform(self, numbers: Frame[Number]) -> Frame[Sum]:
        if self.read_first:
            assert numbers.where("n % 2 = 0").count() == 1000
        harm()
        return numbers.groupBy("text").agg(F.sum("n").alias("total"))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("numbers")
    cache = {"kind": "alluxio", "memory": "64Mi"}
    workspace(folder, {"kind": "directory", "root": "store"}, JOBS + HISTORY + HARMED, cache=cache)
    try:
        yield folder
    finally:
        down(home_of("numbers", folder))


@pytest.fixture
def cluster(place: Path) -> Cluster:
    """Up, and mended if the last test killed a part of it."""
    teamspark(place, "cache", "up", "--team", "numbers")
    found = known(home_of("numbers", place))
    assert found is not None
    return found


def teamspark(place: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "framework.cli", *words],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == code, done.stderr[-3000:] + done.stdout[-3000:]
    return done.stdout


def drive(place: Path, job: str, *, task: str | None = None) -> RunResult:
    edges = {} if job == "Numbers" else {"numbers": UPPER}
    return driven(config_of(place, job, task, **edges))


@pytest.fixture(scope="module")
def produced(place: Path) -> RunResult:
    teamspark(place, "cache", "up", "--team", "numbers")
    return drive(place, "Numbers")


@pytest.fixture(scope="module")
def plain(place: Path, produced: RunResult) -> Store:
    """The store, with what the consumer makes of it without a cache."""
    down(home_of("numbers", place))
    result = drive(place, "Sums")
    assert (result.bytes_hot, result.bytes_cold > 0) == (0, True)
    assert "the cache is not up" in " ".join(result.warnings)
    return DirectoryStore(place / "store")


def parts(cluster: Cluster) -> dict[str, int]:
    pids = [pid for pid, _ in json.loads((Path(cluster.home) / "processes.json").read_text())]
    return dict(zip(("master", "worker", "proxy"), pids, strict=True))


def test_a_hand_over_is_hot(place: Path, plain: Store, cluster: Cluster) -> None:
    made = drive(place, "Numbers", task="again")
    assert "warm" in made.seconds
    told = json.loads(teamspark(place, "cache", "status", f"numbers/numbers.daily/again/{RUN}", "--json"))
    assert [one["hot"] for one in told] == [one["bytes"] for one in told]

    teamspark(place, "cache", "warm", f"numbers/numbers.daily/numbers/{RUN}")
    result = drive(place, "Sums", task="hot")

    assert (result.verdict, result.warnings) == ("published", ())
    assert (result.bytes_hot > 0, result.bytes_cold) == (True, 0)
    assert result.rows_read == 2000
    assert contents(plain, "hot") == contents(plain, "sums")


def test_what_was_cold_is_fetched_while_the_session_starts(place: Path, plain: Store, cluster: Cluster) -> None:
    teamspark(place, "cache", "free", f"numbers/numbers.daily/numbers/{RUN}")

    result = drive(place, "Sums", task="cold")

    assert (result.bytes_hot > 0, result.bytes_cold) == (True, 0)
    assert contents(plain, "cold") == contents(plain, "sums")


def test_a_table_is_read_hot(place: Path, plain: Store, cluster: Cluster) -> None:
    teamspark(place, "cache", "warm", f"numbers/numbers.daily/numbers/{RUN}")

    result = drive(place, "TableSums")

    assert (result.bytes_hot > 0, result.bytes_cold) == (True, 0)
    assert result.warnings == ()
    assert contents(plain, result.key.task_id) == contents(plain, "sums")


@pytest.mark.parametrize("when", ["hot, while it is read", "hot, before", "cold, before"])
def test_an_input_that_is_lost_under_the_cache(place: Path, plain: Store, cluster: Cluster, when: str) -> None:
    """What the cache still holds is what was published; what is gone when a run begins to read is told by name."""
    task = f"upper_{when.replace(', ', '_').replace(' ', '_')}"
    drive(place, "Numbers", task=task)
    run = f"numbers/numbers.daily/{task}/{RUN}"
    teamspark(place, "cache", "free" if when.startswith("cold") else "warm", run)
    held = json.loads(teamspark(place, "cache", "status", run, "--json"))
    gone = [place / f"store{one['path']}" for one in held if "/upper/" in one["path"]]
    assert gone
    if when.endswith("before"):
        for file in gone:
            file.unlink()

    lost, edge = f"lost_{task}", UPPER.model_copy(update={"task_id": task})
    with harmed(place, lost, {"GONE": " ".join(map(str, gone))}, edge=edge) as under_way:
        code = under_way.process.wait(DRIVER_S)

    assert not any(file.exists() for file in gone)
    if when.endswith("before"):
        assert code == InputChanged.exit_code
        assert "input file(s) are gone" in under_way.log.read_text()
        assert gone[0].name in under_way.log.read_text()
    else:
        assert code == 0, under_way.log.read_text()[-3000:]
        assert contents(plain, lost) == contents(plain, "sums")


@pytest.mark.parametrize("part", ["master", "worker", "proxy"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_part_that_is_away_before_the_run(
    place: Path, plain: Store, cluster: Cluster, part: str, how: signal.Signals
) -> None:
    os.kill(parts(cluster)[part], how)
    time.sleep(0.5)

    result = drive(place, "Sums", task=f"before_{part}_{how.name.lower()}")

    assert result.bytes_hot == 0
    assert len(result.warnings) >= 1
    assert contents(plain, result.key.task_id) == contents(plain, "sums")


@pytest.mark.parametrize("read_first", [False, True], ids=["before", "during"])
@pytest.mark.parametrize("part", ["master", "worker"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_part_that_is_away_while_the_job_reads(
    place: Path, plain: Store, cluster: Cluster, how: signal.Signals, part: str, read_first: bool
) -> None:
    teamspark(place, "cache", "warm", f"numbers/numbers.daily/numbers/{RUN}")
    task = f"while_{part}_{how.name}_{read_first}".lower()

    with harmed(place, task, {"HARM": f"{int(how)}:{parts(cluster)[part]}"}, read_first=read_first) as run:
        until_harmed(run, parts(cluster)[part])
        assert run.process.wait(PATIENCE_S) == 0, run.log.read_text()[-3000:]

    assert run.result.verdict == "published"
    assert contents(plain, task) == contents(plain, "sums")


def test_without_the_clients_limits_a_hung_worker_holds_the_job(place: Path, plain: Store, cluster: Cluster) -> None:
    """The witness: what Alluxio's client waits for by itself is longer than what is given to a run above."""
    teamspark(place, "cache", "warm", f"numbers/numbers.daily/numbers/{RUN}")
    worker = parts(cluster)["worker"]

    with harmed(place, "held", {"HARM": f"{int(signal.SIGSTOP)}:{worker}"}, driver=UNLIMITED) as run:
        until_harmed(run, worker)
        with pytest.raises(subprocess.TimeoutExpired):
            run.process.wait(PATIENCE_S)


# The greeting of a connection, 30 s, and its polite end, 45 s, are what a hung worker costs by itself.
PATIENCE_S = 60
DRIVER = ("-m", "framework.driver")
UNLIMITED = (
    "-c",
    "import sys; from framework.cache import settings; settings._CLIENT = {}; "
    "from framework.driver import main; sys.exit(main())",
)


@dataclass(frozen=True, slots=True)
class Harmed:
    """A run that is under way, and does harm to its cache."""

    process: "subprocess.Popen[bytes]"
    log: Path
    told: Path

    @property
    def result(self) -> RunResult:
        return RunResult.parse_json(self.told.read_bytes(), where="HarmedSums")


@contextmanager
def harmed(
    place: Path,
    task: str,
    harm: Mapping[str, str],
    *,
    read_first: bool = False,
    driver: Sequence[str] = DRIVER,
    edge: EdgeRef = UPPER,
) -> Iterator[Harmed]:
    config = config_of(place, "HarmedSums", task, numbers=edge)
    config = config.model_copy(update={"parameters": {"read_first": read_first}})
    asked, told, log = (place / f"{task}.{name}" for name in ("json", "result.json", "log"))
    asked.write_bytes(config.json_bytes())
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *driver, "--config", str(asked), "--result", str(told)],
            cwd=place,
            env={**environment(place), **harm},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Harmed(process, log, told)
    finally:
        end_session(process.pid)
        process.wait()


def until_harmed(run: Harmed, pid: int) -> None:
    """The session's start is not what is asked about."""
    deadline = time.monotonic() + DRIVER_S
    while state(pid) in "RSD":
        assert run.process.poll() is None, run.log.read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def state(pid: int) -> str:
    """One letter, as the kernel has it; X: gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def test_status_says_what_is_wrong(place: Path, cluster: Cluster) -> None:
    assert "well" in teamspark(place, "cache", "status", "--team", "numbers")

    os.kill(parts(cluster)["worker"], signal.SIGKILL)
    time.sleep(0.5)

    assert "worker" in teamspark(place, "cache", "status", "--team", "numbers", code=1)
    teamspark(place, "cache", "down", "--team", "numbers")
    assert "not well" in teamspark(place, "cache", "status", "--team", "numbers", code=1)
