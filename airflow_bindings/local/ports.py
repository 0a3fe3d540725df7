"""The jobs' ports as the workspace has them now: what a release carries as ``jobs.json``, never older than the jobs.

``python -m airflow_bindings.local.ports WORKSPACE FOLDER`` does it in a process that has imported no job before.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from airflow_bindings.contracts import file_of
from framework.cli.discovery import Discovery, discover, job_files
from framework.cli.scope import Scope
from framework.cli.show import remark
from framework.exports import JobsExport

Fingerprint = frozenset[tuple[Path, int, int]]


def export_ports(workspace: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Write a file for each team with jobs into ``folder``, each whole or not at all.

    A team with a job that cannot be read gets none, and ``say`` hears why: its DAG files are then not compared with
    its jobs, and those of other teams still are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Scope(workspace).importing():
        found = discover(workspace)
    for one in found.broken:
        say(f"{one.where}: {one.error.what}; DAG files of its team are not compared with their jobs")
    broken = {_team(one.where) for one in found.broken}
    for team in {_team(file.module) for file in job_files(workspace)}:
        if broken & {team, "shared"}:
            file_of(folder, team).unlink(missing_ok=True)
        else:
            _write(file_of(folder, team), found, team)


def _write(path: Path, found: Discovery, team: str) -> None:
    own = [contract for contract in found.contracts if _team(contract.job) in (team, "shared")]
    # Of each writer its own: a kept Airflow and a command may do so at the same time.
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(JobsExport.of(own).json_bytes())
    aside.replace(path)


def _team(module: str) -> str:
    return module.split(".")[1]


def fingerprint(workspace: Path) -> Fingerprint:
    """Changes when a job's file is made, written or removed."""
    return frozenset(_stamps(file.path for file in job_files(workspace)))


def _stamps(paths: Iterable[Path]) -> Iterator[tuple[Path, int, int]]:
    for path in paths:
        # An editor may replace it at this moment; the next look sees it.
        with suppress(FileNotFoundError):
            facts = path.stat()
            yield path, facts.st_mtime_ns, facts.st_size


def export_anew(workspace: Path, folder: Path) -> None:
    """As ``export_ports``, in a process of its own: a module is imported once in a process, whatever its file says."""
    command = [sys.executable, "-m", "airflow_bindings.local.ports", str(workspace), str(folder)]
    subprocess.run(command, check=False)


def main() -> None:
    workspace, folder = map(Path, sys.argv[1:])
    export_ports(workspace, folder, remark)


if __name__ == "__main__":
    main()
