"""All three steps one after the other on this machine, with a command in place of the image."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from framework.config import DataMode, RunResult
from framework.container.layout import Layout
from framework.container.steps import Around
from framework.errors import ConfigError, ProgramFailed, SetupError, clip

GRACE_S: Final = 10
STDERR: Final = 2


@dataclass(frozen=True, slots=True)
class Command:
    """``words``: the program and its arguments; ``directory``: where it starts; ``environ``: what it finds besides our variables."""

    words: tuple[str, ...]
    directory: Path
    environ: Mapping[str, str]


def require_command(command: Sequence[str], *, where: str, image: str | None) -> tuple[str, ...]:
    """Raises: ConfigError where there is none."""
    if command:
        return tuple(command)
    raise ConfigError(
        "an image needs a cluster, and there is no command to run here in its place",
        where=where,
        got=image,
        next_step='local_command=["python", "score.py"] of the task, local_command: ClassVar = ("python", "score.py") of the '
        "Contract, or --command 'python score.py' where a person runs it",
    )


def locally(around: Around, command: Command) -> RunResult:
    """Prepare, run ``command``, publish. Raises: as both steps; ProgramFailed, SetupError."""
    done = around.prepare()
    if done is not None:
        return done
    names = around.contract
    variables = around.layout.variables((p.name for p in names.inputs), (p.name for p in names.outputs))
    with around.watch.phase("program"):
        _run(replace(command, environ={**command.environ, **variables}))
    return around.publish()


def _run(command: Command) -> None:
    """What it prints goes where messages go: standard output is for what a command of ours answers. What it has started ends with
    it, as in a pod: nobody writes to its files any more when they are published.

    Raises: ProgramFailed, SetupError.
    """
    try:
        child = subprocess.Popen(
            command.words,
            cwd=command.directory,
            env=dict(command.environ),
            stdin=subprocess.DEVNULL,
            stdout=STDERR,
            process_group=0,
        )
    except OSError as error:
        raise SetupError(
            "the command cannot be started", where=command.words[0], got=clip(str(error)),
            next_step="give a program that this machine has",
        ) from error  # fmt: skip
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        _signal(child, signal.SIGKILL)  # not waited for yet: its number is nobody else's
        code = child.wait()
    except BaseException:
        _end(child)
        raise
    if code:
        raise ProgramFailed(
            "the program failed",
            where=" ".join(command.words),
            got=_ending(code),
            next_step="read what it printed above",
        )


def _end(child: "subprocess.Popen[bytes]") -> None:
    """As kubelet ends it: asked first, and killed when it does not hear, or when a person asks again."""
    _signal(child, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        child.wait(GRACE_S)
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """To it and all that it has started, which is nobody any more in the end."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


@contextmanager
def workspace_layout() -> Iterator[Layout]:
    """A place for one run in this machine's temporary folder, gone afterwards, also when this process is told to go."""
    with _told_to_go(), tempfile.TemporaryDirectory(prefix="teamspark-") as folder:
        yield Layout(Path(folder) / "program", Path(folder) / "state")


def _told_to_go() -> AbstractContextManager[None]:
    """Signals that would end Python on the spot leave through its ``finally`` clauses; only a main thread can hear them."""
    from framework.servers.signals import interruptible  # only now: a pod has no need of it

    if threading.current_thread() is not threading.main_thread():
        return nullcontext()
    return interruptible((signal.SIGTERM, signal.SIGHUP))


def here(asked: DataMode) -> DataMode:
    """How a program of this machine gets its data. It runs as whoever owns the published files, and through a link it could change
    them: what a pod mounts to be read only is copied here.
    """
    return "uri" if asked == "uri" else "copy"


def own_environment(data: DataMode) -> Mapping[str, str]:
    """What this process has, for the program; the way into the store only where it opens URIs itself."""
    return {name: value for name, value in os.environ.items() if data == "uri" or not name.startswith("AWS_")}
