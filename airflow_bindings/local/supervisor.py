"""Starts a local Airflow, waits until it is ready, and stops it leaving nothing behind.

Not ``airflow standalone``: on SIGTERM that leaves its children running, and it starts no triggerer of a team.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from airflow_bindings.local.errors import AirflowRefused, AirflowUnavailable
from airflow_bindings.local.rest import Client
from airflow_bindings.local.secrets import Secrets, load_or_make
from airflow_bindings.local.settings import ADMIN, AirflowStack, connections, environment
from framework.errors import ServerFailed
from framework.launch.local import LocalLauncher
from framework.servers import processes

Say = Callable[[str], None]
READY_S: Final = 180.0
STOP_S: Final = 12.0
POLL_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Component:
    """One process of the stack. ``health`` is its name in Airflow's health report, None when it has none."""

    name: str
    arguments: tuple[str, ...]
    health: str | None
    connections: bool = False


def components(stack: AirflowStack) -> tuple[Component, ...]:
    """What has to run, in the order of stopping: the API server last, for the others still talk to it."""
    # Task logs are read from files; the log servers would need ports of their own.
    triggerers = tuple(
        Component(f"triggerer-{team}", ("triggerer", "--skip-serve-logs", "--team-name", team), "triggerer")
        for team in stack.teams
        if stack.triggerers
    )
    return (
        Component("scheduler", ("scheduler", "--skip-serve-logs"), "scheduler"),
        Component("dag-processor", ("dag-processor",), "dag_processor"),
        *triggerers,
        Component("api-server", ("api-server",), None, connections=True),
    )


@dataclass(frozen=True, slots=True)
class Running:
    """A stack that is up. ``since`` is when its components were started.

    ``kept_by_other``: another process started them and stops them, and they are not ``parts``. ``beside``: what it needs
    besides, which somebody else stops.
    """

    stack: AirflowStack
    secrets: Secrets
    parts: tuple[processes.Started, ...]
    since: datetime
    kept_by_other: bool = False
    beside: tuple[processes.Started, ...] = ()

    def client(self, user: str) -> Client:
        """REST as ``user``: a team's name, or ``admin``."""
        return Client(self.stack.url, user, self.secrets.passwords[user])

    def check(self) -> None:
        """Raises: ServerFailed when a component, or what is beside, has ended, with the end of its log."""
        for part in (*self.beside, *self.parts):
            part.check()


@contextmanager
def running(stack: AirflowStack, *, launches: Path | None = None, say: Say = print) -> Iterator[Running]:
    """The stack, ready to be used; stopped when the block is left, however it is left.

    ``launches`` is the state directory of runs that its tasks start detached; those still running are ended too.
    Raises: SetupError when this home is in use; ServerFailed when a component ends or is not ready in time.
    """
    stack.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with processes.only_one(stack.home, "this Airflow"):
        if found := processes.end_leftovers(_memory(stack)):
            say(f"ended {found} component(s) that an earlier run had to leave")
        end_launches(launches)
        parts: list[processes.Started] = []
        try:
            live = _start(stack, parts, say)
            _wait_ready(live, say)
            yield live
        finally:
            # Whoever listens may be gone (a closed terminal, a pipe): nothing is said before all is stopped.
            _stop(parts)
            _memory(stack).unlink(missing_ok=True)
            end_launches(launches)
        say("Airflow is stopped")


def _memory(stack: AirflowStack) -> Path:
    return stack.home / "processes.json"


def _start(stack: AirflowStack, parts: list[processes.Started], say: Say) -> Running:
    """Start every component, adding it to ``parts`` at once: whatever happens next, the caller can stop it."""
    secrets = load_or_make(stack.home, stack.users)
    variables = environment(stack, secrets, os.environ)
    _prepare(stack, variables, say)
    since = datetime.now(UTC)
    for component in components(stack):
        extra = connections(stack) if component.connections else {}
        command = [sys.executable, "-m", "airflow", *component.arguments]
        log = _logs(stack) / f"{component.name}.log"
        program = processes.Program(f"Airflow's {component.name}", command, {**variables, **extra}, log)
        parts.append(processes.start(program))
        processes.remember(_memory(stack), parts)
    return Running(stack, secrets, tuple(parts), since)


def _prepare(stack: AirflowStack, variables: dict[str, str], say: Say) -> None:
    say("preparing Airflow's database")
    command = [sys.executable, "-m", "airflow_bindings.local.prepare"]
    part = processes.start(processes.Program("prepare", command, variables, _logs(stack) / "prepare.log"))
    try:
        code = part.process.wait(READY_S)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        processes.end_session(part.session)
        part.process.wait()
    if code != 0:
        raise ServerFailed(
            "Airflow's database could not be prepared", got=code, details=part.tail(), next_step=f"read {part.log}"
        )


def _logs(stack: AirflowStack) -> Path:
    return stack.home / "processes"


def _wait_ready(live: Running, say: Say) -> None:
    wanted = {part.health for part in components(live.stack) if part.health}
    say("starting Airflow")
    processes.await_ready(live.parts, lambda: wanted - _healthy(live), within_s=READY_S, poll_s=POLL_S)
    say(f"Airflow is ready: {live.stack.url}")


def _healthy(live: Running) -> set[str]:
    """Components with a heartbeat since the start: the report calls one that died 30 s ago healthy.

    The login shows that the answer is from our own Airflow, not from another that has the port.
    """
    client = live.client(ADMIN)
    try:
        client.login()
        client.warm_up()
        report = client.health()
    except (AirflowUnavailable, AirflowRefused):
        return set()
    beats = {name: entry.get(f"latest_{name}_heartbeat") for name, entry in report.items() if entry}
    return {name for name, beat in beats.items() if beat and datetime.fromisoformat(beat) > live.since}


def _stop(parts: list[processes.Started]) -> None:
    """The API server last: the others still talk to it."""
    processes.stop(parts[:-1], STOP_S)
    processes.stop(parts[-1:], STOP_S)


def end_launches(state: Path | None) -> None:
    """End every run that a launcher with this state directory started and that still runs."""
    if state is None or not (state / "runs").is_dir():
        return
    launcher = LocalLauncher(state)
    for home in sorted((state / "runs").iterdir()):
        if not home.name.startswith("."):
            launcher.kill(home.name)
            launcher.clear(home.name)
