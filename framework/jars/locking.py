"""Writing the list anew, after a change of version here or in ``poms/``: Maven resolves, what it delivers is measured.

Run by ``make lock-jars`` as ``python -m framework.jars.locking [SET...]``; sets that are not named stay as they are.
"""

import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from framework.errors import SetupError
from framework.jars.catalog import LOCKED, Coordinate, Jar, JarSet, as_toml, chosen, load_catalog
from framework.jars.maven import copy_jars, run_maven
from framework.jars.place import sha256_of

LIST: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:list"
POMS: Final = Path(__file__).with_name("poms")
# `org.slf4j:slf4j-api:jar:2.0.16:compile`, with the classifier between type and version where there is one.
_LISTED: Final = re.compile(r"^\s*([\w.-]+):([\w.-]+):jar:(?:([\w.-]+):)?([\w.-]+):(?:compile|runtime)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a set is chosen: ``exact`` jars; else what its POM resolves to, ``without`` the files nobody needs."""

    about: str
    exact: tuple[str, ...] = ()
    without: str = ""


_S3A: Final = "Spark reads and writes s3a://; with the committers that need no rename"
# Found by leaving out and starting: the servers run, read a directory and mount S3 without these. RocksDB's classes
# stay (a static initialiser asks for one), and so do both generations of the AWS SDK.
_SERVER_WITHOUT: Final = (
    r"hadoop-|kerb|jnr-|jffi|curator-|zookeeper|alluxio-stress|websocket-|jersey-.*-1\.19|netty-tcnative|netty-all"
    r"|netty-.*(?:osx|macos|kqueue)|avro|nimbus|dnsjava|commons-math|snappy|amqp|jnifuse-native"
)
RECIPES: Final = {
    "s3a": Recipe(_S3A),
    "alluxio-client": Recipe("Spark reads alluxio://", ("org.alluxio:alluxio-shaded-client:2.9.6",)),
    # The newest that there are as jars; what else their POMs name is in Spark.
    "delta": Recipe(
        "Spark reads and writes Delta tables",
        ("io.delta:delta-spark_4.2_2.13:4.4.0", "io.delta:delta-storage:4.4.0"),
    ),
    # What its POM names besides are annotations for compilers.
    "postgres": Recipe("Spark reads tables of PostgreSQL", ("org.postgresql:postgresql:42.7.14",)),
    "alluxio-server": Recipe("a cache's master, worker, proxy and command line", without=_SERVER_WITHOUT),
}


def lock(names: Sequence[str]) -> None:
    """Resolve the sets ``names`` and write the list. Raises: ConfigError, SetupError, StoreUnavailable."""
    kept = dict(load_catalog()) if LOCKED.is_file() else {}
    fresh = {name: resolved(name) for name in names or RECIPES}
    LOCKED.write_text(as_toml((kept | fresh).values()), encoding="utf-8")
    for one in chosen(sorted(fresh), fresh):
        print(f"{one.name}: {len(one.jars)} jars, {one.bytes:,} bytes")


def resolved(name: str) -> JarSet:
    """The set as its POM resolves today. Raises: SetupError, StoreUnavailable."""
    recipe = RECIPES[name]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wanted = tuple(map(Coordinate.of, recipe.exact)) or _listed(name, recipe, work)
        copy_jars(wanted, work)
        return JarSet(name, recipe.about, tuple(_measured(one, work / one.file) for one in wanted))


def _listed(name: str, recipe: Recipe, work: Path) -> tuple[Coordinate, ...]:
    told = work / "resolved"
    run_maven(["-f", str(POMS / f"{name}.xml"), LIST, "-DincludeScope=runtime", f"-DoutputFile={told}"], os.environ)
    found = coordinates(told.read_text(encoding="utf-8"))
    return tuple(one for one in found if not (recipe.without and re.match(recipe.without, one.file)))


def coordinates(listed: str) -> tuple[Coordinate, ...]:
    """What ``dependency:list`` says, sorted by name, so that the list changes only where a version does."""
    found = {Coordinate(g, a, version, classifier or "") for g, a, classifier, version in _LISTED.findall(listed)}
    return tuple(sorted(found, key=str))


def _measured(coordinate: Coordinate, path: Path) -> Jar:
    if not zipfile.is_zipfile(path):
        raise SetupError("Maven did not deliver a jar that it resolved", got=str(coordinate), where=path)
    return Jar(coordinate, path.stat().st_size, sha256_of(path))


if __name__ == "__main__":
    lock(sys.argv[1:])
