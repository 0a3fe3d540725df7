"""Fetching what is missing: into a folder of its own, checked by size and digest, then renamed into place jar by jar.

Two syncs at once both succeed, without a lock: they rename the same bytes to the same name. What a killed sync leaves
has no jar's name, and is swept away later.
"""

import contextlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from framework.errors import SetupError
from framework.jars.catalog import Coordinate, Jar, JarSet, chosen, load_catalog
from framework.jars.maven import copy_jars
from framework.jars.place import flaw_of, jar_paths, jars_home, missing, path_of

Fetch: TypeAlias = Callable[[Sequence[Coordinate], Path], None]
"""Puts jars into a folder, each under ``Coordinate.file``; what it delivers is checked by who asked."""
Notice: TypeAlias = Callable[[str], None]

_LOG: Final = logging.getLogger("framework.jars")
_ABANDONED_S: Final = 3600
_WORK: Final = ".syncing-"


def ensure_jars(*names: str, notice: Notice = _LOG.warning) -> tuple[Path, ...]:
    """The jars of these sets in this environment; those that are missing are fetched first. Raises: as ``sync``."""
    sets = chosen(names, load_catalog()) if names else ()
    sync(jars_home(), sets, notice=notice)
    return tuple(path for one in sets for path in jar_paths(jars_home(), one))


def sync(home: Path, sets: Sequence[JarSet], *, fetch: Fetch = copy_jars, notice: Notice = _LOG.info) -> int:
    """Fetch what is missing of ``sets``, and say how many jars that were.

    Raises: SetupError for a jar that is not the pinned one (it does not stay), a place that cannot be written, or no
    Maven; StoreUnavailable when the registry does not answer.
    """
    wanted = {jar.coordinate: jar for one in sets for jar in missing(home, one)}
    if not wanted:
        return 0
    total = sum(jar.bytes for jar in wanted.values())
    notice(f"fetching {len(wanted)} jar(s), {total / 1e6:.1f} MB: once per environment")
    with _work_folder(home) as work:
        fetch(tuple(wanted), work)
        _require_pinned(work, list(wanted.values()))
        for one in sets:
            _place(home, one, work)
    return len(wanted)


def _require_pinned(work: Path, jars: Sequence[Jar]) -> None:
    absent = [str(jar.coordinate) for jar in jars if not (work / jar.file).is_file()]
    if absent:
        raise SetupError(f"{len(absent)} jar(s) were not delivered", details=absent, next_step="teamspark jars sync")
    wrong = [(jar, flaw) for jar in jars if (flaw := flaw_of(work / jar.file, jar))]
    if wrong:
        raise SetupError(
            f"{len(wrong)} jar(s) are not the pinned ones, and were thrown away",
            details=[f"{jar.coordinate}: got {flaw.got}, expected {flaw.expected}" for jar, flaw in wrong],
            next_step="ask who runs the mirror; Maven keeps the jar in its local repository: delete it there as well",
        )


def _place(home: Path, one: JarSet, work: Path) -> None:
    folder = home / one.name
    with _writing(folder):
        folder.mkdir(exist_ok=True)
        for jar in missing(home, one):
            # A copy, as another set may hold the same jar; renamed, so that its name never stands for half of it.
            half = Path(shutil.copyfile(work / jar.file, work / f"{jar.file}.{one.name}"))
            half.replace(path_of(home, one, jar))


@contextmanager
def _work_folder(home: Path) -> Iterator[Path]:
    work = home / f"{_WORK}{os.getpid()}-{secrets.token_hex(4)}"
    with _writing(home):
        work.mkdir(parents=True)
        _sweep(home)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Remove what killed syncs left."""
    for work in home.glob(f"{_WORK}*"):
        with contextlib.suppress(OSError):  # another sync sweeps as well
            if time.time() - work.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(
            "jars cannot be written here",
            where=place,
            got=error.strerror or str(error),
            next_step="give this user write permission there and room, or run the sync as who owns the environment",
        ) from error
