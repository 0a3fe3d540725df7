"""Finding the Airflow that another process keeps: only one that is really kept, and only with our teams."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_bindings.local.attach import findable, kept
from airflow_bindings.local.secrets import load_or_make
from airflow_bindings.local.settings import AirflowStack, TeamBundle
from airflow_bindings.local.supervisor import Running
from framework.errors import SetupError
from framework.servers.processes import lock_of

HOLD = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); time.sleep(60)"


def stack(home: Path, *teams: str, port: int = 1, **extra: str) -> AirflowStack:
    return AirflowStack(home, tuple(TeamBundle(team, home) for team in teams), port, extra=extra)


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Another process runs the stack with this home."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(lock_of(home))], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        yield
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def live(one: AirflowStack) -> Running:
    return Running(one, load_or_make(one.home, one.users), (), datetime.now(UTC))


def test_where_nothing_runs_nothing_is_found(tmp_path: Path) -> None:
    assert kept(stack(tmp_path, "flights")) is None


def test_a_kept_airflow_is_found_with_its_port_and_passwords(tmp_path: Path) -> None:
    theirs = live(stack(tmp_path, "flights", port=4321))

    with held(tmp_path), findable(theirs):
        found = kept(stack(tmp_path, "flights"))

    assert found is not None
    assert (found.stack.port, found.secrets, found.kept_by_other) == (4321, theirs.secrets, True)


def test_what_a_crash_left_is_not_taken_for_an_airflow(tmp_path: Path) -> None:
    with findable(live(stack(tmp_path, "flights"))):
        with held(tmp_path):
            pass
        assert kept(stack(tmp_path, "flights")) is None


def test_one_that_is_not_there_yet_is_said(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(SetupError, match="starting, or runs the demo"):
        kept(stack(tmp_path, "flights"))


def test_one_that_does_not_know_a_new_team_is_said(tmp_path: Path) -> None:
    with (
        held(tmp_path),
        findable(live(stack(tmp_path, "flights"))),
        pytest.raises(SetupError, match="it knows the teams flights"),
    ):
        kept(stack(tmp_path, "flights", "insights"))


def test_one_that_runs_with_other_team_files_is_said(tmp_path: Path) -> None:
    theirs = live(stack(tmp_path, "flights", port=4321, TEAM_FILES="/theirs", SAME="1"))

    with held(tmp_path), findable(theirs):
        with pytest.raises(SetupError, match="other settings") as stop:
            kept(stack(tmp_path, "flights", TEAM_FILES="/mine", SAME="1"))
        # Witness: the same settings are the same Airflow.
        assert kept(stack(tmp_path, "flights", TEAM_FILES="/theirs", SAME="1")) is not None

    assert stop.value.details == ("TEAM_FILES: /theirs, not /mine",)
