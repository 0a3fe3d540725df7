"""Runs on this machine, detached: a launch survives its starter and is found again through files.

``<state>/runs/<name>/`` holds the request (identity), ``config.json``, ``log``, ``result.json``, the
process (number and start), the exit code, the marker of a kill and ``tmp``, where the run's temporary
files are; ``<state>/keys/<hash>/<name>`` finds the launches of one run key. A launch lives exactly as long as somebody holds its ``lock``.
Linux only: processes are told apart by ``/proc``.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from framework.errors import ConfigError, RunLost
from framework.identity import Epoch, RunKey
from framework.launch import local_runner, sessions
from framework.launch.base import CONFIG, CONNECTIONS, RESULT, UNFINISHED, Executor, LaunchRequest, Phase, Status

POLITE_S: Final = 5.0
"""How long a run may take to end by itself after SIGTERM: Spark stops its JVM within about two seconds."""
FORCED_S: Final = 10.0
KILLED: Final = -int(signal.SIGKILL)
_POLL_S: Final = 0.05
_SECRETS: Final = ("config.json", "connections.json")
_SCRATCH: Final = "tmp"


class LocalLauncher:
    """Launches as detached processes whose whole state is below one directory."""

    def __init__(self, state_dir: Path) -> None:
        self._state = state_dir

    def start(self, request: LaunchRequest) -> None:
        home = self._home(request.name)
        if not home.exists():
            self._create(request, home)
        _check_same(request, _identity(home))

    def status(self, name: str) -> Status:
        home = self._home(name)
        if not home.exists():
            return Status(name, Phase.ABSENT)
        key, epoch, clear_number = _identity(home)
        # The lock is asked first: an exit code that is written just before it is let go is then seen.
        alive = _locked(home)
        phase, exit_code = _phase(home, alive)
        result = None if phase in UNFINISHED else _read(home / "result.json")
        return Status(name, phase, key, epoch, clear_number, exit_code, result)

    def unfinished(self, key: RunKey) -> tuple[Status, ...]:
        index = self._index(key)
        names = sorted(path.name for path in index.iterdir()) if index.exists() else []
        found = (self.status(name) for name in names)
        return tuple(s for s in found if s.phase in UNFINISHED and s.key == key)

    def kill(self, name: str) -> None:
        home = self._home(name)
        if not home.exists() or not (_locked(home) or _members(home)):
            return
        (home / "killed").touch()
        for signum, patience in ((signal.SIGTERM, POLITE_S), (signal.SIGKILL, FORCED_S)):
            if _end(home, signum, patience):
                return
        raise RunLost("a run does not end", where=name, next_step=f"look at processes {sorted(_members(home))}")

    def clear(self, name: str) -> None:
        home = self._home(name)
        for secret in _SECRETS:
            (home / secret).unlink(missing_ok=True)
        # Of a run that was killed: what Spark had unpacked and spilled.
        shutil.rmtree(home / _SCRATCH, ignore_errors=True)

    def log(self, name: str, *, offset: int = 0, limit: int = 65_536) -> bytes:
        try:
            with (self._home(name) / "log").open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(size + offset, 0) if offset < 0 else offset)
                return file.read(limit)
        except FileNotFoundError:
            return b""

    def executors(self, name: str) -> tuple[Executor, ...]:
        """All of a launch is in one session here, and prints into one log."""
        return ()

    def _home(self, name: str) -> Path:
        if "/" in name or name.startswith("."):
            raise ConfigError("not a launch name", got=name)
        return self._state / "runs" / name

    def _index(self, key: RunKey) -> Path:
        return self._state / "keys" / hashlib.sha256(_key_json(key).encode()).hexdigest()[:32]

    def _create(self, request: LaunchRequest, home: Path) -> None:
        """Build the directory aside, lock held, and let it appear at once: nobody sees half a launch."""
        aside = home.parent / f".{request.name}.{os.urandom(4).hex()}"
        aside.mkdir(parents=True, mode=0o700)
        lock = os.open(aside / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _fill(aside, request)
            _touch(self._index(request.key) / request.name)
            if _appear(aside, home):
                _spawn(home, lock, request)
        finally:
            os.close(lock)
            shutil.rmtree(aside, ignore_errors=True)


def _fill(aside: Path, request: LaunchRequest) -> None:
    identity = {"key": asdict(request.key), "epoch": asdict(request.epoch), "clear_number": request.clear_number}
    (aside / _SCRATCH).mkdir(mode=0o700)
    (aside / "request.json").write_text(json.dumps({**identity, "command": request.command}), encoding="utf-8")
    for name, data in zip(_SECRETS, (request.config, request.connections), strict=True):
        if data is not None:
            with os.fdopen(os.open(aside / name, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)


def _appear(aside: Path, home: Path) -> bool:
    """Whether this starter won the name: renaming onto a filled directory fails."""
    try:
        aside.rename(home)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _spawn(home: Path, lock: int, request: LaunchRequest) -> None:
    names = {CONFIG: "config.json", CONNECTIONS: "connections.json", RESULT: "result.json"}
    places = {word: str(home / name) for word, name in names.items()}
    command = [places.get(word, word) for word in request.command]
    credentials = str(request.credentials or "")
    runner = [sys.executable, "-I", "-S", local_runner.__file__, str(home), str(lock), credentials, *command]
    with (home / "log").open("ab") as log:
        try:
            subprocess.run(
                runner,
                check=True,
                cwd=request.directory,
                env={"TMPDIR": str(home / _SCRATCH), **request.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise RunLost("a run could not be started", where=request.name, got=str(error)) from error


def _identity(home: Path) -> tuple[RunKey, Epoch, int]:
    facts: dict[str, Any] = json.loads((home / "request.json").read_text(encoding="utf-8"))
    return RunKey(**facts["key"]), Epoch(**facts["epoch"]), int(facts["clear_number"])


def _check_same(request: LaunchRequest, found: tuple[RunKey, Epoch, int]) -> None:
    if found != (request.key, request.epoch, request.clear_number):
        raise ConfigError("this launch name is taken", where=request.name, got=request.key, expected=found[0])


def _phase(home: Path, alive: bool) -> tuple[Phase, int | None]:
    code = _read(home / "exit")
    if code is not None:
        return (Phase.FAILED if int(code) else Phase.SUCCEEDED), int(code)
    if alive:
        return (Phase.RUNNING if (home / "process.json").exists() else Phase.PENDING), None
    return (Phase.FAILED, KILLED) if (home / "killed").exists() else (Phase.LOST, None)


def _locked(home: Path) -> bool:
    """Whether the starter, the runner or the run still holds the launch's lock."""
    with (home / "lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _end(home: Path, signum: signal.Signals, patience_s: float) -> bool:
    """Signal every process of the launch's session until none is left; False when time is up."""
    deadline = time.monotonic() + patience_s
    signalled: set[int] = set()
    while members := (_members(home) or ({0} if _locked(home) else set())):
        if time.monotonic() > deadline:
            return False
        for pid in members - signalled - {0}:
            with suppress(ProcessLookupError):
                os.kill(pid, signum)
        signalled |= members - {0}
        time.sleep(_POLL_S)
    return True


def _members(home: Path) -> set[int]:
    """Numbers of the living processes in the launch's session: runner, driver, JVM, their children."""
    text = _read(home / "process.json")
    if text is None:
        return set()
    leader = json.loads(text)
    with suppress(FileNotFoundError, ProcessLookupError):
        if local_runner.started(leader["pid"]) != leader["started"]:
            return set()
    return sessions.members(leader["pid"])


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch()


def _key_json(key: RunKey) -> str:
    return json.dumps(asdict(key), sort_keys=True)
