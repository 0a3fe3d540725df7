"""Maven as the fetcher of exactly named jars: no resolution, no transitive jar, the user's own mirrors and local repository."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from framework.errors import SetupError, StoreUnavailable, TeamsparkError, clip
from framework.jars.catalog import Coordinate
from framework.java import find_java

# 2.10's `copy` fetches a jar without reading its POM and those of its parents, as 3.6.1 and 3.8.1 do: fewer requests,
# and the parent of alluxio-shaded-client, which was never published, is not missed.
COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:2.10"
_TIMEOUT_S: Final = 1800
_INSTALLERS: Final = (
    ("apt-get", "apt-get install -y maven"),
    ("dnf", "dnf install -y maven"),
    ("apk", "apk add maven"),
    ("brew", "brew install maven"),
)
_MIRROR: Final = "name a mirror that this machine reaches in Maven's settings.xml, then: teamspark jars sync"
# What Maven prints, what it means, whether time can mend it, and what to do.
_FAULTS: Final[tuple[tuple[str, str, type[TeamsparkError], str], ...]] = (
    ("status: 401", "the registry of jars refuses", SetupError, _MIRROR),
    ("status: 403", "the registry of jars refuses", SetupError, _MIRROR),
    ("status: 407", "the proxy to the registry of jars refuses", SetupError, _MIRROR),
    (
        "in offline mode",
        "Maven is told to stay offline",
        SetupError,
        "allow Maven the network, then: teamspark jars sync",
    ),
    ("Could not find artifact", "the registry does not have a jar of the list", SetupError, _MIRROR),
    ("Unknown host", "the registry of jars is not reached", StoreUnavailable, _MIRROR),
    ("No route to host", "the registry of jars is not reached", StoreUnavailable, _MIRROR),
    ("Network is unreachable", "the registry of jars is not reached", StoreUnavailable, _MIRROR),
    ("Connection refused", "the registry of jars is not reached", StoreUnavailable, _MIRROR),
    ("Could not transfer", "the registry of jars did not deliver", StoreUnavailable, _MIRROR),
    ("No space left on device", "the disk is full", SetupError, "free space, then: teamspark jars sync"),
)
_POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>teamspark</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
  <build><plugins><plugin>
    <groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>
    <configuration>
      <outputDirectory>{out}</outputDirectory>
      <artifactItems>
{items}
      </artifactItems>
    </configuration>
  </plugin></plugins></build>
</project>
"""


def copy_jars(wanted: Sequence[Coordinate], folder: Path) -> None:
    """Put the jars ``wanted`` into ``folder``, each under ``Coordinate.file``, whatever the registry delivers.

    Raises: SetupError when Maven or Java is missing, or the registry refuses; StoreUnavailable when it does not answer.
    """
    pom = folder / "pom.xml"
    pom.write_text(pom_of(wanted, folder), encoding="utf-8")
    run_maven(["-f", str(pom), f"{COPY}:copy"], os.environ)


def pom_of(wanted: Sequence[Coordinate], folder: Path) -> str:
    plugin = Coordinate.of(COPY)
    items = "\n".join(f"        {_item(one)}" for one in wanted)
    return _POM.format(
        group=plugin.group,
        artifact=plugin.artifact,
        version=plugin.version,
        out=escape(str(folder)),
        items=items,
    )


def _item(one: Coordinate) -> str:
    facts = {
        "groupId": one.group,
        "artifactId": one.artifact,
        "version": one.version,
        "classifier": one.classifier,
        "destFileName": one.file,
    }
    return f"<artifactItem>{''.join(f'<{k}>{escape(v)}</{k}>' for k, v in facts.items() if v)}</artifactItem>"


def run_maven(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """What Maven printed. Raises: as ``copy_jars``."""
    program = find_maven(environ)
    java = find_java(environ)
    try:
        done = subprocess.run(
            [program, "--batch-mode", "--no-transfer-progress", "--quiet", *arguments],
            env={**environ, "JAVA_HOME": str(java.home)},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreUnavailable(
            "Maven did not finish", where=program, got=clip(str(error)), next_step=_MIRROR
        ) from error
    if done.returncode != 0:
        raise maven_failure(done.stdout + done.stderr)
    return done.stdout


def find_maven(environ: Mapping[str, str]) -> str:
    """Maven's program on ``PATH``. Raises: SetupError with the command that installs it."""
    path = environ.get("PATH", os.defpath)
    found = shutil.which("mvn", path=path)
    if found is None:
        known = (command for tool, command in _INSTALLERS if shutil.which(tool, path=path))
        raise SetupError(
            "there is no Maven to fetch jars with",
            got="no mvn on PATH",
            expected="Maven 3.6.3 or newer",
            next_step=f"run: {next(known, 'your package manager, for the package maven')}",
        )
    return found


def maven_failure(printed: str) -> TeamsparkError:
    """The error for what Maven printed: its first line that says why, and what to do."""
    lines = [line.removeprefix("[ERROR] ").strip() for line in printed.splitlines() if "ERROR" in line]
    told = clip(lines[0] if lines else printed.strip() or "it printed nothing", 600)
    for sign, what, kind, next_step in _FAULTS:
        if sign in printed:
            return kind(what, got=told, next_step=next_step)
    return SetupError("Maven failed", got=told, next_step="run it by hand: mvn -version; then teamspark jars sync")
