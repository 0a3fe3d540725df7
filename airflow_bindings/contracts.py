"""The jobs' ports as exported beside the DAG files (``jobs.json``, made by ``teamspark jobs export``).

A DAG file is checked against this file instead of the job's module, which parsing must not import.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from framework.errors import ConfigError

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
        data = json.loads(path.read_text(encoding="utf-8"))
        return {str(job["job"]): _ports(job) for job in data["jobs"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            "not an export of jobs",
            where=FILE,
            got=f"{type(error).__name__}: {error}",
            next_step=f"make it again: teamspark jobs export --out <bundle>/{FILE}",
        ) from error


def _ports(job: Mapping[str, Any]) -> JobPorts:
    needed = {str(port["name"]): not port["optional"] for port in job["inputs"] if not port["source"]}
    return JobPorts(str(job["hash"]), needed, tuple(str(port["name"]) for port in job["outputs"]))
