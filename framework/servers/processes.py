"""Processes in sessions of their own: started, found again after a crash, and ended with all they started.

A session is the unit because a server forks workers and those start more, some in process groups of their own; none
of them leaves the session. So Ctrl-C in a terminal reaches only whoever started them, who then stops them in order.
"""

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from framework.errors import ServerFailed, SetupError
from framework.launch import sessions
from framework.launch.local_runner import started, write

POLL_S: Final = 0.1
LOG_LINES: Final = 12
_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be started. ``environment`` is all of it: nothing is inherited.

    ``log``: the file that gets what it prints; it starts in ``directory``, else where its log is. ``dies_with_us``: the
    kernel kills it when the *thread* that starts it ends, however that ends. Its own children are not killed with it.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    directory: Path | None = None
    dies_with_us: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """A process, which leads the session named by its pid; ``log`` is what it prints."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def session(self) -> int:
        return self.process.pid

    def tail(self) -> list[str]:
        """The last lines that it printed."""
        return self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]

    def check(self) -> None:
        """Raises: ServerFailed with the end of its log when it has ended."""
        code = self.process.poll()
        if code is not None:
            raise ServerFailed(
                f"{self.name} ended", got=f"exit code {code}", details=self.tail(), next_step=f"read {self.log}"
            )


def start(program: Program) -> Started:
    """Start ``program`` in a session of its own. Raises: SetupError when there is no such program."""
    program.log.parent.mkdir(parents=True, exist_ok=True)
    with program.log.open("wb") as out:
        try:
            process = subprocess.Popen(
                program.command,
                env=dict(program.environment),
                cwd=program.directory or program.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_dying_with_us() if program.dies_with_us else None,  # noqa: PLW1509 two calls of the system
            )
        except OSError as error:
            raise SetupError(
                f"{program.name} cannot be started",
                where=program.command[0],
                got=error.strerror,
                next_step="make setup",
            ) from error
    return Started(program.name, process, program.log)


def _dying_with_us() -> Callable[[], None]:
    system, parent = ctypes.CDLL(None), os.getpid()  # looked up here: between fork and exec nothing may be loaded

    def die_with_us() -> None:
        system.prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # who started us is gone already
            os._exit(1)

    return die_with_us


def await_ready(
    parts: Iterable[Started], missing: Callable[[], Collection[str]], *, within_s: float, poll_s: float = POLL_S
) -> None:
    """Wait until ``missing`` names nobody any more.

    Raises: ServerFailed when one of ``parts`` ends before, or when time is up.
    """
    watched = tuple(parts)
    deadline = time.monotonic() + within_s
    while names := missing():
        for part in watched:
            part.check()
        if time.monotonic() > deadline:
            raise ServerFailed(
                f"{', '.join(sorted(names))}: not ready",
                got="no sign of life",
                expected=f"within {within_s:.0f} s",
                next_step=f"read {', '.join(str(part.log) for part in watched)}",
            )
        time.sleep(poll_s)


def stop(running: Iterable[Started], patience_s: float) -> list[str]:
    """End these together: SIGTERM to each leader, after ``patience_s`` SIGKILL to what is left of their sessions.

    Returns the names of those that had to be killed.
    """
    asked = list(running)
    for part in asked:
        part.process.terminate()
    deadline = time.monotonic() + patience_s
    while any(part.process.poll() is None for part in asked) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    killed = [part.name for part in asked if part.process.poll() is None]
    for part in asked:
        end_session(part.session)
        part.process.wait()
    return killed


def end_session(session: int, patience_s: float = 10.0) -> None:
    """Kill every process of ``session`` and see it gone."""
    deadline = time.monotonic() + patience_s
    while members := sessions.members(session):
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(members)} do not end")
        time.sleep(POLL_S)


def remember(file: Path, running: Iterable[Started]) -> None:
    """Write down who leads our sessions, for ``end_leftovers`` after a crash of ours."""
    leaders = [[part.session, started(part.session)] for part in running]
    write(file, json.dumps(leaders))


def end_leftovers(file: Path) -> int:
    """Kill the sessions that ``file`` remembers, and return how many had anybody left in them.

    A pid that is now somebody else's is told by its start time. While a session has members the kernel gives
    its number to nobody, so a session without its leader is still ours.
    """
    leaders = json.loads(file.read_text()) if file.exists() else []
    found = 0
    for pid, began in leaders:
        with suppress(OSError):
            if started(pid) != began:
                continue
        found += bool(sessions.members(pid))
        end_session(pid)
    file.unlink(missing_ok=True)
    return found


def lock_of(home: Path) -> Path:
    """Locked by the process that runs the servers with this state directory."""
    return home / "lock"


@contextmanager
def only_one(home: Path, what: str) -> Iterator[None]:
    """One process at a time has the state directory ``home``. Raises: SetupError that ``what`` is running already.

    The kernel lets the lock go with its process, so that a crash locks nobody out.
    """
    with lock_of(home).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(
                f"{what} is already running",
                where=str(home),
                next_step="stop the other one first, or use another directory",
            ) from None
        yield


def in_use(home: Path) -> bool:
    """Whether a living process holds ``only_one`` of this state directory."""
    if not lock_of(home).is_file():
        return False
    with lock_of(home).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
