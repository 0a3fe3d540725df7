"""Launching and adopting, against the launcher in memory: what is taken over, what is ended, and what stops."""

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_bindings.admission import Admitted
from airflow_bindings.context import TaskRun
from airflow_bindings.edges import TaskSpec
from airflow_bindings.launching import Beside
from airflow_bindings.link import LinkedTask
from airflow_bindings.phases import Life
from airflow_bindings.settings import Settings
from airflow_bindings.state import LaunchState
from framework.config import ExportedConfig, RunFacts
from framework.diagnosis import Reason
from framework.errors import ClusterUnavailable, RetryableError, Superseded
from framework.identity import Epoch, JobName, RunKey
from framework.launch.base import Executor, Launcher, LaunchRequest, Phase
from framework.launch.memory import MemoryLauncher
from tests.airflow_bindings.platform import Platform

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
INCARNATION = "ab" * 16
BEFORE = LaunchState(INCARNATION).next_launch(KEY, try_number=1, clear_number=0)


class Store:
    """A task state store that keeps one value, or refuses as the server does."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.value: Any = None
        self.refuses = refuses

    def get(self, key: str, default: Any = None) -> Any:
        return self.value or default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        if self.refuses:
            raise LookupError("404: task instance not found")
        self.value = value


@dataclass(frozen=True)
class InMemory(Beside):
    """A site whose launcher starts nothing."""

    memory: MemoryLauncher = field(default_factory=MemoryLauncher)

    @property
    def launcher(self) -> Launcher:
        return self.memory


def _life(state: LaunchState, *, try_number: int = 2, clear_number: int = 0, refuses: bool = False) -> Life:
    facts = RunFacts(run_id="r", run_after=datetime(2013, 1, 1, tzinfo=UTC))
    job = JobName.parse("jobs.flights.delays:Delays")
    told = ExportedConfig(key=KEY, epoch=Epoch("", 0, 0), job=str(job), run=facts, workspace="/")
    admitted = Admitted(TaskRun(KEY, facts, try_number, clear_number), LinkedTask(TaskSpec(job), KEY.task, {}), told)
    task = SimpleNamespace(log=logging.getLogger("test"), killed=False, deferrable=False)
    settings = Settings(
        Path("/"), Path("/"), "python", "tiny", poll_s=0.01, pause_s=0.01, lost_budget=1, short_jobs=True
    )
    return Life(task, {}, settings, admitted, Store(refuses=refuses), InMemory(settings), state)


def _memory(life: Life) -> MemoryLauncher:
    assert isinstance(life.launcher, MemoryLauncher)
    return life.launcher


def _running(life: Life, state: LaunchState, **changes: Any) -> None:
    """A launch that is already there when the try begins."""
    request = LaunchRequest(str(state.name), KEY, state.epoch, state.clear_number, command=(), config=b"{}")
    _memory(life).start(replace(request, **changes))


def test_a_running_launch_of_this_clear_is_adopted(platform: Platform) -> None:
    life = _life(BEFORE)
    _running(life, BEFORE)

    life.adopt_or_launch()

    assert list(_memory(life).requests) == [BEFORE.name]
    assert life.state == BEFORE


@pytest.mark.parametrize(
    ("changes", "clear_number"),
    [
        ({"clear_number": 1}, 0),
        ({}, 1),
        ({"epoch": replace(BEFORE.epoch, incarnation="cd" * 16)}, 0),
        ({"epoch": replace(BEFORE.epoch, try_number=0)}, 0),
    ],
    ids=["its clear number", "my clear number", "incarnation", "try"],
)
def test_what_is_not_mine_to_the_letter_is_ended(
    platform: Platform, changes: dict[str, Any], clear_number: int
) -> None:
    life = _life(BEFORE, clear_number=clear_number)
    _running(life, BEFORE, **changes)

    life.adopt_or_launch()

    assert life.state.launch == 2
    assert life.launcher.status(str(BEFORE.name)).phase is Phase.FAILED
    assert life.launcher.status(str(life.state.name)).phase is Phase.RUNNING


def test_a_failed_launch_is_never_adopted(platform: Platform) -> None:
    life = _life(BEFORE)
    _running(life, BEFORE)
    _memory(life).finish(str(BEFORE.name), 1)

    life.adopt_or_launch()

    assert life.state.launch == 2


def test_a_crash_between_name_and_start_costs_a_number(platform: Platform) -> None:
    life = _life(BEFORE)

    life.adopt_or_launch()

    assert list(_memory(life).requests) == [life.state.name]
    assert (life.state.launch, life.store.get("teamspark")["launch"]) == (2, 2)


def test_a_try_that_the_server_refuses_ends_and_starts_nothing(platform: Platform) -> None:
    life = _life(BEFORE, refuses=True, clear_number=1)
    _running(life, BEFORE)

    with pytest.raises(LookupError):
        life.adopt_or_launch()

    assert life.launcher.status(str(BEFORE.name)).phase is Phase.RUNNING
    assert list(_memory(life).requests) == [BEFORE.name]


def test_an_older_try_never_ends_a_newer_one(platform: Platform) -> None:
    """A worker that was paused right after it wrote its state: meanwhile a newer try has started."""
    newer = replace(BEFORE, launch=7).next_launch(KEY, try_number=5, clear_number=0)
    life = _life(BEFORE, clear_number=1)
    _running(life, newer)

    with pytest.raises(Superseded):
        life.adopt_or_launch()

    assert life.launcher.status(str(newer.name)).phase is Phase.RUNNING
    # Witness: the same launch of an older try is ended.
    again = _life(newer, try_number=6, clear_number=1)
    _running(again, newer)
    again.adopt_or_launch()
    assert again.launcher.status(str(newer.name)).phase is Phase.FAILED


def test_configuration_of_the_former_launch_is_cleared(platform: Platform) -> None:
    life = _life(BEFORE)
    _running(life, BEFORE)
    _memory(life).lose(str(BEFORE.name))

    life.adopt_or_launch()

    assert _memory(life).requests[str(BEFORE.name)].config == b""
    assert _memory(life).requests[str(life.state.name)].config != b""


def test_a_run_waits_for_room_and_starts_when_others_have_ended(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    life = _life(LaunchState.first())
    memory = _memory(life)
    memory.room = 1
    memory.start(LaunchRequest("other", replace(KEY, task_id="other"), BEFORE.epoch, 0, command=(), config=b"{}"))

    with caplog.at_level(logging.INFO):
        waiting = threading.Thread(target=life.launch)
        waiting.start()
        while "waits for room" not in caplog.text:
            time.sleep(0.01)
        memory.finish("other", 0)
        waiting.join(timeout=10)

    assert memory.status(str(life.state.name)).phase is Phase.RUNNING
    assert (life.state.launch, life.state.due) == (1, None)
    assert life.store.get("teamspark")["due"] is None


def test_whoever_is_ended_while_it_waits_for_room_starts_nothing(platform: Platform) -> None:
    life = _life(LaunchState.first())
    memory = _memory(life)
    memory.room = 0
    life.task.killed = True

    with pytest.raises(RetryableError, match="somebody ended this task"), life.cleaned_up():
        life.launch()

    assert memory.requests == {}


SAID = "the executor needed more than its 1Gi of memory"


def executors(count: int) -> list[Executor]:
    """That ended badly, the first three with their words, as a launcher tells them."""
    return [
        Executor(
            f"x-exec-{n}", Phase.FAILED, 137, SAID, Reason.MEMORY, f"last words of {n}\npassword=hunter2".encode() if n < 3 else b"",
            f"kubectl -n flights logs x-exec-{n}",
        )
        for n in range(count)
    ]  # fmt: skip


def test_a_failed_run_ends_with_its_executors_last_words_and_a_verdict(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    life = _life(LaunchState.first())
    life.launch()
    name, memory = str(life.state.name), _memory(life)
    memory.outlived(name, *executors(15), Executor("x-exec", Phase.ABSENT, None, "exceeded quota: team", Reason.QUOTA))
    memory.finish(name, 1, log=b"its log\n")

    with caplog.at_level(logging.INFO), pytest.raises(RetryableError) as stop:
        life.to_the_end()

    assert "| its log" in caplog.text
    for n in range(3):
        assert f"Executor x-exec-{n}: {SAID}, exit code 137; its log: kubectl -n flights logs x-exec-{n}" in caplog.text
        assert f"x-exec-{n} | last words of {n}" in caplog.text
    assert "x-exec-12: " in caplog.text
    assert "x-exec-13: " not in caplog.text
    assert "and 2 more executors that ended badly" in caplog.text
    assert "Executors were not made: exceeded quota: team" in caplog.text
    assert "hunter2" not in caplog.text
    assert str(stop.value).splitlines()[-1].startswith("  next: spark.driver.memory")


def test_a_run_that_succeeded_says_nothing_of_its_executors(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    life = _life(LaunchState.first())
    life.launch()
    name, memory = str(life.state.name), _memory(life)
    memory.outlived(name, *executors(1))
    memory.finish(name, 0)

    with caplog.at_level(logging.INFO):
        seen = life._seen(memory.status(name))
        life._tell(seen)

    assert seen.executors == ()
    assert "x-exec" not in caplog.text


def test_the_end_of_a_log_that_is_too_long_is_told(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    life = _life(LaunchState.first())
    life.launch()
    printed = b"x" * 1023 + b"\n"
    _memory(life).finish(str(life.state.name), 1, log=printed * 2000 + b"the end\n")

    with caplog.at_level(logging.INFO), pytest.raises(RetryableError):
        life.to_the_end()

    assert len(caplog.messages) < 1100
    assert "| the end" in caplog.messages


def test_why_a_run_waits_is_told_once_each_time_it_changes(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    life = _life(LaunchState.first())
    life.launch()
    running = life.launcher.status(str(life.state.name))
    caplog.clear()

    with caplog.at_level(logging.INFO):
        for why in (None, "no node", "no node", "no quota", None, "no quota"):
            life._say_why(replace(running, why=why))

    assert [line.rpartition(": ")[2] for line in caplog.messages] == ["no node", "no quota", "no quota"]


def test_a_cluster_that_is_away_takes_nothing_from_the_runs_own_error(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    class Away(MemoryLauncher):
        def executors(self, name: str) -> tuple[Executor, ...]:
            raise ClusterUnavailable("the cluster does not answer")

    life = _life(LaunchState.first())
    life.site = InMemory(life.settings, Away())
    life.launch()
    _memory(life).finish(str(life.state.name), 134)

    with caplog.at_level(logging.INFO), pytest.raises(RetryableError, match="the JVM of the driver crashed"):
        life.to_the_end()

    assert "Nothing is known of executors: the cluster does not answer" in caplog.text


def test_what_the_first_try_ran_in_is_remembered_until_the_task_is_cleared(platform: Platform) -> None:
    """A node tells it once it has the image; later tries of this clear number keep it, the next clear forgets it."""
    life = _life(LaunchState.first())
    life.launch()
    first, second = (f"registry.example.org/flights/jobs@sha256:{digit * 64}" for digit in "ab")
    for image in (None, first, second):
        _memory(life).finish(str(life.state.name), 1, image=image)
        with pytest.raises(RetryableError):
            life.to_the_end()

    assert isinstance(life.store, Store)
    assert life.store.value["image"] == first
    assert life.state.next_launch(KEY, try_number=3, clear_number=0).image == first
    assert life.state.next_launch(KEY, try_number=3, clear_number=1).image is None
