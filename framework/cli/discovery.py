"""The jobs of a workspace: every module below ``jobs/`` is imported, and every job in it read, or its error kept."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framework.errors import ConfigError, TeamsparkError
from framework.identity import RESERVED_TEAMS, TEAM
from framework.job import JobContract, contract_of, jobs_in, load_job

JOBS: Final = "jobs"
_NO_CODE: Final = frozenset({"fixtures", "__pycache__"})


@dataclass(frozen=True, slots=True)
class JobFile:
    """A module of a team: where it is, and what it is imported as."""

    path: Path
    module: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A module that cannot be imported, or a job that cannot mean what it says."""

    where: str
    error: TeamsparkError


@dataclass(frozen=True, slots=True)
class Discovery:
    """All jobs that could be read, sorted by name, and all that could not."""

    contracts: tuple[JobContract, ...]
    broken: tuple[Broken, ...]

    def require_whole(self) -> tuple[JobContract, ...]:
        """The contracts, if nothing is broken. Raises: ConfigError."""
        if self.broken:
            raise ConfigError(
                f"{len(self.broken)} job module(s) cannot be read",
                details=[f"{one.where}: {one.error.what}" for one in self.broken],
                next_step="see each with its reason: teamspark check",
            )
        return self.contracts


def job_files(workspace: Path, team: str | None = None) -> tuple[JobFile, ...]:
    """Every module that a job name can name, of all teams or of one. Raises: ConfigError for a team without a folder."""
    root = workspace / JOBS
    if team is not None and not (root / team).is_dir():
        raise ConfigError(
            "no jobs of this team", got=team, where=str(root), next_step=f"teamspark new job {team} totals"
        )
    teams = sorted(folder.name for folder in root.iterdir() if folder.is_dir()) if root.is_dir() else []
    wanted = [name for name in teams if TEAM.fullmatch(name) and name not in RESERVED_TEAMS - {"shared"}]
    return tuple(file for name in wanted if team in (None, name) for file in _files(root, name))


def _files(root: Path, team: str) -> Iterator[JobFile]:
    for path in sorted((root / team).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if not _NO_CODE.intersection(parts) and all(part.isidentifier() for part in parts) and parts[-1] != "__init__":
            yield JobFile(path, ".".join((JOBS, *parts)))


def discover(workspace: Path, team: str | None = None) -> Discovery:
    """Import every module and read every contract. ``workspace`` must be importable (``Scope.importing``)."""
    contracts: list[JobContract] = []
    broken: list[Broken] = []
    for file in job_files(workspace, team):
        for found in _read(file):
            if isinstance(found, Broken):
                broken.append(found)
            else:
                contracts.append(found)
    return Discovery(tuple(sorted(contracts, key=lambda one: one.job)), tuple(broken))


def _read(file: JobFile) -> Iterator[JobContract | Broken]:
    try:
        # Asked for a class that no module has, the loader imports the module and tells all that can go wrong with it.
        load_job(f"{file.module}:Any0")
    except TeamsparkError as error:
        if not isinstance(error, ConfigError) or file.module not in sys.modules:
            yield Broken(file.module, error)
            return
    for name, job in jobs_in(sys.modules[file.module]).items():
        try:
            yield contract_of(job)
        except TeamsparkError as error:
            yield Broken(f"{file.module}:{name}", error)
