"""Kill a writer with SIGKILL at chosen points, let a retry follow, and read all the while.

A *subject* says what is written and how it is read; *victims* say how a writer's process is started and killed. The
sweep knows neither: it hands out places and compares what readers saw with fault-free runs.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Protocol, Self

ROOT = Path(__file__).resolve().parents[2]


class Torn(Exception):
    """A reader found something that is neither nothing nor a complete version."""


class Subject(Protocol):
    """Made from its name, without arguments, in every process that needs it; all its state is below ``place``."""

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        """Write version ``generation``. ``attempt`` 1 is the first try, 2 the retry after a kill."""

    def look(self, place: Path) -> str | None:
        """A digest of the version that a reader sees now; None when nothing is published. Raises: Torn."""


@dataclass(frozen=True)
class Kill:
    """When to kill: at the n-th step inside the process, after so many seconds, or once a named phase is reached."""

    step: int | None = None
    after_s: float | None = None
    phase: str | None = None


NEVER = Kill()

Ended = Literal["finished", "killed", "failed"]


class Places(Protocol):
    """Where subjects keep what they wrote: how a place with version 1 is made again, and forgotten."""

    def copy(self, first: Path, place: Path) -> None:
        """All that is at ``first``, at ``place``."""

    def forget(self, place: Path) -> None:
        """``place`` is not needed any more."""


class Folders:
    """Places that are folders."""

    def copy(self, first: Path, place: Path) -> None:
        shutil.copytree(first, place)

    def forget(self, place: Path) -> None:
        shutil.rmtree(place)


class Victims(Protocol):
    """How the processes of a subject's writers are made."""

    def run(self, place: Path, generation: int, attempt: int, kill: Kill) -> tuple[Ended, str]:
        """Start one, kill it as told, wait for its end. Returns how it ended, and its last words."""


@dataclass(frozen=True)
class Point:
    """One kill: how the victim ended, how often readers looked, and everything that was wrong."""

    kill: Kill
    ended: Ended
    looks: int
    problems: tuple[str, ...]


@dataclass
class Report:
    """A sweep's points, in order."""

    points: list[Point] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def problems(self) -> list[str]:
        return [f"{point.kill}: {problem}" for point in self.points for problem in point.problems]

    @property
    def killed(self) -> int:
        return sum(point.ended == "killed" for point in self.points)

    @property
    def looks(self) -> int:
        return sum(point.looks for point in self.points)


RESULTS = Path(__file__).parent / "results"


def record(name: str, drawn_from: Mapping[str, Any], report: Report) -> None:
    """Keep what a long sweep came to, seeds first and a line a point, in the file that is committed."""
    facts = {
        **drawn_from,
        "points": len(report.points),
        "killed": report.killed,
        "looks": report.looks,
        "seconds": round(report.seconds),
        "problems": report.problems,
    }
    head = json.dumps(facts, indent=1).removesuffix("\n}")
    lines = ",\n  ".join(json.dumps([_place_of(one.kill), one.ended, one.looks]) for one in report.points)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(f'{head},\n "kill, how it ended, looks": [\n  {lines}\n ]\n}}\n')


def _place_of(kill: Kill) -> str:
    if kill.after_s is not None:
        return f"after {kill.after_s:.2f} s"
    return kill.phase or f"step {kill.step}"


def sweep(
    subject: str,
    victims: Victims,
    kills: Iterable[Kill],
    folder: Path,
    *,
    rest: float = 0.0,
    places: Places | None = None,
) -> Report:
    """For each of ``kills``, in a place of its own: version 1, a victim that writes version 2, a retry of it.

    A place must survive being copied: version 1 is written once. ``places``: folders, where nothing else is said.
    ``subject`` is ``module:Class``. ``rest``: how long the reader rests after a look, in times of what the look took.
    Wrong is: a reader that sees anything but version 1 or 2 whole, or 1 after 2, or
    nothing after 1; a retry that fails; a content after the retry that is not the fault-free version 2.
    """
    report, started = Report(), time.monotonic()
    made: Subject = load(subject)
    where = places or Folders()
    with Reader(subject, rest) as reader:
        base = _Base.make(made, victims, folder, where)
        for number, kill in enumerate(kills):
            place = folder / f"{number:04d}"
            where.copy(base.first, place)
            point = _point(made, victims, kill, place, reader, base.versions)
            report.points.append(point)
            if not point.problems:
                where.forget(place)  # what went wrong stays to be looked at
    report.seconds = time.monotonic() - started
    return report


@dataclass(frozen=True)
class _Base:
    """A place with version 1 in it, made once and copied for each point, and what fault-free readers see of both."""

    first: Path
    versions: tuple[str, str]

    @classmethod
    def make(cls, subject: Subject, victims: Victims, folder: Path, places: Places) -> Self:
        first, second = folder / "version-1", folder / "version-2"
        versions = []
        for generation, place in ((1, first), (2, second)):
            if generation == 2:
                places.copy(first, second)
            ended, words = victims.run(place, generation, 1, NEVER)
            assert ended == "finished", words
            seen = subject.look(place)
            assert seen is not None
            versions.append(seen)
        assert versions[0] != versions[1], "two versions must differ, else nothing can be told"
        return cls(first, (versions[0], versions[1]))


def _point(
    subject: Subject, victims: Victims, kill: Kill, place: Path, reader: "Reader", versions: tuple[str, str]
) -> Point:
    problems = []
    reader.watch(place, versions)
    outcome, words = victims.run(place, 2, 1, kill)
    if outcome == "failed":
        problems.append(f"the victim failed by itself: {words}")
    # What a kill leaves is looked at before the retry mends it: the reader beside may just miss it.
    problems += judged(subject, place, versions, since=0)[1]
    ended, words = victims.run(place, 2, 2, NEVER)
    if ended != "finished":
        problems.append(f"the retry {ended}: {words}")
    looks, seen = reader.stop()
    problems += seen
    try:
        final = subject.look(place)
    except Torn as error:
        final = f"torn: {error}"
    if final != versions[1]:
        problems.append(f"after the retry a reader sees {final}, not the fault-free version 2")
    return Point(kill, outcome, looks, tuple(problems))


def judged(subject: Subject, place: Path, versions: Sequence[str], *, since: int) -> tuple[int, list[str]]:
    """Which of ``versions`` a reader sees at ``place``, ``since`` if it is none, and what is wrong with what it sees."""
    try:
        seen = subject.look(place)
    except Torn as error:
        return since, [f"a reader saw something torn: {error}"]
    if seen is None:
        return since, ["a reader saw nothing where version 1 had been"]
    if seen not in versions:
        return since, ["a reader saw a mixture of versions"]
    found = versions.index(seen)
    return max(found, since), ["a reader saw version 1 after version 2"] if found < since else []


def load(name: str) -> Any:
    """``module:Class``, made."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)()


@dataclass
class Helper:
    """A Python process that answers one JSON line with others. Ended when its input is closed."""

    module: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", self.module, *self.arguments]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            # Small processes of one thread: they are forked, and share two cores with what they watch.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"},
        )

    def tell(self, **message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        out: IO[str] | None = self.process.stdout
        assert out is not None
        line = out.readline()
        assert line, f"{self.module} {self.arguments} died"
        return dict(json.loads(line))

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


class _Helped:
    def __init__(self, module: str, *arguments: str) -> None:
        self.helper = Helper(module, arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.helper.close()


class Reader(_Helped):
    """A process that looks at one place after another, as often as its rests let it."""

    def __init__(self, subject: str, rest: float) -> None:
        super().__init__("tests.kill.reader", subject, str(rest))

    def watch(self, place: Path, versions: tuple[str, str]) -> None:
        self.helper.tell(place=str(place), versions=versions)
        self.helper.hear()

    def stop(self) -> tuple[int, list[str]]:
        """How often it looked, and what it saw that nobody may see."""
        self.helper.tell(stop=True)
        answer = self.helper.hear()
        return answer["looks"], answer["problems"]


class Forked(_Helped):
    """Victims forked from a process that has imported everything: a few milliseconds each.

    They die by their own hand at a step (``tests.kill.steps``), or from outside after some time.
    """

    def __init__(self, subject: str) -> None:
        super().__init__("tests.kill.zygote", subject)

    def run(self, place: Path, generation: int, attempt: int, kill: Kill) -> tuple[Ended, str]:
        self.helper.tell(place=str(place), generation=generation, attempt=attempt, step=kill.step)
        pid = self.helper.hear()["pid"]
        if kill.after_s is not None:
            time.sleep(kill.after_s)
            # Not reaped before the next line is read, so the number is still this process's.
            os.kill(pid, signal.SIGKILL)
        self.helper.tell(reap=pid)
        answer = self.helper.hear()
        return answer["ended"], answer["words"]

    def steps(self, place: Path) -> int:
        """How many steps a fault-free version 2 takes, in ``place``."""
        self.run(place, 1, 1, NEVER)
        self.helper.tell(place=str(place), generation=2, attempt=1, step=0)
        self.helper.tell(reap=self.helper.hear()["pid"])
        return int(self.helper.hear()["words"])


@dataclass(frozen=True)
class Commands:
    """Victims that are programs with children of their own, such as a driver and its JVM: killed as one session.

    ``command(place, generation, attempt)`` is started; ``phases`` tells by the traces on disk whether one is reached.
    """

    command: Callable[[Path, int, int], list[str]]
    phases: Mapping[str, Callable[[Path], bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 120.0

    def run(self, place: Path, generation: int, attempt: int, kill: Kill) -> tuple[Ended, str]:
        place.mkdir(parents=True, exist_ok=True)
        log = place / f"victim-{generation}-{attempt}.log"
        with ExitStack() as stack:
            process = subprocess.Popen(
                self.command(place, generation, attempt),
                stdin=subprocess.DEVNULL,
                stdout=stack.enter_context(log.open("wb")),
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=ROOT,
                env={**os.environ, **self.environment},
            )
            killed = self._kill(process, place, kill)
            code = process.wait(self.timeout_s)
        words = log.read_text(errors="replace")[-2000:]
        return ("killed" if killed else "finished" if code == 0 else "failed"), words

    def _kill(self, process: subprocess.Popen[bytes], place: Path, kill: Kill) -> bool:
        deadline = time.monotonic() + (self.timeout_s if kill.after_s is None else kill.after_s)
        reached = self.phases[kill.phase] if kill.phase else (lambda _: False)
        if kill == NEVER:
            return False
        while process.poll() is None and time.monotonic() < deadline and not reached(place):
            time.sleep(0.002)
        if process.poll() is not None:
            return False
        os.killpg(process.pid, signal.SIGKILL)
        return True
