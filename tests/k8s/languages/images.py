"""Four programs in four languages that do the same, each in an image of its own: only what it needs, from packages."""

import shutil
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from framework.errors import SetupError
from k8s.images.kept import Part
from k8s.images.parts import JAVA, PACKAGES, Builder
from k8s.images.running import require_tool, run
from k8s.images.spark import Image
from k8s.images.tool import FOLDER, Tool, build_tool, folder_part
from k8s.images.trees import content_digest, readable

HERE: Final = Path(__file__).parent
TEAM: Final = "flights"
# Of those that Spark brings, what reads Parquet without it.
JARS: Final = ("parquet-", "hadoop-client-", "snappy-java-", "zstd-jni-", "slf4j-api-", "jts-core-")


def python_image(builder: Builder) -> Image:
    """Debian's Python and pyarrow."""
    lock = builder.locked("packages-tool-python", HERE / "python" / "lock.txt", SetupError)
    parts = (builder.debian(), lock, folder_part("tool-python", HERE / "python", "totals.py"))
    return build_tool(builder, Tool(TEAM, "totals-python", parts, ("python3", f"{FOLDER}/totals.py")))


def duckdb_image(builder: Builder) -> Image:
    """A shell and DuckDB's command line."""
    parts = (builder.debian(), duckdb_part(builder), folder_part("tool-duckdb", HERE / "duckdb", "totals.sh"))
    env = {"DUCKDB": f"{PACKAGES}/duckdb_cli/duckdb"}
    return build_tool(builder, Tool(TEAM, "totals-duckdb", parts, ("/bin/sh", f"{FOLDER}/totals.sh"), env))


def go_image(builder: Builder) -> Image:
    """One static binary and nothing else: not even a shell."""
    return build_tool(builder, Tool(TEAM, "totals-go", (go_part(builder),), (f"{FOLDER}/totals",)))


def java_image(builder: Builder) -> Image:
    """The Java that drivers have, a class, and the jars that it reads Parquet with."""
    words = (f"{JAVA}/bin/java", "-Xmx256m", "-cp", f"{FOLDER}/jars/*:{FOLDER}", "Totals")
    return build_tool(builder, Tool(TEAM, "totals-java", (builder.debian(), builder.java(), java_part(builder)), words))


def duckdb_part(builder: Builder) -> Part:
    """The package that holds DuckDB's command line: ``duckdb_cli/duckdb``."""
    return builder.locked("packages-tool-duckdb", HERE / "duckdb" / "lock.txt", SetupError)


def go_part(builder: Builder) -> Part:
    """The binary: ``totals``."""
    folder = HERE / "go"
    inputs = (content_digest(folder, [folder / name for name in ("go.mod", "go.sum", "main.go")]), "1")
    return Part("tool-go", FOLDER, inputs, partial(_go, builder, folder))


def java_part(builder: Builder) -> Part:
    """The class, and ``jars``."""
    inputs = (content_digest(HERE / "java", [HERE / "java" / "Totals.java"]), *(one.name for one in jars()), "1")
    return Part("tool-java", FOLDER, inputs, partial(_java, builder))


def jars() -> list[Path]:
    found = find_spec("pyspark")
    assert found is not None and found.origin is not None
    return sorted(one for one in (Path(found.origin).parent / "jars").glob("*.jar") if one.name.startswith(JARS))


def _go(builder: Builder, folder: Path, tree: Path) -> None:
    go = require_tool("go", builder.environ, "install Go")
    build: list[str | Path] = [
        go,
        "build",
        "-C",
        folder,
        "-trimpath",
        "-buildvcs=false",
        "-ldflags",
        "-s -w",
        "-o",
        tree / "totals",
        ".",
    ]
    run(build, {**builder.environ, "CGO_ENABLED": "0"}, what="the Go program cannot be built")
    readable(tree)


def _java(builder: Builder, tree: Path) -> None:
    (tree / "jars").mkdir()
    for one in jars():
        shutil.copyfile(one, tree / "jars" / one.name)
    javac = require_tool("javac", builder.environ, "install a JDK 17")
    made: list[str | Path] = [
        javac,
        "--release",
        "17",
        "-cp",
        f"{tree}/jars/*",
        "-d",
        tree,
        HERE / "java" / "Totals.java",
    ]
    run(made, builder.environ, what="the Java program cannot be compiled")
    readable(tree)
