"""This room keeps to the API that classic Spark and Spark Connect share, but for the modules that start a JVM."""

import ast
from pathlib import Path

import pytest

import framework.spark

ROOM = Path(framework.spark.__file__).parent
CLASSIC_ONLY = {"_jvm", "_jdf", "_jsc", "_jsparkSession", "_sc", "_gateway", "rdd", "sparkContext", "parallelize"}


def classic_only(source: str) -> list[str]:
    """Attributes in ``source`` that Spark Connect does not have."""
    return [
        f"{node.lineno}: .{node.attr}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in CLASSIC_ONLY
    ]


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_only_the_session_touches_the_jvm(path: Path) -> None:
    assert bool(classic_only(path.read_text())) is (path.name == "session.py")


def test_the_search_finds_what_it_looks_for() -> None:
    found = classic_only("spark._jvm.System.exit(0)\nframe.rdd.count()")

    assert sorted(found) == ["1: ._jvm", "2: .rdd"]
