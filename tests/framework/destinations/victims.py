"""Processes that are killed: each forked from one that has imported everything, so that it costs milliseconds."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]


@contextmanager
def victims(program: str, place: Path) -> Iterator[Callable[[int], int]]:
    """``killed_at(number)`` is the exit code of the process that ``program`` forks when it is told this number."""
    command = [sys.executable, "-c", program, str(place)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def killed_at(number: int) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield killed_at
