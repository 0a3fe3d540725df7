"""Which code ran: one digest over a team's Python files, so that two manifests can be told apart by their code."""

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from framework.identity import JobName

SHARED = "shared"


def code_digest(job: str) -> str:
    """sha256, hex, over the names and bytes of the Python files of the job's team and of ``jobs.shared``.

    Raises: ConfigError when ``job`` is no job name.
    """
    digest = hashlib.sha256()
    for name, path in _files(JobName.parse(job).team):
        data = path.read_bytes()
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _files(team: str) -> Iterator[tuple[str, Path]]:
    for package in (team, SHARED):
        spec = importlib.util.find_spec(f"jobs.{package}")
        for folder in spec.submodule_search_locations or () if spec else ():
            root = Path(folder)
            for path in sorted(root.rglob("*.py")):
                yield f"{package}/{path.relative_to(root).as_posix()}", path
