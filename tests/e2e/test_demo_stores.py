"""The demo on every kind of store: equal outputs, nobody holds a key but who needs it, and nothing is left running."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from airflow_bindings.local.rest import Client, RunId
from framework.hashing import hash_files
from framework.identity import RunKey
from framework.launch import sessions
from framework.schema.spec import SchemaSpec
from framework.servers.sites import HOME, Site, opened
from framework.storage.attempts import published_files
from framework.storage.publish import RunLog
from framework.storage.runs import runs_of, task_keys
from framework.tenancy.load import load_teams
from framework.tenancy.places import StoreKind
from framework.world import World
from tests.servers.node import skip_without_node

pytestmark = [pytest.mark.e2e, pytest.mark.airflow, pytest.mark.spark, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SHARED = ("framework", "jobs", "airflow_bindings", "k8s")
TEAMS = ("flights", "insights")


@dataclass(frozen=True)
class Demo:
    """A demo that published everything: what it said, and what its stores hold."""

    workspace: Path
    said: str
    outputs: dict[str, Any]


@dataclass(frozen=True)
class Kept(Demo):
    """One on S3 that is still up: its site, and every secret of its stores."""

    site: Site
    secrets: tuple[str, ...]
    pid: int


def furnished(workspace: Path) -> Path:
    """A workspace with this repository's code and team files, and nothing of what was run here."""
    for room in SHARED:
        (workspace / room).symlink_to(ROOT / room)
    return workspace


def environment() -> dict[str, str]:
    # The keys of whoever starts it are nobody's business.
    mine = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "my-own-secret"}
    return {**os.environ, **mine, "PYTHONPATH": str(ROOT), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def start(workspace: Path, *arguments: str) -> "subprocess.Popen[str]":
    code = "import sys; sys.argv[0] = 'teamspark'; from framework.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, "--workspace", str(workspace), *arguments],
        cwd=workspace,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def demo(workspace: Path, kind: StoreKind, *more: str) -> Demo:
    with start(workspace, "demo", "--days", "1", "--store", kind, *more) as run:
        said, _ = run.communicate(timeout=900)
    assert run.returncode == 0, said[-4000:]
    assert working_in(workspace) == {}
    return Demo(workspace, said, outputs_of(workspace, kind))


def outputs_of(workspace: Path, kind: StoreKind) -> dict[str, Any]:
    with opened(kind, workspace, load_teams(workspace)) as site:
        return dict(_outputs(World.of(workspace, site.team_files, keys=site.keys)))


def _outputs(world: World) -> Iterator[tuple[str, Any]]:
    for team in TEAMS:
        store = world.store(team)
        for task in task_keys(store, team):
            for run in runs_of(store, task):
                published = RunLog(store, RunKey(team, task.dag_id, task.task_id, run)).newest()
                assert published is not None
                for entry in published.manifest.outputs:
                    files = published_files(store, published, entry.name)
                    content = hash_files(files, SchemaSpec.from_json(entry.schema_))
                    facts = (entry.rows, entry.schema_, dict(entry.checks), dict(entry.dropped), content)
                    yield f"{published.key}/{entry.name}", facts


def working_in(workspace: Path) -> dict[int, str]:
    """Living processes that were started for this workspace: they work below it."""
    found = {}
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and (process / "cwd").readlink().is_relative_to(workspace):
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")[:200]
    return found


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, kept: Kept) -> Callable[[StoreKind], Demo]:
    """The demo on a kind of store, run once."""
    workspace = furnished(tmp_path_factory.mktemp("workspace"))
    return cache(lambda kind: kept if kind == StoreKind.s3 else demo(workspace, kind))


@pytest.mark.parametrize("kind", [StoreKind.efs, StoreKind.s3])
def test_every_store_gets_equal_outputs(published: Callable[[StoreKind], Demo], kind: StoreKind) -> None:
    here, there = published(StoreKind.directory), published(kind)

    assert len(here.outputs) == 6
    assert there.outputs == here.outputs


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """A folder with a short path on a disk: a node has sockets and images below it."""
    skip_without_node()
    home = Path(mkdtemp(prefix="demo-", dir="/var/tmp"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


def test_as_pods_of_a_cluster_the_outputs_are_the_same(on_disk: Path, published: Callable[[StoreKind], Demo]) -> None:
    """Of two tenants on a real node: quotas, policies, roles of a store, and their caches."""
    workspace = furnished(on_disk)
    (workspace / "locks").symlink_to(ROOT / "locks")

    pods = demo(workspace, StoreKind.s3, "--cluster", "--cache", "alluxio")

    assert pods.outputs == published(StoreKind.directory).outputs
    assert "pods of its own namespace" in pods.said


@pytest.mark.long  # the demo as pods is through caches, too
@pytest.mark.parametrize("kind", [StoreKind.efs, StoreKind.s3])
def test_through_a_cache_the_outputs_are_the_same_and_inputs_are_hot(
    tmp_path: Path, published: Callable[[StoreKind], Demo], kind: StoreKind
) -> None:
    plain = published(StoreKind.directory)

    cached = demo(furnished(tmp_path), kind, "--cache", "alluxio")

    assert cached.outputs == plain.outputs
    told = rows(cached.said)
    assert len(told) == 5
    assert [row for row in told if row["hot"] != "0 B"] != []
    assert all(not (tmp_path / ".teamspark/cache" / team / "cluster.json").exists() for team in TEAMS)
    # The witness: without one there is nothing that could be hot.
    assert not any("hot" in row for row in rows(plain.said))


def rows(said: str) -> list[dict[str, str]]:
    """The table of the outputs, by the names of its columns, which two blanks keep apart."""
    lines = said.splitlines()
    (head,) = (
        number for number, line in enumerate(lines) if line.startswith("team ") and line.rstrip().endswith("path")
    )
    names = re.split(r"\s{2,}", lines[head].strip())
    found = (re.split(r"\s{2,}", line.strip()) for line in lines[head + 1 :])
    return [dict(zip(names, cells, strict=True)) for cells in found if len(cells) == len(names) and cells[0] in TEAMS]


@pytest.mark.parametrize("kind", list(StoreKind))
def test_the_commands_that_it_prints_work_as_printed(published: Callable[[StoreKind], Demo], kind: StoreKind) -> None:
    printed = re.findall(r"^  (teamspark .*outputs .*)$", published(kind).said, re.MULTILINE)

    assert len(printed) == 2
    for line in printed:
        done = subprocess.run(
            shlex.split(line), cwd=published(kind).workspace, env=environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "20130101T000000Z" in done.stdout


def test_modes_of_a_mounted_file_system_are_the_team_files(published: Callable[[StoreKind], Demo]) -> None:
    root = published(StoreKind.efs).workspace / HOME / "efs/root"

    files = [path for path in root.rglob("*.parquet") if not path.name.startswith(".")]

    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o640}
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_dir()} == {0o750}


def _wait_for(run: "subprocess.Popen[str]", text: str) -> str:
    assert run.stdout is not None
    said = ""
    for line in run.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"it ended without {text!r}:\n{said[-4000:]}")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A demo on S3 that stays up, and is interrupted in the end."""
    workspace = furnished(tmp_path_factory.mktemp("kept"))
    with start(workspace, "demo", "--days", "1", "--store", "s3", "--keep") as run:
        try:
            said = _wait_for(run, "Ctrl-C stops it")
            with opened(StoreKind.s3, workspace, load_teams(workspace)) as site:
                assert site.server is None, "the demo's own server is used"
                config = json.loads((workspace / HOME / "s3/server/s3.json").read_text())
                secrets = tuple(one["credentials"][0]["secretKey"] for one in config["identities"])
                yield Kept(workspace, said, outputs_of(workspace, StoreKind.s3), site, secrets, run.pid)
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=120)
        finally:
            run.kill()
    assert run.returncode == 128 + signal.SIGINT
    assert working_in(workspace) == {}


def airflow_processes(workspace: Path) -> set[int]:
    leaders = json.loads((workspace / ".teamspark/demo/s3/airflow/processes.json").read_text())
    return {pid for leader, _ in leaders for pid in sessions.members(leader)}


def remembers(pid: int, secrets: Iterable[str]) -> set[str]:
    """Which of ``secrets`` are anywhere in what a process has written into its memory; its environment is in there too."""
    found = set[str]()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            begin, end = (int(part, 16) for part in span.split("-"))
            if not rights.startswith("rw"):
                continue
            memory.seek(begin)
            with suppress(OSError):  # a part that is not really there
                data = memory.read(end - begin)
                found |= {secret for secret in secrets if secret.encode() in data}
    return found


def test_no_process_of_airflow_has_ever_seen_a_key(kept: Kept) -> None:
    processes = airflow_processes(kept.workspace)
    secrets = (*kept.secrets, "my-own-secret")

    seen = {pid: remembers(pid, secrets) for pid in processes}

    assert len(processes) >= 4
    assert {pid: found for pid, found in seen.items() if found} == {}
    # Witness: who made the keys, and was started with others, remembers them all.
    assert remembers(kept.pid, secrets) == set(secrets)


def test_no_secret_is_written_where_it_does_not_belong(kept: Kept) -> None:
    belongs = {kept.workspace / HOME / "s3" / name for name in ("server/s3.json", "onlooker.json")}
    belongs |= {kept.workspace / HOME / f"s3/credentials/{team}.json" for team in TEAMS}
    files = [path for path in (kept.workspace / ".teamspark").rglob("*") if path.is_file() and not path.is_symlink()]
    told = {path for path in files if any(secret.encode() in path.read_bytes() for secret in kept.secrets)}

    assert told == belongs
    assert [path for path in told if path.stat().st_mode & 0o77] == []
    assert [secret for secret in kept.secrets if secret in kept.said] == []
    assert any("airflow.db" in path.name for path in files)


def test_xcom_and_logs_hold_coordinates_only(kept: Kept) -> None:
    home = kept.workspace / ".teamspark/demo/s3/airflow"
    port = json.loads((home / "kept.json").read_text())["port"]
    password = json.loads((home / "passwords.json").read_text())["flights"]
    client = Client(f"http://127.0.0.1:{port}", "flights", password)
    runs = client.call("GET", "/api/v2/dags/flights.daily/dagRuns").body["dag_runs"]
    run = RunId("flights.daily", runs[0]["dag_run_id"])

    told = json.dumps([client.xcom(run, one["task_id"]) for one in client.task_instances(run)])

    assert "flights.daily" in told
    assert [secret for secret in kept.secrets if secret in told] == []


def test_one_teams_key_does_not_open_the_others_bucket(kept: Kept) -> None:
    from framework.errors import SetupError
    from framework.storage.keys import Keys

    def world(team: str) -> World:
        found = kept.site.environment(team)
        keys = Keys(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        return World.of(kept.workspace, kept.site.team_files, keys=keys)

    mine, other = world("insights").store("flights"), world("flights").store("flights")
    granted, private = "/flights/flights.daily/ingest", "/flights/flights.daily/delays_by_carrier"

    assert mine.list(granted) == other.list(granted) != ()
    with pytest.raises(SetupError, match="denies access"):
        mine.list(private)
    with pytest.raises(SetupError, match="denies access"):
        mine.put_if_absent(f"{granted}/x", b"forged")
    # Witness: nothing but the identity is in the way.
    assert other.list(private) != ()
    other.put_if_absent(f"{granted}/x", b"own")


def test_a_store_that_dies_under_the_demo_is_told_soon(tmp_path: Path) -> None:
    furnished(tmp_path)
    with start(tmp_path, "demo", "--days", "1", "--store", "s3") as run:
        _wait_for(run, "flights.daily 2013-01-01: started")
        ((server, _),) = json.loads((tmp_path / HOME / "s3/server/processes.json").read_text())
        time.sleep(5)
        os.kill(server, signal.SIGKILL)
        killed = time.monotonic()
        said, _ = run.communicate(timeout=120)

    assert time.monotonic() - killed < 60
    assert run.returncode == 74, said
    assert "the S3 server ended" in said
    assert str(tmp_path / HOME / "s3/server/log") in said
    assert "Traceback" not in said
    assert working_in(tmp_path) == {}


@pytest.mark.parametrize("moment", ["unpacked now", "2013-01-01: started"])
def test_an_interrupt_at_any_moment_leaves_no_process(tmp_path: Path, moment: str) -> None:
    furnished(tmp_path)
    with start(tmp_path, "demo", "--days", "1", "--store", "s3") as run:
        _wait_for(run, moment)
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=120)

    assert run.returncode == 130, said
    assert "Traceback" not in said
    assert working_in(tmp_path) == {}
