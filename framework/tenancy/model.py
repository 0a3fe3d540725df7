"""The team file as a record, and the questions asked of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from framework.errors import ConfigError, PolicyError
from framework.identity import TaskKey, check_team
from framework.records import Record
from framework.schema.annotations import nearest
from framework.tenancy.cluster import ClusterFacts, PodSize, cache_size
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


def _landing(text: str) -> str:
    if text.endswith("/") or not (_IN_BUCKET.fullmatch(f"{text}/x") or Path(text).is_absolute()):
        raise ValueError(
            "expected s3://<bucket>, s3://<bucket>/<folder> or an absolute path, without a slash at its end"
        )
    return text


def _pattern(text: str) -> str:
    if "*" in text.removesuffix("/*") or text in ("/*", "*"):
        raise ValueError("expected a path, or a path ending in '/*' for everything below it")
    if "://" in text and not _IN_BUCKET.fullmatch(text):
        raise ValueError("expected s3://<bucket>/<key>, s3://<bucket>/<folder>/* or s3://<bucket>/*")
    return text


TEAM_FILES: Final = "k8s/teams"
_S3: Final = "s3://"
_IN_BUCKET: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\x00-\x1f\x7f]+")

TeamName = Annotated[str, AfterValidator(_team)]


class Grant(Record):
    """Tasks of this team, as ``dag_id/task_id``, whose outputs another team may read."""

    to: TeamName
    read: tuple[Annotated[str, AfterValidator(_task)], ...] = Field(min_length=1)


ConnectionId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]


class AirflowFacts(Record):
    """What a team has of Airflow: how many of its tasks run at once, and the connections that somebody fills for it."""

    pool_slots: Annotated[int, Field(ge=1, le=10_000)] = 16
    connections: tuple[ConnectionId, ...] = ()


class Team(ClusterFacts):
    """One team file. ``reads`` and ``writes``: places outside, beside the team's own store. ``landing``: where relative places of
    its sources begin, instead of at the workspace, which pods have none of.
    """

    team: TeamName
    owners: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")], ...] = Field(min_length=1)
    store: StorePlace
    cache: AlluxioPlace | None = None
    landing: Annotated[str, AfterValidator(_landing)] | None = None
    reads: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()
    writes: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()
    grants: tuple[Grant, ...] = ()
    airflow: AirflowFacts = Field(default_factory=AirflowFacts)

    def beside(self) -> tuple[PodSize, ...]:
        """The pod of its cache."""
        return () if self.cache is None or self.cache.master is not None else (cache_size(self.cache),)

    @model_validator(mode="after")
    def _dags_are_its_own(self) -> "Team":
        foreign = [task for grant in self.grants for task in grant.read if not task.startswith(f"{self.team}.")]
        if any(grant.to == self.team for grant in self.grants):
            raise ValueError("grants are for other teams: a team reads its own outputs without one")
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

    def loose_grants(self) -> Iterator[str]:
        """Grants to nobody: somebody's typing, or a team that is gone. They permit nothing, and stop nobody's runs."""
        for name, team in self.by_name.items():
            for grant in team.grants:
                if grant.to not in self.by_name:
                    yield f"{self.file(name)}: a grant to '{grant.to}': no such team{nearest(grant.to, self.by_name)}"

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

    def require_read(self, name: str, place: str) -> None:
        """Raises: PolicyError unless the team file's ``reads`` cover ``place``: an absolute, resolved path, or
        ``s3://bucket/key``.
        """
        if not self.may_read(name, place):
            raise PolicyError(
                f"team '{name}' may not read this place",
                got=place,
                expected=f"a place covered by 'reads' in {self.file(name)}",
                next_step="add the place, or '<directory>/*', to reads",
            )

    def require_write(self, name: str, place: str) -> None:
        """Raises: PolicyError unless the team file's ``writes`` cover ``place``, a path or ``s3://bucket/key``."""
        if not any(self._covers(pattern, place) for pattern in self.team(name).writes):
            raise PolicyError(
                f"team '{name}' may not deliver to this place",
                got=place,
                expected=f"a place covered by 'writes' in {self.file(name)}",
                next_step="add the place, or '<directory>/*', to writes",
            )

    def may_read(self, name: str, place: str) -> bool:
        """Whether the team file's ``reads`` cover ``place``, as ``require_read`` has it. Raises: ConfigError."""
        return any(self._covers(pattern, place) for pattern in self.team(name).reads)

    def _covers(self, pattern: str, place: str) -> bool:
        if _S3 in (pattern[: len(_S3)], place[: len(_S3)]):
            # A key is no path: it is compared as it is, and who opens it sees to it that Hadoop does so too.
            return place.startswith(pattern[:-1]) if pattern.endswith("/*") else place == pattern
        allowed, path = (self.workspace / pattern.removesuffix("/*")).resolve(), Path(place)
        return allowed in path.parents if pattern.endswith("/*") else allowed == path
