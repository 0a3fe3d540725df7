"""The team file as a record, and the questions asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from framework.errors import ConfigError, PolicyError
from framework.identity import TaskKey, check_team
from framework.records import Record
from framework.schema.annotations import nearest
from framework.tenancy.places import AlluxioPlace, StorePlace


def _team(name: str) -> str:
    try:
        return check_team(name)
    except ConfigError as error:
        raise ValueError(f"{error.what}; expected {error.expected}") from None


def _task(text: str) -> str:
    dag_id, slash, task_id = text.partition("/")
    if not (dag_id and slash and task_id) or "*" in text:
        raise ValueError("expected <dag_id>/<task_id>, without wildcards")
    return text


def _pattern(text: str) -> str:
    if "*" in text.removesuffix("/*") or text in ("/*", "*"):
        raise ValueError("expected a path, or a path ending in '/*' for everything below it")
    return text


TEAM_FILES: Final = "k8s/teams"

TeamName = Annotated[str, AfterValidator(_team)]


class Grant(Record):
    """Tasks of this team, as ``dag_id/task_id``, whose outputs another team may read."""

    to: TeamName
    read: tuple[Annotated[str, AfterValidator(_task)], ...] = Field(min_length=1)


class Team(Record):
    """One team file."""

    team: TeamName
    owners: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")], ...] = Field(min_length=1)
    store: StorePlace
    cache: AlluxioPlace | None = None
    reads: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()
    grants: tuple[Grant, ...] = ()

    @model_validator(mode="after")
    def _dags_are_its_own(self) -> "Team":
        foreign = [task for grant in self.grants for task in grant.read if not task.startswith(f"{self.team}.")]
        if foreign:
            raise ValueError(f"grants name DAGs of this team, '{self.team}.<name>/<task>'; got {', '.join(foreign)}")
        return self


@dataclass(frozen=True)
class Teams:
    """All teams of a workspace. Relative paths in team files start at ``workspace``; ``folder`` is where those files are."""

    workspace: Path
    by_name: Mapping[str, Team]
    folder: str = TEAM_FILES

    def file(self, name: str) -> str:
        """The team file, as people say it."""
        return f"{self.folder}/{name}.yaml"

    def team(self, name: str) -> Team:
        """Raises: ConfigError, naming the file that would add the team."""
        if name not in self.by_name:
            raise ConfigError(
                f"no such team{nearest(name, self.by_name)}",
                got=name,
                expected=f"one of {', '.join(sorted(self.by_name)) or '(no team file found)'}",
                next_step=f"correct the name, or: teamspark new team {name} --owner you@example.org",
            )
        return self.by_name[name]

    def require_grant(self, consumer: str, producer: TaskKey) -> None:
        """Raises: PolicyError unless ``consumer`` owns or was granted the outputs of ``producer``."""
        if consumer == producer.team:
            return
        wanted = f"{producer.dag_id}/{producer.task_id}"
        if any(g.to == consumer and wanted in g.read for g in self.team(producer.team).grants):
            return
        raise PolicyError(
            f"team '{consumer}' may not read this output of team '{producer.team}'",
            where=str(producer),
            expected=f"a grant in {self.file(producer.team)}",
            next_step=f"ask its owners to add: grants: [{{to: {consumer}, read: [{wanted}]}}]",
        )

    def require_read(self, name: str, place: Path) -> None:
        """Raises: PolicyError unless the team file's ``reads`` cover ``place`` (an absolute, resolved path)."""
        if not any(self._covers(pattern, place) for pattern in self.team(name).reads):
            raise PolicyError(
                f"team '{name}' may not read this place",
                got=str(place),
                expected=f"a place covered by 'reads' in {self.file(name)}",
                next_step="add the place, or '<directory>/*', to reads",
            )

    def _covers(self, pattern: str, place: Path) -> bool:
        allowed = (self.workspace / pattern.removesuffix("/*")).resolve()
        return allowed in place.parents if pattern.endswith("/*") else allowed == place
