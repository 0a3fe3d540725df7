"""Code that needs a JVM of its own, in a process of its own, which prints what it saw."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from framework.spark.archive import archive_home

ROOT: Final = Path(__file__).parents[3]
HEAD: Final = """
import json, os, sys, time
from pathlib import Path
from framework.java import find_java
from framework.spark.archive import *
from framework.spark.session import *
folder = Path({folder!r})
settings = SessionSettings("child", archive_dir=Path({archives!r}), short_job=True, log=folder / "jvm.log",
                           conf={{"spark.driver.memory": "1g"}})
seen = {{}}
"""
_FOREIGN: Final = ("SPARK_", "PYSPARK_")


def child(code: str, folder: Path, **environ: str) -> dict[str, Any]:
    """What ``code`` puts into ``seen``; it finds ``folder``, and ``settings`` of a session there."""
    return child_and_stderr(code, folder, **environ)[0]


def child_and_stderr(code: str, folder: Path, **environ: str) -> tuple[dict[str, Any], str]:
    """As ``child``, with all that was written to stderr."""
    head = HEAD.format(folder=str(folder), archives=str(archive_home()))
    env = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    done = subprocess.run(
        [sys.executable, "-c", f"{head}\n{code}\nprint(json.dumps(seen))"],
        cwd=ROOT,
        env=env | environ,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen, done.stderr
