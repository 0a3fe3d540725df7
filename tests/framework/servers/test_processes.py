"""Ending processes, with everything that they started."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framework.errors import ServerFailed, SetupError
from framework.launch import sessions
from framework.launch.local_runner import started
from framework.servers import processes
from framework.servers.ports import free_ports, is_free
from framework.servers.private import private_folder, write_private

ROOT = Path(__file__).resolve().parents[3]
POLITE = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
# A child in a process group of its own, which outlives its parent.
WITH_CHILD = (
    "import subprocess, sys, time\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], process_group=0)\n"
    "print('up', flush=True); time.sleep(600)"
)

Run = Callable[[str], processes.Started]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    begun: list[processes.Started] = []

    def start(code: str) -> processes.Started:
        log = tmp_path / f"{len(begun)}.log"
        begun.append(processes.start(processes.Program("it", [sys.executable, "-c", code], os.environ, log)))
        while "up" not in begun[-1].log.read_text():
            time.sleep(0.02)
        return begun[-1]

    yield start
    for one in begun:
        processes.end_session(one.session)
        one.process.wait()


@pytest.mark.parametrize(("code", "killed"), [(POLITE, []), (STUBBORN, ["it"]), (WITH_CHILD, [])])
def test_stop_leaves_nobody(run: Run, code: str, killed: list[str]) -> None:
    one = run(code)
    assert sessions.members(one.session)

    found = processes.stop([one], patience_s=1)

    assert found == killed
    assert sessions.members(one.session) == set()


def test_without_the_session_a_child_would_stay(run: Run) -> None:
    one = run(WITH_CHILD)

    one.process.terminate()
    one.process.wait()

    assert len(sessions.members(one.session)) == 1


def test_what_a_crash_left_is_ended_at_the_next_start(run: Run, tmp_path: Path) -> None:
    one, file = run(WITH_CHILD), tmp_path / "processes.json"
    processes.remember(file, [one])
    one.process.send_signal(signal.SIGKILL)
    one.process.wait()

    found = processes.end_leftovers(file)

    assert found == 1
    assert sessions.members(one.session) == set()
    assert not file.exists()


def test_a_process_number_that_now_is_somebody_elses_is_left_alone(run: Run, tmp_path: Path) -> None:
    one, file = run(POLITE), tmp_path / "processes.json"
    file.write_text(json.dumps([[one.session, started(one.session) - 1]]))

    found = processes.end_leftovers(file)

    assert found == 0
    assert one.process.poll() is None


def test_nothing_remembered_is_nothing_to_end(tmp_path: Path) -> None:
    assert processes.end_leftovers(tmp_path / "processes.json") == 0


def test_a_terminal_s_interrupt_does_not_reach_a_component(run: Run) -> None:
    one = run(POLITE)

    assert os.getpgid(one.process.pid) != os.getpgid(0)
    assert isinstance(one.process, subprocess.Popen)


DYING = """
import os, sys
from pathlib import Path
from framework.servers import processes
program = processes.Program("it", [sys.executable, "-c", "import time; time.sleep(600)"], os.environ, Path(sys.argv[1]),
                            dies_with_us=sys.argv[2] == "yes")
print(processes.start(program).session, flush=True)
input()
"""


@pytest.mark.parametrize("dies", [True, False])
def test_a_server_that_dies_with_us_needs_nobody_to_end_it(tmp_path: Path, dies: bool) -> None:
    command = [sys.executable, "-c", DYING, str(tmp_path / "log"), "yes" if dies else "no"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as starter:
        assert starter.stdout is not None
        session = int(starter.stdout.readline())
        assert sessions.members(session)
        starter.kill()

    deadline = time.monotonic() + (10 if dies else 0.5)
    while sessions.members(session) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert bool(sessions.members(session)) is not dies
    processes.end_session(session)


def test_ready_is_when_nobody_is_missing(run: Run) -> None:
    answers = [{"it"}, {"it"}, set[str]()]

    processes.await_ready([run(POLITE)], lambda: answers.pop(0), within_s=5, poll_s=0.01)

    assert answers == []


def test_one_that_ends_before_it_is_ready_is_told_with_its_last_words(run: Run) -> None:
    one = run("print('up', flush=True); print('no port for me'); raise SystemExit(3)")

    with pytest.raises(ServerFailed, match="it ended") as stop:
        processes.await_ready([one], lambda: {"it"}, within_s=30, poll_s=0.01)

    assert "exit code 3" in str(stop.value)
    assert "no port for me" in str(stop.value)


def test_one_that_is_never_ready_is_told_when_its_time_is_up(run: Run) -> None:
    with pytest.raises(ServerFailed, match="port: not ready"):
        processes.await_ready([run(POLITE)], lambda: {"port"}, within_s=0.1, poll_s=0.01)


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="it cannot be started") as stop:
        processes.start(processes.Program("it", ["/no/such/program"], {}, tmp_path / "log"))

    assert "/no/such/program" in str(stop.value)


def test_nothing_of_our_environment_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE_SECRET", "hush")
    code = "import os; print(sorted(n for n in os.environ if n != 'LC_CTYPE'))"

    one = processes.start(processes.Program("it", [sys.executable, "-c", code], {"MINE": "1"}, tmp_path / "log"))
    one.process.wait(30)

    assert one.tail() == ["['MINE']"]


def test_a_state_directory_has_one_owner_and_a_crash_locks_nobody_out(tmp_path: Path) -> None:
    with processes.only_one(tmp_path, "this server"):
        assert processes.in_use(tmp_path)
        with (
            pytest.raises(SetupError, match="this server is already running"),
            processes.only_one(tmp_path, "this server"),
        ):
            pass

    assert processes.lock_of(tmp_path).exists()
    assert not processes.in_use(tmp_path)


def test_ports_are_free_and_so_are_their_twins() -> None:
    found = free_ports(("one", "two", "three"), twin=10_000)

    assert len(set(found.values())) == 3
    assert all(is_free(port) and is_free(port + 10_000) for port in found.values())


def test_a_port_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_a_private_file_was_never_anybody_elses(tmp_path: Path) -> None:
    write_private(tmp_path / "keys", "secret")

    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600
    assert private_folder(tmp_path / "folder").stat().st_mode & 0o777 == 0o700
