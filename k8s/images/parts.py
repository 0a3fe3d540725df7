"""What the Spark image is made of, and how each part is made. The order of layers is ``spark``'s."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from platform import machine
from typing import Final

import framework
from framework.errors import ConfigError, SetupError
from framework.jars.catalog import chosen, load_catalog
from framework.jars.sync import ensure_jars
from framework.java import find_java
from k8s.images.classes import name_jars
from k8s.images.debian import DEBIAN, DEBIAN_PACKAGES, HOME, USER, make_debian
from k8s.images.jre import JAVA_MODULES, make_java
from k8s.images.kept import Notice, Part
from k8s.images.running import require_tool, run
from k8s.images.trees import compiled, content_digest, copied, readable

Failure = type[ConfigError] | type[SetupError]
PREFIX: Final = "local/teamspark"
PACKAGES: Final = "/usr/local/lib/python3.11/dist-packages"
"""Where Debian's Python looks without being told."""
CACHE: Final = f"{HOME}/cache"
JAVA: Final = "/opt/java"
JAR_SETS: Final = ("s3a", "delta", "alluxio-client", "postgres")
# The libraries of this Debian: no wheel may ask for a newer one, whatever machine builds.
_PLATFORM: Final = f"{machine()}-manylinux_2_36"


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes parts on this machine.

    ``lock`` is the list of the Python packages of drivers and executors, ``notice`` hears what takes long, and the names of
    images begin with ``prefix``.
    """

    environ: Mapping[str, str]
    lock: Path
    notice: Notice
    prefix: str = PREFIX

    def debian(self) -> Part:
        """Debian with Python and tini, and a user."""
        inputs = (DEBIAN, *DEBIAN_PACKAGES, str(USER), machine(), "3")
        return Part("debian", "/", inputs, partial(make_debian, self.environ))

    def java(self) -> Part:
        """A Java of the modules that Spark needs, with its class-data archive."""
        java = find_java(self.environ)
        return Part("java", JAVA, (java.banner, *JAVA_MODULES, "2"), partial(make_java, self.environ, java.home))

    def packages(self) -> Part:
        """The Python packages of the platform's lock, Spark among them."""
        part = self.locked("packages", self.lock, SetupError)
        return replace(part, inputs=(*part.inputs, "1"), make=partial(_spark, part.make))

    def locked(self, name: str, lock: Path, error: Failure) -> Part:
        """The packages of any lock. Raises: ConfigError when it cannot be read."""
        try:
            content = lock.read_bytes()
        except OSError as failure:
            raise ConfigError("a lock cannot be read", where=lock, got=failure.strerror) from failure
        inputs = (sha256(content).hexdigest(), _PLATFORM, "2")
        return Part(name, PACKAGES, inputs, partial(self._packages, lock, error))

    def jars(self, name: str = "jars", sets: Sequence[str] = JAR_SETS) -> Part:
        """The pinned jars, where ``framework.jars`` looks in an environment that it may not write."""
        inputs = tuple(jar.sha256 for one in chosen(sets, load_catalog()) for jar in one.jars)
        return Part(name, f"{CACHE}/teamspark/jars", (*sets, *inputs), partial(_jars, sets))

    def framework(self) -> Part:
        """Our own package, alone: it changes more often than the rest."""
        source = Path(framework.__file__).parent
        made = partial(_framework, source)
        return Part("framework", PACKAGES, (content_digest(source), version("teamspark"), "2"), made)

    def scripts(self) -> Part:
        """The entrypoint, and the folder that containers work in."""
        script = files("k8s.images").joinpath("entrypoint").read_text()
        return Part("scripts", HOME, (script, "1"), partial(_scripts, script))

    def _packages(self, lock: Path, error: Failure, tree: Path) -> None:
        uv = Path(sys.executable).with_name("uv")
        tool = str(uv) if uv.is_file() else require_tool("uv", self.environ, "make setup")
        options: list[str | Path] = [
            "--python",
            sys.executable,
            "--python-version",
            "3.11",
            "--python-platform",
            _PLATFORM,
        ]
        place: list[str | Path] = ["--target", tree, "--link-mode", "copy", "--no-deps", "--require-hashes", "-r", lock]
        what = f"the packages of {lock.name} cannot be installed"
        run([tool, "pip", "install", "--quiet", *options, *place], self.environ, what=what, error=error)
        shutil.rmtree(tree / "bin", ignore_errors=True)  # they start with this machine's Python
        (tree / ".lock").unlink(missing_ok=True)
        readable(tree)
        compiled(tree, within=tree, at=PACKAGES)


def _spark(make: Callable[[Path], None], tree: Path) -> None:
    make(tree)
    name_jars(tree / "pyspark")


def _jars(sets: Sequence[str], tree: Path) -> None:
    for path in ensure_jars(*sets):
        folder = tree / path.parent.name
        folder.mkdir(exist_ok=True)
        shutil.copyfile(path, folder / path.name)
    readable(tree)


def _framework(source: Path, tree: Path) -> None:
    copied(source, tree / "framework")
    facts = tree / f"teamspark-{version('teamspark')}.dist-info"
    facts.mkdir()
    # Manifests name the version; commands of other rooms, which are not here, are not offered.
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: teamspark\nVersion: {version('teamspark')}\n")
    readable(tree)
    compiled(tree, within=tree, at=PACKAGES)


def _scripts(script: str, tree: Path) -> None:
    (tree / "entrypoint").write_text(script)
    (tree / "entrypoint").chmod(0o755)
    (tree / "work").mkdir()
    (tree / "work").chmod(0o1777)
