"""How long is it from the start of a process to the end of its first Spark job?

``stock`` is plain ``SparkSession.builder``. ``teamspark run`` is the command: it plans, opens the session with the
class-data archive, and runs a job whose transform counts a thousand rows. ``session, no archive`` and ``session,
archive`` tell what the archive alone is worth, ``quick session`` what the tests' sessions have besides.

Seconds are the clock's, from before the process is spawned to a time that the process itself notes.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.pairs import Answer, Run, run_pairs

SMALL_ROUNDS, ROUNDS = 1, 9
BOUND: Final = 0.5

TEAM: Final = "team: bench\nowners: [bench@example.org]\nstore: {kind: directory, root: store}\n"
NOTE: Final = """
def first_job(spark, mark):
    import time
    assert spark.range(1000).count() == 1000
    with open(mark, "w") as file:
        file.write(repr(time.time()))
"""
JOB: Final = f'''
"""A job that notes when its first Spark job has ended."""

from pyspark.sql import SparkSession

from framework import Frame, Job, Schema


class Row(Schema):
    id: int


class First(Job):
    mark: str

    def transform(self, spark: SparkSession) -> Frame[Row]:
        first_job(spark, self.mark)
        return spark.range(1)

{NOTE}
'''
STOCK: Final = f"""
import sys
from pyspark.sql import SparkSession
{NOTE}
first_job(SparkSession.builder.master("local[2]").appName("stock").getOrCreate(), sys.argv[1])
"""
SESSION: Final = f"""
import sys
from framework.spark.archive import archive_home
from framework.spark.session import SessionSettings, open_session
{NOTE}
archive = archive_home() if sys.argv[2] == "archive" else None
with open_session(SessionSettings("cold start", archive_dir=archive, short_job=sys.argv[3] == "quick")) as spark:
    first_job(spark, sys.argv[1])
"""


def ask(*, small: bool) -> tuple[Answer, ...]:
    """Seconds from spawn to the end of the first job."""
    with TemporaryDirectory() as folder:
        variants = _variants(Path(folder))
        variants["session, archive"]()  # builds the archive where there is none
        seconds = run_pairs(variants, SMALL_ROUNDS if small else ROUNDS)
    question = "seconds from process start to the end of the first Spark job, over stock PySpark"
    return (Answer(question, "stock", seconds, {"teamspark run": BOUND}),)


def _variants(folder: Path) -> dict[str, Run]:
    for name, text in (
        ("k8s/teams/bench.yaml", TEAM),
        ("jobs/bench/first.py", JOB),
        ("stock.py", STOCK),
        ("session.py", SESSION),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    mark = folder / "mark"
    ours = [
        "-m", "framework.cli", "--workspace", str(folder), "run", "jobs.bench.first:First",
        "--date", "2013-01-01", "--param", f"mark={mark}", "--json",
    ]  # fmt: skip
    return {
        "stock": lambda: _until_mark([str(folder / "stock.py"), str(mark)], mark),
        "teamspark run": lambda: _until_mark(ours, mark),
        "session, no archive": lambda: _until_mark([str(folder / "session.py"), str(mark), "none", "long"], mark),
        "session, archive": lambda: _until_mark([str(folder / "session.py"), str(mark), "archive", "long"], mark),
        "quick session": lambda: _until_mark([str(folder / "session.py"), str(mark), "archive", "quick"], mark),
    }


def _until_mark(arguments: Sequence[str], mark: Path) -> float:
    """Seconds from the spawn of this interpreter with ``arguments`` to the time that it writes into ``mark``."""
    mark.unlink(missing_ok=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    before = time.time()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, env=environ, cwd=mark.parent, check=False)
    if not mark.exists():
        raise RuntimeError(f"no first job: {done.stderr.decode(errors='replace')[-2000:]}")
    return float(mark.read_text()) - before
