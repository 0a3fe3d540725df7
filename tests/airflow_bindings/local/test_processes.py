"""Ending processes, with everything that they started."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_bindings.local import processes
from framework.launch.local_runner import started

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
        begun.append(processes.start("it", [sys.executable, "-c", code], os.environ, tmp_path / f"{len(begun)}.log"))
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
    assert processes.session_members(one.session)

    found = processes.stop([one], patience_s=1)

    assert found == killed
    assert processes.session_members(one.session) == set()


def test_without_the_session_a_child_would_stay(run: Run) -> None:
    one = run(WITH_CHILD)

    one.process.terminate()
    one.process.wait()

    assert len(processes.session_members(one.session)) == 1


def test_what_a_crash_left_is_ended_at_the_next_start(run: Run, tmp_path: Path) -> None:
    one, file = run(WITH_CHILD), tmp_path / "processes.json"
    processes.remember(file, [one])
    one.process.send_signal(signal.SIGKILL)
    one.process.wait()

    found = processes.end_leftovers(file)

    assert found == 1
    assert processes.session_members(one.session) == set()
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
