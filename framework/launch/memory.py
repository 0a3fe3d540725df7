"""A launcher that starts nothing: its user says when a launch starts to run, ends or gets lost."""

from dataclasses import replace
from typing import Any

from framework.errors import ConfigError, NoRoom
from framework.identity import RunKey
from framework.launch.base import UNFINISHED, Executor, LaunchRequest, Phase, Status

KILLED = -9


class MemoryLauncher:
    """The peer of the real launchers, for tests of what is built on them. ``room``: how many run at once; None: any number."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.requests: dict[str, LaunchRequest] = {}
        self._status: dict[str, Status] = {}
        self._log: dict[str, bytes] = {}
        self._executors: dict[str, tuple[Executor, ...]] = {}

    def start(self, request: LaunchRequest) -> None:
        running = [status for status in self._status.values() if status.phase in UNFINISHED]
        if self.room is not None and request.name not in self._status and len(running) >= self.room:
            raise NoRoom("the run waits for room", where=request.name, got=f"{len(running)} running")
        taken = self.requests.setdefault(request.name, request)
        if (taken.key, taken.epoch) != (request.key, request.epoch):
            raise ConfigError("this launch name is taken", where=request.name, got=request.key, expected=taken.key)
        begun = Status(request.name, Phase.RUNNING, request.key, request.epoch, request.clear_number)
        self._status.setdefault(request.name, begun)

    def status(self, name: str) -> Status:
        return self._status.get(name, Status(name, Phase.ABSENT))

    def unfinished(self, key: RunKey) -> tuple[Status, ...]:
        return tuple(s for _, s in sorted(self._status.items()) if s.key == key and s.phase in UNFINISHED)

    def kill(self, name: str) -> None:
        if self.status(name).phase in UNFINISHED:
            self.finish(name, KILLED)

    def clear(self, name: str) -> None:
        if name in self.requests:
            self.requests[name] = replace(self.requests[name], config=b"", env={}, connections=None)

    def log(self, name: str, *, offset: int = 0, limit: int = 65_536) -> bytes:
        printed = self._log.get(name, b"")
        start = max(len(printed) + offset, 0) if offset < 0 else offset
        return printed[start : start + limit]

    def executors(self, name: str) -> tuple[Executor, ...]:
        return self._executors.get(name, ())

    def outlived(self, name: str, *executors: Executor) -> None:
        """What its user says of the executors of ``name``: this launcher itself starts none."""
        self._executors[name] = executors

    def finish(self, name: str, exit_code: int, *, result: bytes | None = None, log: bytes = b"", **said: Any) -> None:
        """The process of ``name`` prints ``log``, leaves ``result`` and ends with ``exit_code``. ``said``: more of its status."""
        phase = Phase.FAILED if exit_code else Phase.SUCCEEDED
        self._status[name] = replace(self._status[name], phase=phase, exit_code=exit_code, result=result, **said)
        self._log[name] = self._log.get(name, b"") + log

    def lose(self, name: str) -> None:
        """The process of ``name`` vanishes without an exit code."""
        self._status[name] = replace(self._status[name], phase=Phase.LOST)
