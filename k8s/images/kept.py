"""Parts of images that are made once for a machine: a tree under a name that is a digest of what it was made from."""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from framework.errors import SetupError, clip
from framework.home import cache_home
from k8s.images.blobs import tree_digest
from k8s.images.oci import Layer

Notice = Callable[[str], None]
_UNUSED_S: Final = 14 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Part:
    """What becomes a layer. The same ``inputs`` make the same tree; ``make`` fills an empty folder with it."""

    name: str
    target: str
    inputs: tuple[str, ...]
    make: Callable[[Path], None]

    @property
    def stem(self) -> str:
        return f"{self.name}-{digest_of([self.target, *self.inputs])[:16]}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A part that is there: its layer, and the digest of the layer's bytes."""

    layer: Layer
    digest: str


def digest_of(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def images_home(environ: Mapping[str, str]) -> Path:
    return cache_home(environ) / "images"


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """One build at a time: whoever comes second finds it done. Raises: SetupError."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise SetupError("images cannot be kept here", where=home, got=clip(str(error))) from error


def ensure_part(home: Path, part: Part, notice: Notice) -> Kept:
    """``part``, made if it is not there. Under ``locked``. Raises: what its ``make`` raises; OSError."""
    place = home / part.stem
    if not (place / "digest").is_file():
        notice(f"making {part.name}")
        with TemporaryDirectory(dir=home, prefix=".making-", ignore_cleanup_errors=True) as work:
            _make(Path(work), part, place)
    os.utime(place)
    return Kept(Layer(place / "tree", part.target), (place / "digest").read_text())


def _make(work: Path, part: Part, place: Path) -> None:
    tree = work / "made" / "tree"
    tree.mkdir(parents=True)
    tree.chmod(0o755)
    part.make(tree)
    (work / "made" / "digest").write_text(tree_digest(tree, part.target))
    if place.exists():
        shutil.rmtree(place)
    (work / "made").rename(place)


def sweep(home: Path) -> None:
    """Remove what was of no use to any build for two weeks, and what killed builds left. Under ``locked``."""
    for path in home.iterdir():
        if path.name.startswith(".making-") or time.time() - path.stat().st_mtime > _UNUSED_S:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
