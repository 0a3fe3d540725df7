"""The class-data archive of Spark in an image: made once at build, mapped by every driver and executor.

An archive fits one class path only, and Java expands ``jars/*`` in the order of the folder, which is another on every file
system. So the folder holds one jar, which names the others.
"""

import os
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from k8s.images.kept import Kept, Part
from k8s.images.oci import Layer
from k8s.images.running import require_tool, run

ONE_JAR: Final = "spark-class-path.jar"
MOVED: Final = "class-path"
_MADE: Final = "made"
_LINE: Final = 70  # the most bytes of a line in a manifest, less the end of the line
# What decides what is in an archive, and whether a driver finds it.
_DECIDING: Final = ("archive.py", "training.py")
_INSIDE: Final = """\
set -e
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
echo localhost > /proc/sys/kernel/hostname  # a name that the image can resolve
exec chroot --userspec="$2" "$1" python3 -c "$3"
"""
_TRAIN: Final = f"""\
import sys
from pathlib import Path
from framework.java import find_java
from framework.spark.archive import ensure_archive, fingerprint
from framework.spark.session import spark_home
made = ensure_archive(Path("/{_MADE}"), fingerprint(find_java(), spark_home()), notice=lambda told: print(told, file=sys.stderr))
sys.exit(made is None)
"""


def name_jars(spark_home: Path) -> None:
    """Move the jars to a folder beside, and put one into their place that names them. Times are an image's: none."""
    jars, moved = spark_home / "jars", spark_home / MOVED
    jars.rename(moved)
    jars.mkdir(mode=0o755)
    # Spark's launcher takes this one first.
    names = sorted(
        (path.name for path in moved.glob("*.jar")), key=lambda name: (not name.startswith("slf4j-api-"), name)
    )
    entry = zipfile.ZipInfo("META-INF/MANIFEST.MF", (1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(jars / ONE_JAR, "w") as jar:
        jar.writestr(entry, _manifest(f"../{MOVED}/{name}" for name in names))
    for path in (jars / ONE_JAR, *moved.iterdir()):
        os.utime(path, (0, 0))


def _manifest(urls: Iterable[str]) -> str:
    line = f"Class-Path: {' '.join(urls)}"
    starts = range(_LINE, len(line), _LINE - 1)
    lines = [
        "Manifest-Version: 1.0",
        line[:_LINE],
        *(f" {line[start : start + _LINE - 1]}" for start in starts),
        "",
        "",
    ]
    return "\r\n".join(lines)


def archive_part(
    target: str, kept: Sequence[Kept], deciding: Sequence[Kept], environ: Mapping[str, str], user: str
) -> Part:
    """The archive, made by Spark itself in the image that ``kept`` makes; anew when one of ``deciding`` is another."""
    code = [sha256(files("framework.spark").joinpath(name).read_bytes()).hexdigest() for name in _DECIDING]
    inputs = (*(one.digest for one in deciding), *code, "1")
    return Part("classes", target, inputs, partial(_train, [one.layer for one in kept], environ, user))


def _train(layers: Sequence[Layer], environ: Mapping[str, str], user: str, tree: Path) -> None:
    unshare = require_tool("unshare", environ, "apt-get install util-linux")
    with TemporaryDirectory(dir=tree.parents[1], ignore_cleanup_errors=True) as name:
        root = Path(name) / "root"
        for layer in layers:
            _assembled(layer, root)
        made = root / _MADE
        made.mkdir()
        os.chown(made, *map(int, user.split(":")))
        # Mounts and processes of its own, which end with it.
        apart: list[str | Path] = [
            unshare,
            "--mount",
            "--pid",
            "--uts",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            _INSIDE,
            "sh",
            root,
        ]
        run([*apart, user, _TRAIN], environ, what="no class-data archive of Spark was written")
        for archive in made.glob("*.jsa"):
            shutil.copyfile(archive, tree / archive.name)


def _assembled(layer: Layer, root: Path) -> None:
    """Other names of the same files: nothing is copied."""
    target = root / layer.target.lstrip("/")
    shutil.copytree(layer.source, target, symlinks=True, dirs_exist_ok=True, copy_function=os.link)
