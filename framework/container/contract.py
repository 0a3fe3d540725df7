"""The contract of a run of an image: its ``Contract`` class, or, where it has none, files at every edge. Pure but for the import."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from framework.config import ExportedConfig
from framework.errors import ConfigError, DefinitionError
from framework.job import UNTYPED, Contract, InputPort, Job, JobContract, OutputPort, build_job, contract_of
from framework.job.shipped import load_shipped

_OPEN: Final[Mapping[str, Any]] = {"type": "object"}


@dataclass(frozen=True)
class Fulfilled:
    """``contract``, and ``job``: the class with its parameters, where there is one."""

    contract: JobContract
    job: Job | None = None


def fulfilled(config: ExportedConfig) -> Fulfilled:
    """What the program of ``config`` takes and gives. Raises: ConfigError, DefinitionError."""
    if config.container is None:
        raise ConfigError("this run is of a Spark job, not of another image", where=str(config.key), got=config.job)
    if not config.job.startswith("jobs."):
        return Fulfilled(untyped(config.job, tuple(config.inputs), config.container.outputs))
    found = load_shipped(config.job, config.key.team, image=config.code.image, digest=config.code.digest)
    require_contract(found, config.job)
    return Fulfilled(contract_of(found), build_job(found, config.parameters))


def require_contract(job: type[Job], name: str) -> None:
    """Raises: DefinitionError for a class that Spark runs."""
    if not issubclass(job, Contract):
        raise DefinitionError(
            "this class is a Spark job, which another image cannot run",
            where=name,
            expected="a class that subclasses framework.Contract",
            next_step="use SparkExecutionEnvironmentOperator, or make the class a Contract: a transform without a body",
        )


def untyped(name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> JobContract:
    """Of a program without a contract: whatever feeds it is files, and so is what it writes."""
    return JobContract(
        job=name,
        description="",
        inputs=tuple(InputPort(one, UNTYPED, files=True) for one in inputs),
        outputs=tuple(OutputPort(one, UNTYPED, files=True) for one in outputs),
        injected=(),
        parameters=_OPEN,
        several=len(outputs) > 1,
        container=True,
    )
