"""Spark's class-data archive, built ahead of the first run: ``python -m airflow_bindings.local.archive``.

A process of its own, so that it works beside the start of Airflow and can be ended with it.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from framework.servers import processes


@contextmanager
def being_built(log: Path) -> Iterator[processes.Started]:
    """The archive, being built beside everything else; gone with the block."""
    command = [sys.executable, "-m", "airflow_bindings.local.archive"]
    part = processes.start(processes.Program("archive", command, os.environ, log))
    try:
        yield part
    finally:
        processes.end_session(part.session)
        part.process.wait()


def await_built(part: processes.Started, say: Callable[[str], None]) -> None:
    """Runs that start before the archive is there would each build their own."""
    if part.process.poll() is None:
        say("waiting for Spark's class-data archive (built once, about 40 s)")
    code = part.process.wait()
    if code:
        say(f"no class-data archive (exit code {code}): runs start slower; see {part.log}")


def main() -> None:
    from framework.spark.archive import archive_home
    from framework.spark.session import prepare
    from framework.spark.settings import SessionSettings

    prepare(SessionSettings("archive", archive_dir=archive_home()), os.environ, notice=print)


if __name__ == "__main__":
    main()
