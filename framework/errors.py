"""Every error teamspark raises, in one tree. The class answers the question "would a retry help?".

    TeamsparkError
    ├── FinalError                 the same input fails the same way: somebody must change something
    │   ├── DefinitionError        a job or schema class cannot mean what it says
    │   ├── ConfigError            a job_config, team file, sources file or command line is wrong
    │   ├── PathError              an id cannot become a path segment
    │   ├── PolicyError            this team may not do that
    │   ├── SetupError             the machine lacks something (Java, a package, a store that may be written)
    │   ├── ContractError          data and contract differ
    │   │   ├── SchemaMismatch     names or types of a dataset
    │   │   ├── CheckFailed        rows that break a check
    │   │   └── ContractSkew       the DAG and the driver know different versions of a job
    │   ├── InputCorrupt           an input file is not what its manifest says
    │   └── JobFailed              the author's transform raised
    └── RetryableError             the world may be different next time
        ├── NotYet                 an input is not published yet
        ├── InputChanged           an input was retired or replaced while it was read
        ├── StoreUnavailable       the store did not answer, or is full
        ├── CacheUnavailable       the cache did not answer, or did not deliver what the store has
        ├── DeliveryFailed         a destination did not take an output
        ├── Superseded             a newer try owns this run key
        ├── ClusterUnavailable     Kubernetes did not answer, or not now
        ├── NoRoom                 others of the team use what a run needs
        ├── RunLost                a driver vanished without a result
        ├── ProgramFailed          a program of another image ended with an exit code of its own
        └── ServerFailed           a server of this machine ended, or did not do its work in time

A message says what is wrong, where, what was found, what was expected and the next step; it is at most
``MAX_LINES`` lines, each of them of bounded length, and never holds a secret.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, ClassVar, Final

from framework.masking import block, safe, shortened, visible
from framework.masking import scrub as scrub  # noqa: PLC0414  whoever raises finds it here

MAX_LINES: Final = 20
MAX_VALUE: Final = 300

# How many lines and characters each part of a message may take. Somebody else may have chosen any of them.
_WHAT: Final = (3, 2000)
_GOT: Final = (8, 900)
_LINE: Final = (1, MAX_VALUE)
_DETAIL: Final = (4, 2 * MAX_VALUE)
_NEXT: Final = (1, 2 * MAX_VALUE)
_FURTHER: Final = "    | "


def _said(value: object) -> str:
    """Text and paths as they are; of all else how it is written, so that what is no text is seen to be none."""
    return str(value) if isinstance(value, str | PurePath) else repr(value)


def clip(value: object, limit: int = MAX_VALUE) -> str:
    """``value`` as text of at most ``limit`` characters, control characters made visible; line breaks stay."""
    text = _said(value)
    if len(text) > limit:
        text = safe(text)  # half a secret would not be known for one
    return shortened("\n".join(visible(line) for line in text.split("\n")), limit)


def _part(head: str, value: object, size: tuple[int, int]) -> list[str]:
    """``value`` behind ``head``; its further lines cannot be taken for lines of ours."""
    lines, limit = size
    text = _said(value)
    if lines == 1:
        return [f"{head}{shortened(visible(safe(text)), limit)}"]
    first, *more = block(text, lines=lines, limit=limit)
    return [f"{head}{first}", *(f"{_FURTHER}{line}" for line in more)]


class TeamsparkError(Exception):
    """Root of the tree; raise a leaf.

    ``details`` holds one line per mistake when there are several, so that all are told at once.
    """

    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 65

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        got: object = None,
        expected: object = None,
        next_step: str | None = None,
        details: Iterable[str] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.got = got
        self.expected = expected
        self.next_step = next_step
        self.details = tuple(details)

    def __str__(self) -> str:
        head = _part("", self.what, _WHAT)
        facts = (("where", self.where, _LINE), ("got", self.got, _GOT), ("expected", self.expected, _LINE))
        for name, value, size in facts:
            head += [] if value is None else _part(f"  {name}: ", value, size)
        tail = _part("  next: ", self.next_step, _NEXT) if self.next_step else []
        return "\n".join([*head, *self._shown(MAX_LINES - len(head) - len(tail)), *tail])

    def _shown(self, room: int) -> Iterator[str]:
        """The details, as many as there is room for; at the end how many there are besides."""
        parts = [_part("  - ", line, _DETAIL) for line in self.details[:MAX_LINES]]
        if len(self.details) <= MAX_LINES and sum(map(len, parts)) <= room:
            yield from (line for part in parts for line in part)
            return
        told = 0
        for part in parts:
            if len(part) > room - 1:
                break
            room -= len(part)
            told += 1
            yield from part
        yield f"  (and {len(self.details) - told} more)"

    def to_dict(self) -> dict[str, Any]:
        """The form that crosses a process border: class name, verdict and the finished message."""
        return {"error": type(self).__name__, "retryable": self.retryable, "message": str(self)}


def together(wrong: Sequence[TeamsparkError]) -> TeamsparkError:
    """Several errors as one: a final one is told whole, before those that time may mend; the others a line each."""
    first, *rest = sorted(wrong, key=lambda error: error.retryable)
    first.details = (*first.details, *dict.fromkeys(_in_a_line(error) for error in rest))
    return first


def _in_a_line(error: TeamsparkError) -> str:
    """Another error below the one that is told whole: what and where; what to do next is said once."""
    place = f"{error.where}: " if error.where is not None else ""
    got = f" ({error.got})" if error.got is not None else ""
    return f"{place}{error.what}{got}" + "".join(f"; {line}" for line in error.details)


class FinalError(TeamsparkError):
    """A retry cannot help."""


class DefinitionError(FinalError):
    """A job or schema class cannot mean what it says; the author changes the class."""


class ConfigError(FinalError):
    """A configuration file, argument or job_config is wrong; whoever wrote it changes it."""

    exit_code = 64


class PathError(FinalError):
    """An id cannot become a path segment; whoever chose the id changes it."""


class PolicyError(FinalError):
    """This team may not do that; the platform's team files decide."""


class SetupError(FinalError):
    """The machine or store lacks something every run needs."""


class ContractError(FinalError):
    """Data and contract differ."""


class SchemaMismatch(ContractError):
    """A dataset's column names or types are not the declared ones."""


class CheckFailed(ContractError):
    """Rows break a check. ``failed`` maps the check's name to the number of rows."""

    def __init__(self, what: str, *, failed: dict[str, int], **facts: Any) -> None:
        super().__init__(what, **facts)
        self.failed = failed


class ContractSkew(ContractError):
    """The DAG was written against another version of this job's contract."""


class InputCorrupt(FinalError):
    """An input file does not hold what its manifest says; its producer must publish again."""


class JobFailed(FinalError):
    """The author's transform, or Spark on its behalf, raised."""


class RetryableError(TeamsparkError):
    """The world may be different next time."""

    retryable = True
    exit_code = 74


class NotYet(RetryableError):
    """An input has not been published yet."""

    exit_code = 75


class InputChanged(RetryableError):
    """An input was retired, or a source file replaced, between plan and read."""


class ProgramFailed(RetryableError):
    """A program of another image failed: only it knows why, so the task is tried as often as its author says."""


class StoreUnavailable(RetryableError):
    """The store did not answer, is full, or refused for a reason that may pass."""


class CacheUnavailable(RetryableError):
    """The cache did not answer, or did not deliver. A run goes on without it: see ``framework.cache``."""


class DeliveryFailed(RetryableError):
    """A destination did not take a published output; the next try delivers it again, and computes nothing."""


class Superseded(RetryableError):
    """A newer try of the same run key exists; this one must not write."""


class ClusterUnavailable(RetryableError):
    """Kubernetes' API server did not answer, or asked to come back later."""


class NoRoom(RetryableError):
    """The team's other runs use what this one needs; it waits until some of them end."""


class RunLost(RetryableError):
    """A driver vanished without leaving a result."""


class ServerFailed(RetryableError):
    """A server that was started on this machine ended, or did not do its work in time."""
