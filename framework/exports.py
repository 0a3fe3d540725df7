"""The two files that a release carries beside its code, as versioned JSON: what jobs are, and what feeds what.

``jobs.json`` is written where pyspark is (``teamspark jobs export``), ``edges.json`` where Airflow is (``teamspark dags
export``). Whoever reads both needs neither. No I/O.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from pydantic import Field

from framework.config import DestinationEntry, EdgeRef
from framework.errors import ConfigError
from framework.identity import TaskKey
from framework.job import JobContract
from framework.records import Record


class JobsExport(Record):
    """``jobs.json``: by job name its contract, in the form of ``JobContract.to_json``."""

    version: Literal[1] = 1
    jobs: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)

    @classmethod
    def of(cls, contracts: Iterable[JobContract]) -> Self:
        """The export of ``contracts``, sorted by name."""
        return cls(jobs={one.job: one.to_json() for one in sorted(contracts, key=lambda one: one.job)})

    def contracts(self) -> Mapping[str, JobContract]:
        """By job name. Raises: ConfigError for a contract that cannot be read."""
        try:
            return {name: JobContract.from_json(data) for name, data in self.jobs.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                "not the contract of a job",
                got=f"{type(error).__name__}: {error}",
                next_step="write the file again: teamspark jobs export",
            ) from error


class TaskEdges(Record):
    """One task of a DAG: the job it runs, and what feeds each port. ``contract``: the job's hash the DAG was written for.

    ``job`` is None for a container without a contract. The key's ids are the stored ones. ``destinations``: by output,
    as they stand in the DAG file, templates included.
    """

    task: TaskKey
    job: str | None = None
    contract: str | None = None
    inputs: Mapping[str, tuple[EdgeRef, ...]] = Field(default_factory=dict)
    destinations: Mapping[str, tuple[DestinationEntry, ...]] = Field(default_factory=dict)


class EdgesExport(Record):
    """``edges.json``: every task of every DAG."""

    version: Literal[1] = 1
    tasks: tuple[TaskEdges, ...] = ()
