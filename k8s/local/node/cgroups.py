"""The control groups below which a node keeps its pods: made before it, removed after it."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path("/sys/fs/cgroup")
_COPIED: Final = ("cpus", "mems")
_OTHER: Final = "unified"
"""Version 2 beside version 1, without controllers: containers make groups in it, kubelet needs none."""
_TRIES: Final = 50


def make(name: str) -> None:
    """In every hierarchy of version 1, or in the one of version 2."""
    for folder in _places(name):
        if folder.parent.name != _OTHER:
            folder.mkdir(exist_ok=True)
    cpuset = ROOT / "cpuset" / name
    for kind in _COPIED if cpuset.is_dir() else ():
        # An empty set of processors, as a new group has, takes no process.
        (cpuset / f"cpuset.{kind}").write_text((ROOT / "cpuset" / f"cpuset.{kind}").read_text())


def remove(name: str) -> None:
    """All of it that no process is in. A group whose last process has just ended may still be busy for a moment."""
    for _ in range(_TRIES):
        busy = [folder for folder in _places(name) if _emptied(folder)]
        if not busy:
            return
        time.sleep(0.1)


def left(name: str) -> list[Path]:
    """Those that are there."""
    return [folder for folder in _places(name) if folder.is_dir()]


def _places(name: str) -> Iterator[Path]:
    if (ROOT / "cgroup.controllers").exists():
        yield ROOT / name
        return
    yield from (one / name for one in sorted(ROOT.iterdir()) if one.is_dir())


def _emptied(folder: Path) -> bool:
    """Whether something is left of it."""
    for inner, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            Path(inner).rmdir()
    return folder.is_dir()
