"""The jobs' ports as exported (``jobs.json``, made by ``teamspark jobs export``).

A DAG file is checked against this file instead of the job's module, which parsing must not import. A release carries it
beside the DAG files. On a developer's machine it would be stale at the next edit: there the setting ``[teamspark]
contracts`` names a folder with a file for each team, which whoever starts Airflow keeps as new as the jobs are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from framework.errors import ConfigError
from framework.exports import JobsExport
from framework.job import UNTYPED, InputPort, JobContract, OutputPort

FILE: Final = "jobs.json"
SETTING: Final = "AIRFLOW__TEAMSPARK__CONTRACTS"


@dataclass(frozen=True, slots=True)
class JobPorts:
    """``inputs``: every port that takes edges, and whether it needs one. ``contract``: hash over ports and schemas.

    ``parameters`` is a JSON schema; ``sources`` are names in the team's ``sources.yaml``; ``reads`` and ``writes``: ports
    and outputs by name. ``container``: another image fulfils it.
    """

    contract: str
    inputs: Mapping[str, bool]
    outputs: tuple[str, ...]
    parameters: Mapping[str, Any]
    sources: tuple[str, ...]
    reads: Mapping[str, InputPort]
    writes: Mapping[str, OutputPort]
    container: bool = False


@dataclass(frozen=True, slots=True)
class Contracts:
    """``ports`` by job name. ``place`` and ``remedy``: where a job is missing, and the command that helps."""

    ports: Mapping[str, JobPorts]
    place: str
    remedy: str


def file_of(folder: Path, team: str) -> Path:
    """The file of ``team`` in the folder that the setting names."""
    return folder / f"{team}.json"


def contracts_of(team: str, bundle: Path | None) -> Contracts | None:
    """The jobs that DAG files of ``team`` are checked against; None when nobody exported any.

    Raises: ConfigError when the file is no export.
    """
    from airflow.configuration import conf

    configured = conf.get("teamspark", "contracts", fallback=None)
    if configured and file_of(Path(configured), team).is_file():
        ports = _read(file_of(Path(configured), team))
        return Contracts(ports, f"jobs/{team} of this workspace", f"see those there are: teamspark jobs list {team}")
    if bundle is None or not (bundle / FILE).is_file():
        return None
    command = f"teamspark jobs export --out airflow_bindings/dags/{team}/{FILE}"
    return Contracts(
        _read(bundle / FILE), f"the bundle's {FILE}", f"if the job is new, write that file anew: {command}"
    )


def _read(path: Path) -> dict[str, JobPorts]:
    try:
        exported = JobsExport.parse_json(path.read_bytes(), where=path.name)
        return {name: _ports(contract) for name, contract in exported.contracts().items()}
    except ConfigError as error:
        raise ConfigError(
            "not an export of jobs",
            where=path.name,
            details=[error.what, *error.details, *([str(error.got)] if error.got else [])],
            next_step=f"make it again: teamspark jobs export --out <bundle>/{FILE}",
        ) from error


def _ports(contract: JobContract) -> JobPorts:
    needed = {port.name: not port.optional for port in contract.inputs if not port.source}
    reads = {port.name: port for port in contract.inputs}
    writes = {port.name: port for port in contract.outputs}
    sources = tuple(port.source for port in contract.inputs if port.source)
    return JobPorts(
        contract.hash, needed, tuple(writes), contract.parameters, sources, reads, writes, contract.container
    )


def untyped_ports(outputs: tuple[str, ...]) -> JobPorts:
    """What an image without a contract publishes: files, under these names."""
    writes = {name: OutputPort(name, UNTYPED, files=True) for name in outputs}
    return JobPorts("", {}, outputs, {}, (), {}, writes, container=True)
