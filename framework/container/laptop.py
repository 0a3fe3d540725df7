"""All three steps one after the other on this machine, with a command in place of the image."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from framework.config import DataMode, RunResult
from framework.container.layout import Layout
from framework.container.steps import Around
from framework.errors import ConfigError, ProgramFailed, SetupError, clip

GRACE_S: Final = 10


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
        next_step='say one: local_command=["python", "score.py"] of the task, or of the Contract as a ClassVar',
    )


def locally(around: Around, command: Command) -> RunResult:
    """Prepare, run ``command``, publish; what was laid out is removed. Raises: as both steps; ProgramFailed, SetupError."""
    done = around.prepare()
    if done is not None:
        return done
    names = around.contract
    variables = around.layout.variables((p.name for p in names.inputs), (p.name for p in names.outputs))
    with around.watch.phase("program"):
        _run(replace(command, environ={**command.environ, **variables}))
    return around.publish()


def _run(command: Command) -> None:
    """Raises: ProgramFailed, SetupError."""
    try:
        child = subprocess.Popen(
            command.words, cwd=command.directory, env=dict(command.environ), stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise SetupError(
            "the command cannot be started", where=command.words[0], got=clip(str(error)),
            next_step="give a program that this machine has",
        ) from error  # fmt: skip
    try:
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
    """As kubelet ends it: asked first, and killed when it does not hear."""
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


@contextmanager
def workspace_layout() -> Iterator[Layout]:
    """A place for one run in this machine's temporary folder, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="teamspark-") as folder:
        yield Layout(Path(folder) / "program", Path(folder) / "state")


def own_environment(data: DataMode) -> Mapping[str, str]:
    """What this process has, for the program; the way into the store only where it opens URIs itself."""
    return {name: value for name, value in os.environ.items() if data == "uri" or not name.startswith("AWS_")}
