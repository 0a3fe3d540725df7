"""A team's image: its jobs over the Spark image, in a layer that takes a second to write."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from framework.errors import ConfigError
from framework.identity import check_team
from framework.job.digest import team_sources
from k8s.images.kept import Part, ensure_part, images_home, locked
from k8s.images.parts import PACKAGES, Builder
from k8s.images.spark import SETTINGS, Image, Place, written
from k8s.images.trees import compiled, content_digest, copied, no_links, readable

CODE_DIGEST: Final = "teamspark.code-digest"
TEAM: Final = "teamspark.team"
REQUIREMENTS: Final = "requirements.txt"
_PIN: Final = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def build_team(
    workspace: Path, team: str, base: Image, *, builder: Builder, output: Path | None = None, thin: bool = False
) -> Image:
    """``PREFIX/TEAM/jobs:TAG`` of what is below ``jobs/<team>`` now, in ``output`` or where images are kept.

    Raises: ConfigError for a team without jobs, packages without hashes or against those of the platform; SetupError.
    """
    code, digest = code_part(workspace, team)
    parts = [*_requirements(workspace, team, builder), code]
    settings = replace(SETTINGS, labels={TEAM: team, CODE_DIGEST: digest})
    home = images_home(builder.environ)
    with locked(home):
        kept = [ensure_part(home, part, builder.notice) for part in parts]
        return written(Place(output or home, f"{builder.prefix}/{team}/jobs", thin), kept, settings, base)


def code_part(workspace: Path, team: str) -> tuple[Part, str]:
    """The layer of a team's jobs, and their digest. Raises: ConfigError."""
    jobs = workspace / "jobs"
    paths = list(_files(jobs, team))
    digest = content_digest(jobs, paths)
    return Part("jobs", PACKAGES, (team, digest, "2"), partial(_copy, jobs, paths)), digest


def _files(jobs: Path, team: str) -> Iterator[Path]:
    check_team(team)  # it becomes a folder here
    if not (jobs / team).is_dir():
        raise ConfigError("this team has no jobs", where=jobs / team, next_step=f"teamspark new job {team} totals")
    yield from no_links(team_sources(jobs, team))


def _copy(jobs: Path, paths: Sequence[Path], tree: Path) -> None:
    copied(jobs, tree / "jobs", paths)
    readable(tree)
    compiled(tree, within=tree, at=PACKAGES)


def _requirements(workspace: Path, team: str, builder: Builder) -> Iterator[Part]:
    lock = workspace / "jobs" / team / REQUIREMENTS
    if lock.is_file():
        if against := clashes(lock.read_text(), builder.lock.read_text()):
            raise ConfigError(
                "a team's packages may not replace those of the platform", where=lock, details=against,
                next_step="take them out, or pin the platform's versions",
            )  # fmt: skip
        yield builder.locked(f"packages-{team}", lock, ConfigError)


def clashes(ours: str, platform: str) -> list[str]:
    """A line for each package that both lists pin, in different versions."""
    there = {_normal(name): version for name, version in _PIN.findall(platform)}
    mine = [(name, version) for name, version in _PIN.findall(ours) if there.get(_normal(name), version) != version]
    return [f"{name}=={version}: the platform has {there[_normal(name)]}" for name, version in mine]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
