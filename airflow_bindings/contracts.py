"""The jobs' ports as exported beside the DAG files (``jobs.json``, made by ``teamspark jobs export``).

A DAG file is checked against this file instead of the job's module, which parsing must not import.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framework.errors import ConfigError
from framework.exports import JobsExport
from framework.job import JobContract

FILE: Final = "jobs.json"


@dataclass(frozen=True, slots=True)
class JobPorts:
    """``inputs``: every port that takes edges, and whether it needs one. ``contract``: hash over ports and schemas."""

    contract: str
    inputs: Mapping[str, bool]
    outputs: tuple[str, ...]


Contracts = Mapping[str, JobPorts]


def read_contracts(bundle: Path | None) -> Contracts | None:
    """The export at the root of a bundle; None when there is none.

    Raises: ConfigError when it is not such a file.
    """
    path = None if bundle is None else bundle / FILE
    if path is None or not path.is_file():
        return None
    try:
        exported = JobsExport.parse_json(path.read_bytes(), where=FILE)
        return {name: _ports(contract) for name, contract in exported.contracts().items()}
    except ConfigError as error:
        raise ConfigError(
            "not an export of jobs",
            where=FILE,
            details=[error.what, *error.details, *([str(error.got)] if error.got else [])],
            next_step=f"make it again: teamspark jobs export --out <bundle>/{FILE}",
        ) from error


def _ports(contract: JobContract) -> JobPorts:
    needed = {port.name: not port.optional for port in contract.inputs if not port.source}
    return JobPorts(contract.hash, needed, tuple(port.name for port in contract.outputs))
