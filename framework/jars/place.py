"""What is there of the pinned jars: names and sizes at once, digests when asked. Nothing is fetched here."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from framework.errors import SetupError
from framework.home import environment_home
from framework.jars.catalog import Jar, JarSet


def jars_home() -> Path:
    """Where this environment's jars are: one folder for each set."""
    return environment_home() / "jars"


@dataclass(frozen=True, slots=True)
class Flaw:
    """A file that is there under a pinned jar's name and is another."""

    path: Path
    got: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: got {self.got}, expected {self.expected}"


def path_of(home: Path, jars: JarSet, jar: Jar) -> Path:
    return home / jars.name / jar.file


def missing(home: Path, jars: JarSet) -> tuple[Jar, ...]:
    """The set's jars that are not there whole. A file gets its name only once its digest was found right."""
    return tuple(jar for jar in jars.jars if _size(path_of(home, jars, jar)) != jar.bytes)


def jar_paths(home: Path, jars: JarSet) -> tuple[Path, ...]:
    """The set's jars, in the list's order. Raises: SetupError when some are not there."""
    absent = missing(home, jars)
    if absent:
        raise SetupError(
            f"{len(absent)} of {len(jars.jars)} jars of the set '{jars.name}' are not there",
            where=home / jars.name,
            details=[jar.file for jar in absent[:5]],
            next_step=f"run: teamspark jars sync {jars.name}",
        )
    return tuple(path_of(home, jars, jar) for jar in jars.jars)


def flaws(home: Path, jars: JarSet) -> Iterator[Flaw]:
    """Every jar that is there and is not the pinned one, by size and digest. Raises: SetupError."""
    for jar in jars.jars:
        path = path_of(home, jars, jar)
        flaw = flaw_of(path, jar) if path.exists() else None
        if flaw is not None:
            yield flaw


def flaw_of(path: Path, jar: Jar) -> Flaw | None:
    """How the file ``path`` differs from ``jar``. Raises: SetupError when it cannot be read."""
    try:
        size = path.stat().st_size
        if size != jar.bytes:
            return Flaw(path, f"{size} bytes", f"{jar.bytes} bytes")
        digest = sha256_of(path)
    except OSError as error:
        raise SetupError("a jar cannot be read", where=path, got=error.strerror) from error
    return None if digest == jar.sha256 else Flaw(path, f"sha256 {digest}", f"sha256 {jar.sha256}")


def sha256_of(path: Path) -> str:
    """Raises: OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
