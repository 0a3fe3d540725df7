"""How much memory processes had at most, as Linux tells of them.

Not ``ru_maxrss``: what a process is started from counts there too, so that a large parent makes every child look large.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

NOW: Final = "VmRSS"
AT_MOST: Final = "VmHWM"
_KIB: Final = 1024


def resident(what: str, proc: Path = Path("/proc/self")) -> int:
    """Bytes of a process and of all that it has started and that are still there; ``what``: ``NOW``, or ``AT_MOST`` so far."""
    return _bytes(proc / "status", what) + sum(resident(what, child) for child in _children(proc))


def _children(proc: Path) -> Iterator[Path]:
    for thread in (proc / "task").glob("*"):
        yield from (Path("/proc") / number for number in _read(thread / "children").split())


def _bytes(status: Path, what: str) -> int:
    lines = (line.split() for line in _read(status).splitlines())
    return next((int(words[1]) * _KIB for words in lines if words[0] == f"{what}:"), 0)


def _read(file: Path) -> str:
    """Nothing of a thread or a process that has ended meanwhile."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
