"""What keeps teams apart stands in layers: Kubernetes, the store, Airflow. Each says what it would do; one shell does it.

A layer is found by the entry-point group ``teamspark.layers``, as a function of a ``Site``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Final, Protocol

from framework.errors import TeamsparkError
from framework.tenancy.model import Team, Teams

_NAMED: Final = 12
"""Steps that an error names; of the others it tells how many there are."""


class Phase(IntEnum):
    """When a step is taken: at no moment has anybody more than both the old file and the new one give."""

    revoke = 0
    """Takes a right away."""
    confine = 1
    """Makes a place, and the limits that hold in it."""
    permit = 2
    """Gives a right."""
    release = 3
    """Takes a limit away, or a place in which nobody has rights any more."""


class Verb(StrEnum):
    """What a step does to what it names."""

    create = "create"
    change = "change"
    delete = "delete"
    wait = "wait"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to be done. ``lines``: what differs. ``do`` may be called again after it was cut off half way."""

    layer: str
    phase: Phase
    verb: Verb
    what: str
    lines: tuple[str, ...] = ()
    do: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.verb} {self.what}"


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a layer would do. ``strays``: what no team file wants and is left alone, because somebody made it. ``remarks``: what is
    left for a person to do.
    """

    steps: tuple[Step, ...] = ()
    remarks: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """May ``team`` do ``action`` to ``resource``? As the user types them."""

    team: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one layer answers, and the rule that made it: in words, with the place where it stands.

    ``allowed`` is None where the layer has nothing to say.
    """

    layer: str
    allowed: bool | None
    rule: str


class Layer(Protocol):
    """One of the walls. Every method raises errors of ``framework.errors``; none but a step's ``do`` changes anything."""

    @property
    def name(self) -> str: ...

    def prospect(self, team: Team) -> Prospect:
        """What makes this layer what the team file says."""
        ...

    def farewell(self, team: str) -> Prospect:
        """What leaves nothing of the team in this layer. Its file may be gone already."""
        ...

    def present(self) -> Mapping[str, str]:
        """The teams that are in this layer, each with its state in a word."""
        ...

    def render(self, team: Team | None) -> str:
        """The documents of a team, or those that all teams share, as somebody else's tool takes them."""
        ...

    def decide(self, question: Question) -> Verdict:
        """What this layer answers, by the team files alone."""
        ...


@dataclass(frozen=True)
class Site:
    """Where teams are applied. ``options`` are the command line's: a kubeconfig, a context."""

    workspace: Path
    teams: Teams
    environ: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)


def in_order(prospects: Iterable[Prospect]) -> tuple[Step, ...]:
    """The steps of several layers: by phase; within one, places are made from the first layer on and left from the last."""
    numbered = [(number, step) for number, one in enumerate(prospects) for step in one.steps]
    return tuple(step for _, step in sorted(numbered, key=_rank))


def _rank(numbered: tuple[int, Step]) -> tuple[int, int]:
    number, step = numbered
    return step.phase, -number if step.phase is Phase.release else number


def perform(steps: Sequence[Step], tell: Callable[[Step], None], *, again: str) -> None:
    """Do them, each told before it is begun. ``again``: the command that goes on where an error ended this.

    Raises: the step's error, with what was done and what was not.
    """
    for number, step in enumerate(steps):
        tell(step)
        try:
            step.do()
        except TeamsparkError as error:
            error.details = (*error.details, *_told(steps, number))
            error.next_step = f"{error.next_step}; then: {again}" if error.next_step else again
            raise


def _told(steps: Sequence[Step], failed: int) -> Iterator[str]:
    yield f"done ({failed}): {_names(steps[:failed]) or 'nothing'}"
    yield f"not done ({len(steps) - failed}): {_names(steps[failed:])}"


def _names(steps: Sequence[Step]) -> str:
    named = ", ".join(map(str, steps[:_NAMED]))
    return named if len(steps) <= _NAMED else f"{named}, and {len(steps) - _NAMED} more"
