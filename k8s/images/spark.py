"""The image that drivers and executors of all teams start from."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from k8s.images.blobs import find_image
from k8s.images.classes import archive_part
from k8s.images.debian import HOME, USER
from k8s.images.kept import Kept, digest_of, ensure_part, images_home, locked, sweep
from k8s.images.oci import Settings, write_image
from k8s.images.parts import CACHE, JAVA, PACKAGES, Builder

SPARK_HOME: Final = f"{PACKAGES}/pyspark"
_TAG: Final = 12
_BINARIES: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETTINGS: Final = Settings(
    env={
        "HOME": f"{HOME}/work",
        "JAVA_HOME": JAVA,
        "LANG": "C.UTF-8",
        "PATH": f"{JAVA}/bin:{SPARK_HOME}/bin:{_BINARIES}",
        "PYSPARK_PYTHON": "/usr/bin/python3",
        "PYTHONDONTWRITEBYTECODE": "1",  # all of it is there
        "PYTHONUNBUFFERED": "1",  # what was printed before a kill is in the log
        "SPARK_HOME": SPARK_HOME,
        "XDG_CACHE_HOME": CACHE,  # jars and class-data archives are found here, by who may write nothing
    },
    user=f"{USER}:{USER}",
    workdir=f"{HOME}/work",
    entrypoint=(f"{HOME}/entrypoint",),
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was built."""

    name: str
    digest: str
    archive: Path


def build_spark(builder: Builder) -> Image:
    """The image of this machine's packages and these locks, ``PREFIX/spark:TAG``; what is there already is not made again.

    Raises: SetupError for a tool that is missing or fails; ConfigError for a lock that cannot be read.
    """
    home = images_home(builder.environ)
    with locked(home):
        image = written(Place(home, f"{builder.prefix}/spark"), _kept(home, builder), SETTINGS)
        sweep(home)
    return image


def _kept(home: Path, builder: Builder) -> list[Kept]:
    """From what changes least to what changes most; the class-data archive is made of what is around it."""
    below = (builder.debian(), builder.java(), builder.packages())
    above = (builder.jars(), builder.scripts(), builder.framework())
    first, last = ([ensure_part(home, part, builder.notice) for part in parts] for parts in (below, above))
    environ = {**SETTINGS.env, "PATH": f"{SETTINGS.env['PATH']}:{builder.environ.get('PATH', '')}"}
    classes = archive_part(f"{CACHE}/teamspark", [*first, *last], first, environ, SETTINGS.user)
    return [*first, ensure_part(home, classes, builder.notice), *last]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an archive goes, and what the image is called but for its tag. ``thin``: without the layers of what is below."""

    folder: Path
    repository: str
    thin: bool = False

    def archive(self, tag: str) -> Path:
        return self.folder / f"{self.repository.replace('/', '-')}-{tag}{'.thin' if self.thin else ''}.tar"


def written(place: Place, kept: Sequence[Kept], settings: Settings, base: Image | None = None) -> Image:
    """The image of these parts, called after its content; written only if it is not there."""
    facts = [one.digest for one in kept], asdict(settings), base.digest if base else None
    tag = digest_of(facts)[:_TAG]
    name, archive = f"{place.repository}:{tag}", place.archive(tag)
    digest = find_image(archive, name)
    if digest is None:
        layers, below = [one.layer for one in kept], base.archive if base else None
        digest = write_image(archive, name, layers, settings, base=below, thin=place.thin)
        _retire(place, archive)
    os.utime(archive)
    return Image(name, digest, archive)


def _retire(place: Place, archive: Path) -> None:
    """Each is more than a gigabyte: a day of changes would fill a disk. The last one stays, as another build may be at it."""
    others = [old for old in place.folder.glob(place.archive("[0-9a-f]" * _TAG).name) if old != archive]
    for old in sorted(others, key=lambda old: old.stat().st_mtime)[:-1]:
        old.unlink()
