"""The frame of the isolation kit: attacks on the walls between teams, each with a witness that works where the wall is not.

Which attacks there are, rooms say that know a wall: entry points of the group ``teamspark.isolation``, each a function of a
``Site`` that gives a ``Kit``. ``pytest --isolation`` runs them against the servers that the workspace names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from framework.errors import clip

Deed = Callable[[], object]
"""What it returns is of no interest: that it did is."""


class Refused(Exception):
    """The wall said no. Its text is what the wall said: another failure is no refusal."""


class Unreachable(Exception):
    """A layer cannot be asked here; its text says what is missing."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What ``team`` must not do. ``deed`` returns when it worked, and raises Refused when it was refused."""

    layer: str
    team: str
    family: str
    name: str
    deed: Deed = field(repr=False)

    def __str__(self) -> str:
        return f"{self.layer}-{self.team}-{self.family}-{self.name}"


@dataclass(frozen=True, slots=True)
class Witness:
    """The deed of a family where its guard is missing: it has to work, or the refusals of the family show nothing."""

    layer: str
    family: str
    deed: Deed = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wish:
    """What ``team`` needs, and has to get: a wall without a door is none either."""

    layer: str
    team: str
    name: str
    deed: Deed = field(repr=False)


@dataclass(frozen=True, slots=True)
class Gap:
    """Where there is no wall, and what holds instead."""

    layer: str
    what: str
    instead: str


One: TypeAlias = Attack | Witness | Wish


class Kit(Protocol):
    """The attacks of one layer."""

    @property
    def layer(self) -> str: ...
    def attacks(self) -> Iterable[Attack]: ...
    def witnesses(self) -> Iterable[Witness]: ...
    def wishes(self) -> Iterable[Wish]: ...
    def gaps(self) -> Sequence[Gap]: ...

    def clear(self) -> None:
        """Take away what its deeds left on the servers."""
        ...


def everything_of(kit: Kit) -> tuple[One, ...]:
    """All that a kit does."""
    return (*kit.attacks(), *kit.wishes(), *kit.witnesses())


class Outcome(StrEnum):
    """How a deed ended."""

    refused = "refused"
    worked = "worked"
    failed = "failed"
    """Neither: nothing is shown by it."""


@dataclass(frozen=True, slots=True)
class Result:
    """One deed, done. ``told``: what the wall, or the failure, said."""

    of: One
    outcome: Outcome
    told: str = ""

    @property
    def good(self) -> bool:
        wanted = Outcome.refused if isinstance(self.of, Attack) else Outcome.worked
        return self.outcome is wanted


def outcome_of(one: One) -> Result:
    """Do it. Nothing that it raises ends the run: the other walls are asked as well."""
    try:
        one.deed()
    except Refused as no:
        return Result(one, Outcome.refused, clip(str(no)))
    except Exception as error:  # noqa: BLE001 whatever it was, it is told as a failure
        return Result(one, Outcome.failed, clip(f"{type(error).__name__}: {error}"))
    return Result(one, Outcome.worked)


@dataclass(frozen=True)
class Matrix:
    """All results: team by family by layer."""

    results: Sequence[Result]
    gaps: Sequence[Gap] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Layer, family, team, refused of tried, witness; breaches stand out."""
        witnesses = {(r.of.layer, r.of.family): r for r in self.results if isinstance(r.of, Witness)}
        cells: dict[tuple[str, str, str], list[Result]] = {}
        for result in self.results:
            if isinstance(result.of, Attack):
                cells.setdefault((result.of.layer, result.of.family, result.of.team), []).append(result)
        return [
            (layer, family, team, _counted(found), _witnessed(witnesses.get((layer, family))))
            for (layer, family, team), found in sorted(cells.items())
        ]

    def wishes(self) -> list[tuple[str, str, str]]:
        """Layer, team, granted of needed."""
        cells: dict[tuple[str, str], list[Result]] = {}
        for result in self.results:
            if isinstance(result.of, Wish):
                cells.setdefault((result.of.layer, result.of.team), []).append(result)
        return [
            (layer, team, f"{sum(r.good for r in found)}/{len(found)}")
            for (layer, team), found in sorted(cells.items())
        ]

    def unwitnessed(self) -> list[str]:
        """Families without a witness that worked."""
        seen = {(r.of.layer, r.of.family) for r in self.results if isinstance(r.of, Witness) and r.good}
        tried = {(r.of.layer, r.of.family) for r in self.results if isinstance(r.of, Attack)}
        return [f"{layer}: {family}" for layer, family in sorted(tried - seen)]


def _counted(found: Sequence[Result]) -> str:
    text = f"{sum(r.outcome is Outcome.refused for r in found)}/{len(found)} refused"
    breaches = sum(r.outcome is Outcome.worked for r in found)
    failed = sum(r.outcome is Outcome.failed for r in found)
    text += f", {breaches} BREACHES" if breaches else ""
    return text + (f", {failed} not tried" if failed else "")


def _witnessed(found: Result | None) -> str:
    if found is None:
        return "no witness"
    return "works without the guard" if found.good else f"FAILS: {found.told}"
