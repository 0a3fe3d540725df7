"""What a launcher is given, what it answers, and what it promises.

A launch has a name that is used once in a lifetime. Whoever starts one must have written the name
down before: after a crash the name is the only thread back to the process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from framework.diagnosis import End, Reason
from framework.identity import Epoch, RunKey

CONFIG: Final = "{config}"
RESULT: Final = "{result}"
CONNECTIONS: Final = "{connections}"


class Phase(StrEnum):
    """Where a launch is in its life."""

    ABSENT = "absent"
    """Nothing is known of a launch of this name: it was never started, or it is gone without a trace."""
    PENDING = "pending"
    """Accepted; its process is not there yet."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """Ended with exit code 0."""
    FAILED = "failed"
    """Ended with another exit code, or was killed through ``Launcher.kill``."""
    LOST = "lost"
    """Vanished without an exit code: a reboot, an eviction, somebody's ``kill -9``."""


ENDED_BADLY: Final = frozenset({Phase.FAILED, Phase.LOST})
UNFINISHED: Final = frozenset({Phase.PENDING, Phase.RUNNING})
ADOPTABLE: Final = frozenset({Phase.PENDING, Phase.RUNNING, Phase.SUCCEEDED})


@dataclass(frozen=True, slots=True)
class Share:
    """What one process may use: cores (``2`` or ``500m``) and memory (``4Gi``), all that it needs included."""

    cpu: str
    memory: str


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run gets of a cluster: an image, a driver, and so many executors."""

    image: str
    driver: Share
    executor: Share
    executors: int


@dataclass(frozen=True, slots=True)
class Program:
    """Another image, which runs as it is between two steps of ours: their commands, as ``LaunchRequest.command``. ``env``: what it
    finds in its environment; ``opens_uris``: it opens the store by itself, and so is given the way in.
    """

    image: str
    prepare: tuple[str, ...]
    publish: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    opens_uris: bool = False


def step_command(step: str, *more: str) -> tuple[str, ...]:
    """What starts one of our steps around a program, in the team's image."""
    return ("python3", "-m", "framework.container", step, "--config", CONFIG, "--result", RESULT, *more)


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """Everything needed to start one run's process, as plain data.

    In ``command`` the elements ``CONFIG``, ``CONNECTIONS`` and ``RESULT`` stand for the paths under which
    the process finds ``config`` and ``connections`` and must leave its result; only the launcher knows
    those. ``connections`` are secrets; None: there are none, and no file. ``env`` is the whole environment:
    nothing is inherited. ``directory`` is where the process starts. ``credentials`` is a file of more
    variables, a JSON object, that the launched process reads and whoever launches it does not. ``resources``: of a
    cluster; a launcher of one machine needs none. ``files``: more that the process finds beside its configuration, by name.
    ``program``: of a cluster, instead of ``command``.
    """

    name: str
    key: RunKey
    epoch: Epoch
    clear_number: int
    command: tuple[str, ...]
    config: bytes = field(repr=False)
    env: Mapping[str, str] = field(repr=False, default_factory=dict)
    directory: Path | None = None
    connections: bytes | None = field(repr=False, default=None)
    credentials: Path | None = None
    resources: Resources | None = None
    files: Mapping[str, str] = field(repr=False, default_factory=dict)
    program: Program | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one launch. Identity is None only when the phase is ``absent``.

    ``result`` is what the process left, read only once it has ended; ``exit_code`` is negative for a
    signal, as in ``subprocess``. ``why``: what the machine says of it, for a person: why it waits, or how it ended;
    ``reason``: the same for a program. ``image``: what it runs in, by digest, where it runs in one and that is known.
    """

    name: str
    phase: Phase
    key: RunKey | None = None
    epoch: Epoch | None = None
    clear_number: int | None = None
    exit_code: int | None = None
    result: bytes | None = None
    why: str | None = None
    reason: Reason | None = None
    image: str | None = None

    @property
    def end(self) -> End:
        return End(self.exit_code, self.reason, self.why or "")


@dataclass(frozen=True, slots=True)
class Executor:
    """A process that a launch started elsewhere, and what became of it; one that was never made is ``absent``.

    ``words``: the end of its log, of some that ended badly. ``see``: the command that shows all of it, as long as it is kept.
    """

    name: str
    phase: Phase
    exit_code: int | None = None
    why: str | None = None
    reason: Reason | None = None
    words: bytes = b""
    see: str | None = None

    @property
    def ended_badly(self) -> bool:
        """Also one that ended well by itself, but lost a process of its own to the machine."""
        return self.phase in ENDED_BADLY or (self.phase is Phase.SUCCEEDED and self.reason is not None)

    @property
    def end(self) -> End:
        return End(self.exit_code, self.reason, self.why or "")


class Launcher(Protocol):
    """Starts processes that outlive whoever started them."""

    def start(self, request: LaunchRequest) -> None:
        """Start the process; a second call with the same request does nothing.

        Raises: ConfigError for a name taken by another run; RunLost when it could not be started; NoRoom when it has to
        wait for others to end: then nothing was started.
        """
        ...

    def status(self, name: str) -> Status:
        """The launch's phase now; ``absent`` for a name never started."""
        ...

    def unfinished(self, key: RunKey) -> tuple[Status, ...]:
        """All launches of this run key that are pending or running, by name."""
        ...

    def kill(self, name: str) -> None:
        """End the process and everything it started; return when it is seen gone: it is neither unfinished nor
        adoptable any more.

        Does nothing to a launch that has ended or is absent. Raises: RunLost if it will not go.
        """
        ...

    def clear(self, name: str) -> None:
        """Remove what only a running process needs (configuration, secrets, scratch); keep log and result."""
        ...

    def log(self, name: str, *, offset: int = 0, limit: int = 65_536) -> bytes:
        """At most ``limit`` bytes of what the process printed, from byte ``offset`` on; a negative one counts from the end."""
        ...

    def executors(self, name: str) -> tuple[Executor, ...]:
        """What became of the processes that the launch started elsewhere, those that ended badly first, the last of them
        before others. None where a launch is processes of one machine.
        """
        ...
