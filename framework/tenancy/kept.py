"""The team files that were whole last: one team's broken file must not stop the runs of the others.

Whoever looks at team files (``doctor``, ``team``, ``check``) is told every mistake. A run takes the last whole set, and says so.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from framework.errors import ConfigError
from framework.tenancy.load import load_teams
from framework.tenancy.model import TEAM_FILES, Teams

KEPT: Final = ".teamspark/team-files"
_POINTER: Final = "whole"


def load_last_whole(workspace: Path, folder: Path | None, tell: Callable[[str], None]) -> Teams:
    """The team files, or those that were whole last; ``tell`` gets what is wrong then.

    Raises: ConfigError when they are broken and were never whole here.
    """
    source = workspace / TEAM_FILES if folder is None else folder
    # Of each folder its own: stores of this machine have team files of their own.
    kept = workspace / KEPT / sha256(str(source.resolve()).encode()).hexdigest()[:16]
    try:
        found = load_teams(workspace, folder)
    except ConfigError as error:
        former = kept / _POINTER
        if not former.is_dir():
            raise
        tell(f"the team files are broken; those that were whole last are used\n{error}")
        return replace(load_teams(workspace, former), folder=str(source))
    _keep(source, kept)
    return found


def _keep(source: Path, kept: Path) -> None:
    """A copy by its content, then one atomic step. Where nobody may write, nothing is kept: such files are replaced as a whole."""
    files = sorted(source.glob("*.yaml"))
    name = sha256(b"".join(path.name.encode() + b"\0" + path.read_bytes() + b"\0" for path in files)).hexdigest()[:16]
    pointer = kept / _POINTER
    try:
        if pointer.is_symlink() and pointer.readlink().name == name:
            return
        kept.mkdir(parents=True, exist_ok=True)
        if not (kept / name).is_dir():
            _copied(files, kept, name)
        turned = kept / f".{_POINTER}.{os.getpid()}"
        turned.symlink_to(name)
        turned.replace(pointer)
    except OSError:
        return


def _copied(files: Iterable[Path], kept: Path, name: str) -> None:
    """All or nothing: whoever made the same copy meanwhile has made it."""
    aside = Path(tempfile.mkdtemp(dir=kept))
    try:
        for path in files:
            shutil.copyfile(path, aside / path.name)
        aside.rename(kept / name)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        if not (kept / name).is_dir():
            raise
