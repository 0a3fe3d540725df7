"""Programs of other makers, run to the end; what they say when they fail becomes an error of ours."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from framework.errors import FinalError, SetupError

_TIMEOUT_S: Final = 1800
_SHOWN: Final = 8


def require_tool(name: str, environ: Mapping[str, str], next_step: str) -> str:
    """Where ``name`` is. Raises: SetupError."""
    found = shutil.which(name, path=environ.get("PATH"))
    if found is None:
        raise SetupError(f"there is no {name} on PATH", expected=name, next_step=next_step)
    return found


def run(
    command: Sequence[str | Path],
    environ: Mapping[str, str],
    *,
    what: str,
    error: type[FinalError] = SetupError,
    cwd: Path | None = None,
) -> str:
    """Its standard output. ``what`` could not be had where it fails. Raises: ``error`` with the end of what it said."""
    done = ended(command, environ, what=what, error=error, cwd=cwd)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_SHOWN:]
        raise error(
            what, got=f"{Path(command[0]).name} ended with {done.returncode}",
            details=said, next_step="mend what it names, and build again",
        )  # fmt: skip
    return done.stdout


def ended(
    command: Sequence[str | Path],
    environ: Mapping[str, str],
    *,
    what: str,
    error: type[FinalError] = SetupError,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """What it came to, whatever it came to. Raises: ``error`` when it did not run."""
    try:
        return subprocess.run(
            command, env=environ, cwd=cwd, capture_output=True, text=True, errors="replace",
            timeout=_TIMEOUT_S, check=False,
            umask=0o022,  # everybody in the image reads it, whoever builds
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as failure:
        raise error(f"{what}: {Path(command[0]).name} did not run", got=str(failure)) from failure
