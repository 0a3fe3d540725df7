"""The jobs' ports beside the DAG files, as a release carries them: with them a port without an edge is an import error."""

import os
from collections.abc import Mapping
from pathlib import Path

from airflow_bindings.contracts import FILE
from framework.cli.discovery import discover
from framework.exports import JobsExport


def export_ports(workspace: Path, folders: Mapping[str, Path]) -> None:
    """Write ``jobs.json`` of each team into its DAG folder, whole or not at all. Raises: ConfigError."""
    contracts = discover(workspace).require_whole()
    for team, folder in folders.items():
        own = [contract for contract in contracts if contract.job.startswith((f"jobs.{team}.", "jobs.shared."))]
        aside = folder / f".{FILE}.{os.getpid()}"
        aside.write_bytes(JobsExport.of(own).json_bytes())
        aside.replace(folder / FILE)
