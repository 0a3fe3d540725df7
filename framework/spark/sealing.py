"""A session that runs with the settings it was given and no others: what a JVM finds by itself is taken away from it.

For runs that a platform places. ``spark-submit`` reads a defaults file, and a ``SparkConf`` every property of the JVM that
begins with ``spark.``, from wherever options of a JVM come. It is no wall against code, which an image has anyway.
"""

import shlex
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from py4j.java_gateway import JavaGateway

__all__ = ["OTHERS_GATEWAY", "cleared", "own_file"]

# A JVM that somebody else has started knows settings of its own.
OTHERS_GATEWAY: Final[Mapping[str, str | None]] = {"PYSPARK_GATEWAY_PORT": None, "PYSPARK_GATEWAY_SECRET": None}
_PREFIX: Final = "spark."


def own_file(undo: ExitStack) -> dict[str, str]:
    """The variable by which ``spark-submit`` is given a file of settings, an empty one: without it, it looks for one."""
    folder = Path(undo.enter_context(TemporaryDirectory(prefix="teamspark-settings-", ignore_cleanup_errors=True)))
    (folder / "none.conf").touch()
    return {"PYSPARK_SUBMIT_ARGS": shlex.join(["--properties-file", str(folder / "none.conf"), "pyspark-shell"])}


def cleared(gateway: JavaGateway, known: Iterable[str]) -> tuple[str, ...]:
    """Take away every property ``spark.*`` of the JVM that is none of ``known``; which they were."""
    system, keep = gateway.jvm.java.lang.System, set(known)
    names = [str(name) for name in system.getProperties().stringPropertyNames()]
    foreign = tuple(sorted(name for name in names if name.startswith(_PREFIX) and name not in keep))
    for name in foreign:
        system.clearProperty(name)
    return foreign
