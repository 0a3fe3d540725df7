"""Timing whole processes, from before they are started to a line they print."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


def python_cpu_s(code: str) -> float:
    """CPU seconds, user and system, of a fresh interpreter that runs ``code``: steadier than the clock for imports."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def wall_s(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> float:
    """Seconds from before ``command`` is started to its end, which must be a success."""
    started = time.monotonic()
    subprocess.run(
        command,
        check=True,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - started
