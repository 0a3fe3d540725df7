"""Who a run is: teams, run keys, epochs and job names, as frozen records with one grammar each.

No I/O, no clock, no environment. How a run key becomes a path is ``framework.storage.paths``.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from framework.errors import ConfigError

TEAM: Final = re.compile(r"[a-z][a-z0-9]{2,29}")
RESERVED_TEAMS: Final = frozenset({"shared", "default"})
_NEW_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_JOB: Final = re.compile(r"jobs\.([a-z][a-z0-9]{2,29})((?:\.[a-z_][a-z0-9_]*)+):([A-Z][A-Za-z0-9]*)")


def check_team(name: str) -> str:
    """``name`` if it is a legal team name: it is used unescaped as namespace, prefix and bundle name.

    Raises: ConfigError.
    """
    if not TEAM.fullmatch(name) or name in RESERVED_TEAMS:
        raise ConfigError(
            "not a team name",
            got=name,
            expected="3 to 30 of a-z 0-9, a letter first; 'shared' and 'default' are reserved",
            next_step="choose another name",
        )
    return name


def snake_case(name: str) -> str:
    """A class's name as folders and laptops' tasks are called: ``DelayByCarrier`` is ``delay_by_carrier``."""
    return _NEW_WORD.sub("_", name).lower()


@dataclass(frozen=True, slots=True, order=True)
class TaskKey:
    """A task of a team's DAG: what edges, grants and asset URIs name."""

    team: str
    dag_id: str
    task_id: str

    def __str__(self) -> str:
        return f"{self.team}/{self.dag_id}/{self.task_id}"


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """The only identity of an output: a task, one of its runs and, for a mapped task, the index.

    ``run`` is the run's segment as ``framework.storage.paths.run_segment`` made it, for example
    ``20130101T000000Z``. Ids are the raw ones; only the path law encodes them.
    """

    team: str
    dag_id: str
    task_id: str
    run: str
    map_index: int | None = None

    @property
    def task(self) -> TaskKey:
        return TaskKey(self.team, self.dag_id, self.task_id)

    def __str__(self) -> str:
        mapped = "" if self.map_index is None else f"[{self.map_index}]"
        return f"{self.task}/{self.run}{mapped}"


@dataclass(frozen=True, slots=True)
class Epoch:
    """Which of the tries at a run key this is, as the Airflow server ordered them.

    ``incarnation`` is random, kept in the task state store, and survives retries and clears;
    (``try_number``, ``launch``) is compared only between epochs of one incarnation.
    """

    incarnation: str
    try_number: int
    launch: int

    def newer_than(self, other: Self) -> bool:
        """Whether this try was ordered after ``other``; never true across incarnations."""
        mine, theirs = (self.try_number, self.launch), (other.try_number, other.launch)
        return self.incarnation == other.incarnation and mine > theirs


@dataclass(frozen=True, slots=True)
class JobName:
    """``jobs.<team>.<module>:<Class>``, taken apart."""

    team: str
    module: str
    class_name: str

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises: ConfigError, naming the grammar, for anything else, text or not."""
        match = _JOB.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ConfigError(
                "not a job name",
                got=text,
                expected="jobs.<team>.<module>:<Class>, for example jobs.flights.delays:Delays",
                next_step="list the jobs there are with: teamspark jobs list",
            )
        team, tail, class_name = match.groups()
        return cls(team, f"jobs.{team}{tail}", class_name)

    def __str__(self) -> str:
        return f"{self.module}:{self.class_name}"
