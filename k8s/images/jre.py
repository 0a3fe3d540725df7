"""A Java of no more modules than Spark needs, with the class-data archive of its own classes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from framework.errors import SetupError
from framework.java import install_command
from k8s.images.running import run
from k8s.images.trees import readable

JAVA_MODULES: Final = (
    "java.se", "jdk.attach", "jdk.charsets", "jdk.crypto.cryptoki", "jdk.crypto.ec", "jdk.httpserver",
    "jdk.incubator.vector",  # Spark adds it to each of its JVMs, which do not start without
    "jdk.jcmd", "jdk.jfr", "jdk.localedata", "jdk.management", "jdk.management.agent", "jdk.naming.dns", "jdk.net",
    "jdk.security.auth", "jdk.security.jgss", "jdk.unsupported", "jdk.zipfs",
)  # fmt: skip


def make_java(environ: Mapping[str, str], home: Path, tree: Path) -> None:
    """Link the Java in ``home`` into ``tree``. Raises: SetupError when it is no JDK, or linking fails."""
    jlink = home / "bin" / "jlink"
    if not jlink.is_file():
        command = install_command(environ).replace("-jre-", "-jdk-")
        raise SetupError("this Java has no jlink", where=home, expected="a JDK", next_step=command)
    made = tree.with_name("jre")
    options: list[str | Path] = ["--strip-debug", "--no-man-pages", "--no-header-files", "--include-locales", "en"]
    modules = ["--add-modules", ",".join(JAVA_MODULES)]
    run([jlink, *modules, *options, "--output", made], environ, what="no Java was linked")
    readable(made)
    _without_times(made)
    run([made / "bin" / "java", "-Xshare:dump"], environ, what="no class-data archive was written")
    _without_times(made)
    tree.rmdir()
    made.rename(tree)


def _without_times(tree: Path) -> None:
    """As in an image: an archive of classes notes the times of what it was made from, and ``framework.spark`` those of this one."""
    for path in tree.rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
