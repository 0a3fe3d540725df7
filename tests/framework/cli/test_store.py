"""``teamspark store exec``: a command beside a store of this machine; and team files that are elsewhere."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from framework.launch import sessions
from framework.servers import processes, seaweed
from framework.servers.sites import HOME
from tests.framework.cli.conftest import TEAM_FILE, Teamspark

ROOT = Path(__file__).resolve().parents[3]
MAIN = (sys.executable, "-c", "from framework.cli import main; main()")
PUT = """
import os, sys
from pathlib import Path
from framework.world import World
team = sys.argv[1]
store = World.of(Path.cwd(), Path(os.environ["TEAMSPARK_TEAM_FILES"])).store(team)
store.put_if_absent(f"/{team}/{team}.daily/x", b"1")
print(store.kind, store.root)
"""


def program(workspace: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*MAIN, "--workspace", str(workspace), *arguments], cwd=workspace, capture_output=True, text=True, env=env
    )


def test_a_command_finds_the_stores_of_this_machine(workspace: Path, team: str) -> None:
    done = program(workspace, "store", "exec", "efs", "--", sys.executable, "-c", PUT, team)

    assert (done.returncode, done.stdout) == (0, f"efs {workspace / HOME / 'efs/root'}\n")
    assert workspace.joinpath(HOME, "efs", "root", team, f"{team}.daily", "x").read_bytes() == b"1"
    inside = program(workspace, "store", "exec", "efs", "--", *MAIN, "outputs", "ls", team)
    assert inside.stdout.startswith(f"nothing published below {workspace / HOME / 'efs/root'}")


def test_the_commands_exit_code_is_told(workspace: Path) -> None:
    ended = program(workspace, "store", "exec", "directory", "--", "sh", "-c", "exit 7")
    killed = program(workspace, "store", "exec", "directory", "--", "sh", "-c", "kill -KILL $$")
    unknown = program(workspace, "store", "exec", "directory", "--", "no-such-command")

    assert (ended.returncode, killed.returncode, unknown.returncode) == (7, 128 + 9, 64)
    assert "this command cannot be run" in unknown.stderr


def test_as_a_team_it_writes_and_as_an_onlooker_it_does_not(workspace: Path, team: str) -> None:
    allowed = program(workspace, "store", "exec", "--team", team, "s3", "--", sys.executable, "-c", PUT, team)
    denied = program(workspace, "store", "exec", "s3", "--", sys.executable, "-c", PUT, team)

    assert (allowed.returncode, allowed.stdout) == (0, f"s3 s3://{team}-data\n")
    assert "the store denies access" in denied.stderr


@pytest.mark.parametrize(
    ("number", "moment"), [(signal.SIGINT, "running"), (signal.SIGKILL, "running"), (signal.SIGTERM, "starting")]
)
def test_whatever_ends_it_leaves_no_server(workspace: Path, number: signal.Signals, moment: str) -> None:
    server = workspace / HOME / "s3/server"
    command = [*MAIN, "--workspace", str(workspace), "store", "exec", "s3", "--", "sh", "-c", "echo up; exec sleep 600"]
    with subprocess.Popen(
        command,
        cwd=workspace,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        if moment == "running":
            assert shell.stdout.readline() == b"up\n"
        deadline = time.monotonic() + 60
        while not (server / "processes.json").is_file():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        ((session, _),) = json_of(server / "processes.json")
        assert sessions.members(session)

        shell.send_signal(number)
        shell.wait(60)
        processes.end_session(shell.pid)  # the command itself, which a SIGKILL leaves

    deadline = time.monotonic() + 10
    while sessions.members(session) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sessions.members(session) == set()
    assert shell.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert (server / "s3.json").exists() is (number == signal.SIGKILL)
    seaweed._end_former(server)  # as the next start does: whoever is killed cannot tidy up
    assert not any(map(Path.exists, seaweed._sockets(seaweed._remembered_ports(server))))


def json_of(file: Path) -> list[list[int]]:
    import json

    found: list[list[int]] = json.loads(file.read_text())
    return found


def test_team_files_may_be_elsewhere(teamspark: Teamspark, workspace: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "bakers.yaml").write_text(TEAM_FILE.format(team="bakers"))

    told = teamspark("--team-files", mounted, "outputs", "ls")

    assert told.stdout == "nothing published below the stores of bakers\n"


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_a_folder_without_team_files_is_told(teamspark: Teamspark, tmp_path: Path, place: str) -> None:
    told = teamspark("--team-files", tmp_path / place, "outputs", "ls")

    assert told.exit_code == 64
    assert "no team files here" in told.output


def test_the_printed_command_is_one_that_a_shell_takes(workspace: Path) -> None:
    from airflow_bindings.local.workspace import Premises
    from framework.servers.sites import Site
    from framework.tenancy.load import load_teams
    from framework.tenancy.places import StoreKind

    place = Premises(workspace, load_teams(workspace), Site(StoreKind.efs, workspace))

    assert shlex.split(place.command("outputs ls")) == [
        "teamspark",
        "store",
        "exec",
        "efs",
        "--",
        "teamspark",
        "outputs",
        "ls",
    ]


SSH = """\
#!/bin/sh
# Stands for another machine: what ssh is given as a command is run here.
[ "$3" = away ] && {{ echo "no route to $3" >&2; exit 255; }}
for last; do :; done
eval "exec {main} ${{last#teamspark}}"
"""


@pytest.fixture
def two_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``ssh`` that reaches this machine, whatever it is called; but not one that is called away."""
    ssh = tmp_path / "bin/ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH.format(main=shlex.join(MAIN).replace('"', '\\"')))
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")


def test_a_store_is_asked_by_two_machines(workspace: Path, team: str, two_machines: None) -> None:
    alone = program(workspace, "store", "selftest", team)
    both = program(workspace, "store", "selftest", team, "--peer", "other")

    assert (alone.returncode, both.returncode) == (0, 0), both.stderr
    assert alone.stdout.count("\n") == 1
    assert "of racing writers of both machines one wins" in both.stdout
    assert "on other" in both.stdout


def test_a_machine_that_cannot_be_reached_is_told_at_once(workspace: Path, team: str, two_machines: None) -> None:
    began = time.monotonic()

    done = program(workspace, "store", "selftest", team, "--peer", "away")

    assert done.returncode == 74
    assert "no route to away" in done.stderr
    assert "the other machine does not come" in done.stderr
    assert time.monotonic() - began < 60


def test_the_rules_of_a_bucket_are_printed(teamspark: Teamspark, workspace: Path, team: str) -> None:
    bucket = f"team: {team}\nowners: [a@example.org]\nstore: {{kind: s3, bucket: lake, prefix: a/b}}\n"
    (workspace / f"k8s/teams/{team}.yaml").write_text(bucket)

    done = teamspark("store", "rules", team)

    (rule,) = json.loads(done.stdout)["Rules"]
    assert rule["Filter"] == {"Prefix": f"a/b/{team}/"}
    assert "put-bucket-lifecycle-configuration --bucket lake" in done.stderr


def test_only_buckets_have_rules(teamspark: Teamspark, team: str) -> None:
    told = teamspark("store", "rules", team)

    assert told.exit_code == 64
    assert "only buckets have life-cycle rules" in told.stderr
