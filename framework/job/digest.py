"""Which code a run has: one digest over a team's jobs, the same in a working tree, in an image and in a manifest.

It covers every file that somebody wrote below ``jobs/<team>`` and ``jobs/shared``, whatever its kind: a file of sources decides
what a run reads. Byte code and folders called ``fixtures`` are left out.
"""

import hashlib
import importlib.util
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from framework.errors import SetupError, clip
from framework.identity import check_team

SHARED: Final = "shared"
# Data for tests, no input of a run.
_SKIPPED: Final = ("fixtures",)


def code_digest(team: str) -> str:
    """The digest of the team's jobs as this process imports them. Raises: SetupError when they cannot be read."""
    spec = importlib.util.find_spec("jobs")
    # A path of imports may name a folder twice.
    places = dict.fromkeys(Path(place).resolve() for place in (spec.submodule_search_locations if spec else None) or ())
    return digest_of(chain.from_iterable(_named(place, team_sources(place, team)) for place in places))


def tree_digest(jobs: Path, team: str) -> str | None:
    """The digest of the team's jobs in the folder ``jobs``; None where the team has none there. Raises: SetupError."""
    return digest_of(_named(jobs, team_sources(jobs, team))) if (jobs / team).is_dir() else None


def team_sources(jobs: Path, team: str) -> Iterator[Path]:
    """What of ``jobs`` belongs to runs of ``team``, in order."""
    check_team(team)  # it becomes a folder here
    if (jobs / "__init__.py").is_file():
        yield jobs / "__init__.py"
    for folder in (SHARED, team):
        if (jobs / folder).is_dir():
            yield from sources(jobs / folder, _SKIPPED)


def sources(root: Path, skipped: Collection[str] = ()) -> Iterator[Path]:
    """The files and links below ``root`` that somebody wrote, in order; nothing in a folder called as one of ``skipped``."""
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.name not in {"__pycache__", *skipped}:
                yield from sources(path, skipped)
        elif path.suffix != ".pyc":
            yield path


def digest_of(named: Iterable[tuple[str, Path]]) -> str:
    """sha256, hex, over names and bytes. Of a link its target counts, which is not opened. Raises: SetupError."""
    digest = hashlib.sha256()
    try:
        for name, path in named:
            content = b"->" + bytes(path.readlink()) if path.is_symlink() else path.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    except OSError as error:
        raise SetupError("code cannot be read", where=error.filename, got=clip(error.strerror or str(error))) from error
    return digest.hexdigest()


def _named(root: Path, paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    return ((path.relative_to(root).as_posix(), path) for path in paths)
