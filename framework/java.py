"""Which Java starts Spark's JVM: 17 or 21, from ``JAVA_HOME``, then from ``PATH``.

No pyspark here: ``doctor`` and the scripts that set a machine up ask too.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from framework.errors import SetupError, clip

SUPPORTED: Final = (17, 21)
"""Major versions that Spark 4.2 runs on and that this project is tested with."""

_TIMEOUT_S: Final = 30
_VERSION: Final = re.compile(r'version "([^"]+)"')
# The first tool found on PATH decides; all of them install a Java that Spark accepts.
_INSTALLERS: Final = (
    ("apt-get", "apt-get install -y openjdk-17-jre-headless"),
    ("dnf", "dnf install -y java-17-openjdk-headless"),
    ("apk", "apk add openjdk17-jre-headless"),
)


@dataclass(frozen=True, slots=True)
class Java:
    """A Java that can start Spark.

    ``home`` is fit for ``JAVA_HOME``; ``banner`` is all that ``java -version`` prints (vendor and build
    included, which a class-data archive depends on); ``source`` says where it was found; ``skipped`` holds a line for
    each Java that comes before it and will not do.
    """

    home: Path
    version: str
    banner: str
    source: str
    skipped: tuple[str, ...] = ()

    @property
    def executable(self) -> Path:
        return self.home / "bin" / "java"

    @property
    def major(self) -> int:
        return major_version(self.version) or 0


def find_java(environ: Mapping[str, str] | None = None) -> Java:
    """The first Java 17 or 21 of ``environ`` (the process's by default): ``JAVA_HOME``'s, else ``PATH``'s.

    Raises: SetupError, naming each Java that was looked at and the one command to run.
    """
    env = os.environ if environ is None else environ
    seen: list[str] = []
    for source, executable in _candidates(env):
        answer = _ask(source, executable)
        if isinstance(answer, Java):
            return replace(answer, skipped=tuple(seen))
        seen.append(answer)
    raise SetupError(
        "no Java that Spark 4.2 can run on",
        got=None if seen else "JAVA_HOME is not set and there is no java on PATH",
        expected=f"Java {' or '.join(map(str, SUPPORTED))} in JAVA_HOME or on PATH",
        details=seen,
        next_step=f"run: {install_command(env)}",
    )


def major_version(text: str) -> int | None:
    """17 for ``17.0.15``, 8 for ``1.8.0_392``; None where there is no number."""
    numbers = re.match(r"(\d+)(?:\.(\d+))?", text)
    if numbers is None:
        return None
    first, second = numbers.groups()
    return int(second) if first == "1" and second else int(first)


def install_command(environ: Mapping[str, str]) -> str:
    """The one command that brings a fitting Java onto this machine."""
    if sys.platform == "darwin":
        return "brew install openjdk@17 && export JAVA_HOME=$(brew --prefix openjdk@17)"
    found = (line for tool, line in _INSTALLERS if shutil.which(tool, path=environ.get("PATH")))
    command = next(found, None)
    if command is None:
        return "export JAVA_HOME=<folder of a JDK or JRE 17>, after unpacking one from https://adoptium.net"
    return command if os.geteuid() == 0 else f"sudo {command}"


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    home = environ.get("JAVA_HOME")
    if home:
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    on_path = shutil.which("java", path=environ.get("PATH", os.defpath))
    if on_path:
        # Resolved: on Debian `java` is a link to a link, and JAVA_HOME must be the folder it ends in.
        yield "PATH", Path(on_path).resolve()


def _ask(source: str, executable: Path) -> Java | str:
    """The Java behind ``executable``, or a line that says why it will not do."""
    try:
        told = subprocess.run(
            [executable, "-version"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, errors="replace"
        )
    except OSError as error:
        return f"{source}: {executable} does not run ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"{source}: {executable} does not answer within {_TIMEOUT_S} s"
    banner = (told.stderr + told.stdout).strip()
    found = _VERSION.search(banner)
    if told.returncode != 0 or found is None:
        return f"{source}: {executable} -version says nothing of a version ({clip(banner, 120)})"
    version = found.group(1)
    if major_version(version) not in SUPPORTED:
        return f"{source}: {executable} is Java {version}"
    return Java(home=executable.parent.parent, version=version, banner=banner, source=source)
