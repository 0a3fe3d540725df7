"""Processes in sessions of their own: started, found again after a crash, and ended with all they started.

A session is the unit because a component forks workers and those start tasks, some in process groups of
their own; none of them leaves the session. Linux only: sessions are read from ``/proc``.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framework.launch.local_runner import started, write

POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Started:
    """A component's process, which leads the session named by its pid; ``log`` is what it prints."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def session(self) -> int:
        return self.process.pid


def start(name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Started:
    """Start ``command`` in a new session, so that a Ctrl-C in the terminal reaches only us."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Started(name, process, log)


def stop(running: Iterable[Started], patience_s: float) -> list[str]:
    """End these together: SIGTERM to each leader, after ``patience_s`` SIGKILL to what is left of their sessions.

    Returns the names of those that had to be killed.
    """
    asked = list(running)
    for component in asked:
        component.process.terminate()
    deadline = time.monotonic() + patience_s
    while any(component.process.poll() is None for component in asked) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    killed = [component.name for component in asked if component.process.poll() is None]
    for component in asked:
        end_session(component.session)
        component.process.wait()
    return killed


def end_session(session: int, patience_s: float = 10.0) -> None:
    """Kill every process of ``session`` and see it gone."""
    deadline = time.monotonic() + patience_s
    while members := session_members(session):
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(members)} do not end")
        time.sleep(POLL_S)


def session_members(session: int) -> set[int]:
    """The living processes of ``session``; a zombie that nobody collected yet is not living."""
    everybody = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return {pid for pid in everybody if _living_in(pid) == session}


def _living_in(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    state, _parent, _group, session = stat.rpartition(b")")[2].split()[:4]
    return None if state in (b"Z", b"X") else int(session)


def remember(file: Path, running: Iterable[Started]) -> None:
    """Write down who leads our sessions, for ``end_leftovers`` after a crash of ours."""
    leaders = [[component.session, started(component.session)] for component in running]
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
        found += bool(session_members(pid))
        end_session(pid)
    file.unlink(missing_ok=True)
    return found
