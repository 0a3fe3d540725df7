"""The class-data archive: Spark's classes loaded and verified once per environment, then mapped by every JVM start.

Most of a cold start is loading and verifying classes; the JDK's dynamic archive (AppCDS) more than halves it. An
archive fits one environment only, so its name is a digest of what it depends on. It is built by a training run in a
process of its own, into a name of its own, and renamed into place: two builders at once both succeed, no lock.
"""

import contextlib
import hashlib
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from framework.errors import clip
from framework.home import environment_home
from framework.java import Java
from framework.spark.tuning import heap_bytes

Notice: TypeAlias = Callable[[str], None]

_LOG: Final = logging.getLogger("framework.spark")
_BUILD_TIMEOUT_S: Final = 600
_ABANDONED_S: Final = 3600
_COMPRESSED_LIMIT: Final = 32 * 2**30


def archive_home() -> Path:
    """Where this environment's archives are."""
    return environment_home()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an archive depends on. ``slot`` says whose archive it is; ``key`` whether it still matches."""

    slot: str
    key: str

    @property
    def stem(self) -> str:
        return f"{self.slot}-{self.key}"


def fingerprint(java: Java, spark_home: Path, *, class_path: str = "", heap: str = "") -> Fingerprint:
    """The fingerprint of this Java and this Spark.

    ``class_path`` is what comes before Spark's own, ``heap`` the driver's memory (from 32 GiB on the JVM lays objects
    out differently). Jars count with name, size, modification time and *order*: Java expands ``jars/*`` in the
    folder's own order, and refuses an archive made in another.
    """
    mine = [str(spark_home.resolve()), str(java.home.resolve()), class_path, heap_bytes(heap) >= _COMPRESSED_LIMIT]
    base = java.home / "lib" / "server" / "classes.jsa"
    facts = [*mine, java.banner, _stamp(base), _jars(spark_home / "jars"), _conf_files(spark_home)]
    return Fingerprint(slot=_digest(mine)[:8], key=_digest(facts)[:16])


def archive_options(archive: Path) -> tuple[str, ...]:
    """The JVM's options to use ``archive`` where it fits; where it does not, the JVM says nothing and goes on."""
    return (f"-XX:SharedArchiveFile={quoted(archive)}", "-Xshare:auto")


def dump_options(archive: Path) -> tuple[str, ...]:
    """The JVM's options to write ``archive`` at exit. Skipped classes (signed jars) are no news."""
    return (f"-XX:ArchiveClassesAtExit={quoted(archive)}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off")


def quoted(path: Path) -> str:
    """``path`` as one word of ``extraJavaOptions``, which Spark's launcher splits as a shell would."""
    text = str(path)
    if not any(c in text for c in " \t'\"\\"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def ensure_archive(
    directory: Path, wanted: Fingerprint, *, class_path: str = "", notice: Notice = _LOG.info
) -> Path | None:
    """The archive that fits, built first where there is none; None where it cannot be had, which costs time only.

    ``notice`` hears what takes long and what failed.
    """
    found = find_archive(directory, wanted)
    if found is not None:
        return found
    marker = directory / f"{wanted.stem}.ignored"
    if _failures(marker) > 1:
        return None
    notice("building the class-data archive: once per environment, about 40 s")
    try:
        return _build(directory, wanted, class_path)
    except (OSError, subprocess.SubprocessError) as error:
        notice(f"no class-data archive, Spark starts slower: {clip(_reason(error))}")
        # Where even this cannot be written the build fails at once, so trying each time costs nothing.
        with contextlib.suppress(OSError):
            marker.write_text(str(_failures(marker) + 1))
        return None


def find_archive(directory: Path, wanted: Fingerprint) -> Path | None:
    """The archive in ``directory`` that fits and is whole; None where there is none.

    Its size is part of its name: the JVM dies of a bus error on an archive that was cut short.
    """
    for archive in sorted(directory.glob(f"{wanted.stem}-*.jsa")):
        if archive.stem.rsplit("-", 1)[1] == str(archive.stat().st_size):
            return archive
    return None


def _build(directory: Path, wanted: Fingerprint, class_path: str) -> Path:
    """Raises: OSError, SubprocessError."""
    directory.mkdir(parents=True, exist_ok=True)
    _sweep(directory, wanted)
    work = directory / f".building-{os.getpid()}-{secrets.token_hex(4)}"
    work.mkdir()
    try:
        _train(work, class_path)
        made = work / "archive.jsa"
        # Another builder was quicker: one archive is enough.
        found = find_archive(directory, wanted)
        return found or made.replace(directory / f"{wanted.stem}-{made.stat().st_size}.jsa")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _train(work: Path, class_path: str) -> None:
    request = json.dumps({"archive": str(work / "archive.jsa"), "data": str(work / "data"), "class_path": class_path})
    log = work / "log"
    with log.open("wb") as out:
        told = subprocess.run(
            [sys.executable, "-m", "framework.spark.training", request],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=_clean_environment(os.environ),
            timeout=_BUILD_TIMEOUT_S,
            check=False,
        )
    if told.returncode != 0 or not (work / "archive.jsa").is_file():
        tail = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it printed nothing"]
        raise OSError(f"the training run ended with exit code {told.returncode}: {tail[0]}")


def _clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The training run is plain Spark: no arguments of the caller's, and no JVM that is already there."""
    kept = {name: value for name, value in environ.items() if not name.startswith("PYSPARK_")}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def is_mapped(pid: int, archive: Path) -> bool | None:
    """Whether the JVM ``pid`` has ``archive`` in its memory; None where the system does not tell.

    The JVM maps the file only after it has checked version, class path and flags, so this is its own verdict.
    """
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return None
    return any(line.endswith(f" {archive.resolve()}") for line in maps.splitlines())


def report_ignored(archive: Path, *, notice: Notice = _LOG.warning) -> None:
    """Say once that the JVM ignored ``archive``, and have it built anew; when that did not help, stop trying.

    Something outside the fingerprint then differs: a folder with files on the class path, or a Java option.
    """
    marker = archive.with_name(f"{archive.stem.rsplit('-', 1)[0]}.ignored")
    times = _failures(marker) + 1
    try:
        marker.write_text(str(times))
        archive.unlink(missing_ok=True)
    except OSError as error:
        notice(f"Java did not use the class-data archive {archive}, and it cannot be replaced: {error}")
        return
    if times == 1:
        notice(f"Java did not use the class-data archive {archive}: it will be built again at the next start")
    else:
        notice(
            f"Java did not use the class-data archive {archive} again: from now on Spark starts without one. "
            f"Look for Java options of your own or files in SPARK_CONF_DIR; delete {marker} to try again"
        )


def _failures(marker: Path) -> int:
    """How often this archive was built, or meant to be, and was of no use."""
    try:
        return int(marker.read_text())
    except (OSError, ValueError):
        return 0


def _sweep(directory: Path, wanted: Fingerprint) -> None:
    """Remove this slot's archives that match no more, and what killed builders left. Mapped files live on unlinked."""
    for old in directory.glob(f"{wanted.slot}-*"):
        if old.suffix == ".jsa" or not old.name.startswith(wanted.stem):
            old.unlink(missing_ok=True)
    for work in directory.glob(".building-*"):
        if time.time() - work.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(work, ignore_errors=True)


def _jars(folder: Path) -> list[Any]:
    with os.scandir(folder) as entries:
        return [(e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries]


def _conf_files(spark_home: Path) -> list[str]:
    """A folder with files on the class path makes every archive useless: its coming and going must be seen."""
    folder = Path(os.environ.get("SPARK_CONF_DIR") or spark_home / "conf")
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def _stamp(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"the training run took longer than {_BUILD_TIMEOUT_S} s"
    return str(error)
