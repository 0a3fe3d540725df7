"""What every launcher promises, asked of the one in memory, of real processes, and of pods on a real node."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from framework.errors import ConfigError
from framework.identity import Epoch, RunKey
from framework.launch.base import CONFIG, RESULT, Launcher, LaunchRequest, Phase, Status
from framework.launch.local import LocalLauncher
from framework.launch.memory import MemoryLauncher

if TYPE_CHECKING:
    from k8s.client import Place
    from tests.servers.node import RealNode

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
EPOCH = Epoch("1f" * 8, try_number=1, launch=1)
PATIENCE_S = 60.0
# Whether a trace is left of what was killed or lost is the machine's; either way it is neither adopted nor waited for.
ENDED = (Phase.FAILED, Phase.ABSENT)
GONE = (Phase.LOST, Phase.ABSENT)

# Says what it read, then waits for orders: {"exit": n, "result": text or null}.
PROGRAM = """
import json, os, sys, time
orders, config, result = sys.argv[1:4]
print("read", open(config).read(), flush=True)
while not os.path.exists(orders): time.sleep(0.02)
told = json.load(open(orders))
if told["result"] is not None: open(result, "w").write(told["result"])
sys.exit(told["exit"])
"""


class Rig(Protocol):
    launcher: Launcher

    def request(self, name: str) -> LaunchRequest: ...
    def finish(self, name: str, exit_code: int, result: bytes | None) -> None: ...
    def lose(self, name: str) -> None: ...


class MemoryRig:
    def __init__(self) -> None:
        self.memory = MemoryLauncher()
        self.launcher: Launcher = self.memory

    def request(self, name: str) -> LaunchRequest:
        return LaunchRequest(name, KEY, EPOCH, 0, command=("none", CONFIG, RESULT), config=b"{}")

    def finish(self, name: str, exit_code: int, result: bytes | None) -> None:
        self.memory.finish(name, exit_code, result=result, log=b"read {}\n")

    def lose(self, name: str) -> None:
        self.memory.lose(name)


class LocalRig:
    def __init__(self, place: Path) -> None:
        self.place = place
        self.launcher: Launcher = LocalLauncher(place / "state")

    def request(self, name: str) -> LaunchRequest:
        command = (sys.executable, "-I", "-S", "-c", PROGRAM, str(self.place / name), CONFIG, RESULT)
        return LaunchRequest(name, KEY, EPOCH, 0, command=command, config=b"{}", directory=self.place)

    def finish(self, name: str, exit_code: int, result: bytes | None) -> None:
        orders = {"exit": exit_code, "result": result.decode() if result is not None else None}
        aside = self.place / f"{name}.tmp"
        aside.write_text(json.dumps(orders))
        aside.rename(self.place / name)

    def lose(self, name: str) -> None:
        for pid in _session(self.place / "state" / "runs" / name):
            os.kill(pid, signal.SIGKILL)


class KubernetesRig:
    """On a real node: orders reach the pod's own folder from outside."""

    def __init__(self, node: "RealNode") -> None:
        from k8s.launch.launcher import KubernetesLauncher

        self.node = node
        self.launcher: Launcher = KubernetesLauncher(node.launcher("flights"), "flights")

    def request(self, name: str) -> LaunchRequest:
        command = ("python3", "-I", "-S", "-c", PROGRAM, f"/tmp/{name}", CONFIG, RESULT)
        return LaunchRequest(name, KEY, EPOCH, 0, command=command, config=b"{}", resources=self.node.resources())

    def finish(self, name: str, exit_code: int, result: bytes | None) -> None:
        _until(lambda: self.launcher.status(name).phase is Phase.RUNNING)
        orders = {"exit": exit_code, "result": result.decode() if result is not None else None}
        folder = self.node.scratch(self._pod(name)["metadata"]["uid"])
        (folder / f"{name}.tmp").write_text(json.dumps(orders))
        (folder / f"{name}.tmp").rename(folder / name)

    def lose(self, name: str) -> None:
        _until(lambda: self.launcher.status(name).phase is Phase.RUNNING)
        self.node.admin.delete(self._place(name), grace_s=0)

    def _pod(self, name: str) -> dict[str, Any]:
        found = self.node.admin.get(self._place(name))
        assert found is not None
        return found

    def _place(self, name: str) -> "Place":
        from k8s.client import Place

        return Place("v1", "Pod", "flights", name)


def _session(home: Path) -> set[int]:
    from framework.launch.local import _members

    _until(lambda: len(_members(home)) >= 2)
    return _members(home)


@pytest.fixture(
    params=["memory", "local", pytest.param("kubernetes", marks=[pytest.mark.e2e, pytest.mark.timeout(600)])]
)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made: Rig
    match request.param:
        case "memory":
            made = MemoryRig()
        case "local":
            made = LocalRig(tmp_path)
        case _:
            made = KubernetesRig(request.getfixturevalue("node"))
    yield made
    for status in made.launcher.unfinished(KEY):
        made.launcher.kill(status.name)
    if isinstance(made, KubernetesRig):
        made.node.empty("flights")  # a name is used once in a cluster's life, and here in each test


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _ended(launcher: Launcher, name: str) -> Status:
    _until(lambda: launcher.status(name).phase not in (Phase.PENDING, Phase.RUNNING))
    return launcher.status(name)


def test_a_name_never_started_is_absent(rig: Rig) -> None:
    assert rig.launcher.status("nobody") == Status("nobody", Phase.ABSENT)


def test_a_started_launch_runs_and_tells_whose_it_is(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))

    _until(lambda: rig.launcher.status("one").phase is Phase.RUNNING)

    assert rig.launcher.status("one") == Status("one", Phase.RUNNING, KEY, EPOCH, 0)


@pytest.mark.parametrize(("exit_code", "phase"), [(0, Phase.SUCCEEDED), (65, Phase.FAILED), (75, Phase.FAILED)])
def test_an_ended_launch_keeps_its_exit_code_and_result(rig: Rig, exit_code: int, phase: Phase) -> None:
    rig.launcher.start(rig.request("one"))

    rig.finish("one", exit_code, b"the result")

    assert _ended(rig.launcher, "one") == Status("one", phase, KEY, EPOCH, 0, exit_code, b"the result")


def test_an_ended_launch_without_a_result_has_none(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))

    rig.finish("one", 1, None)

    assert _ended(rig.launcher, "one").result is None


def test_a_launch_whose_processes_vanish_is_lost(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))

    rig.lose("one")

    assert _ended(rig.launcher, "one").phase in GONE


def test_unfinished_finds_the_launches_of_this_run_key_only(rig: Rig) -> None:
    other = replace(KEY, map_index=3)
    rig.launcher.start(rig.request("one"))
    rig.launcher.start(rig.request("two"))
    rig.launcher.start(replace(rig.request("foreign"), key=other))
    rig.finish("two", 0, None)
    _ended(rig.launcher, "two")

    found = [status.name for status in rig.launcher.unfinished(KEY)]

    assert found == ["one"]
    rig.launcher.kill("foreign")


def test_kill_returns_when_the_launch_is_gone(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))
    _until(lambda: rig.launcher.status("one").phase is Phase.RUNNING)

    rig.launcher.kill("one")

    assert rig.launcher.status("one").phase in ENDED
    assert rig.launcher.unfinished(KEY) == ()


def test_kill_right_after_start_leaves_nothing_behind(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))

    rig.launcher.kill("one")

    assert rig.launcher.status("one").phase in ENDED


def test_kill_of_an_ended_or_absent_launch_changes_nothing(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))
    rig.finish("one", 0, b"kept")
    before = _ended(rig.launcher, "one")

    rig.launcher.kill("one")
    rig.launcher.kill("nobody")

    assert rig.launcher.status("one") == before


def test_starting_the_same_request_again_does_nothing(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))
    rig.finish("one", 3, None)
    before = _ended(rig.launcher, "one")

    rig.launcher.start(rig.request("one"))

    assert rig.launcher.status("one") == before


def test_a_name_taken_by_another_run_is_refused(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))

    with pytest.raises(ConfigError, match="taken"):
        rig.launcher.start(replace(rig.request("one"), epoch=replace(EPOCH, launch=2)))


def test_clear_keeps_log_and_result(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))
    rig.finish("one", 0, b"kept")
    _ended(rig.launcher, "one")

    rig.launcher.clear("one")
    rig.launcher.clear("nobody")

    assert rig.launcher.status("one").result == b"kept"
    assert rig.launcher.log("one") == b"read {}\n"


def test_the_log_is_read_in_pieces(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))
    rig.finish("one", 0, None)
    _ended(rig.launcher, "one")

    pieces = [rig.launcher.log("one", limit=4), rig.launcher.log("one", offset=4), rig.launcher.log("nobody")]

    assert pieces == [b"read", b" {}\n", b""]


def test_the_end_of_the_log_is_read_from_its_end(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))
    rig.finish("one", 0, None)
    _ended(rig.launcher, "one")

    pieces = [rig.launcher.log("one", offset=-3), rig.launcher.log("one", offset=-4, limit=2)]

    assert pieces == [b"{}\n", b" {"]
    assert rig.launcher.log("one", offset=-1000) == b"read {}\n"
    assert rig.launcher.log("nobody", offset=-3) == b""


def test_a_launch_that_started_nothing_elsewhere_has_no_executors(rig: Rig) -> None:
    rig.launcher.start(rig.request("one"))
    rig.finish("one", 1, None)
    _ended(rig.launcher, "one")

    assert rig.launcher.executors("one") == ()
    assert rig.launcher.executors("nobody") == ()
