"""What does the framework add to a run, beside the same transform as a bare PySpark script?

Both read the same Parquet file, aggregate it and write Parquet; ours also plans, claims, checks and publishes. Each is
a whole process, JVM start included; both start from the class-data archive, so that only the framework differs.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.pairs import Answer, run_pairs
from benchmarks.processes import wall_s

SMALL_ROUNDS, ROUNDS = 3, 9
# Phases in which no Spark job runs: what is left is ours alone.
OURS: Final = ("resume", "plan", "claim", "publish")
ROWS, SMALL_ROWS = 120_000_000, 12_000_000

TEAM = "team: bench\nowners: [bench@example.org]\nstore: {kind: directory, root: store}\n"
TRANSFORM = """
def heavy(spark, rows):
    numbers = spark.range(0, rows, 1, 2).selectExpr("id % 1000 AS name", "sin(id) * cos(id) + sqrt(id) AS x")
    return numbers.groupBy("name").agg(F.count("*").alias("n"), F.avg("x").alias("mean")).where("n > 0")
"""
JOB = f'''
"""A job of some seconds."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from framework import Frame, Job, Schema


class Total(Schema):
    name: int
    n: int
    mean: float


class Heavy(Job):
    rows: int

    def transform(self, spark: SparkSession) -> Frame[Total]:
        return heavy(spark, self.rows)

{TRANSFORM}
'''
SCRIPT = f"""
import sys
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
{TRANSFORM}
builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
for pair in sys.argv[3:]:
    key, _, value = pair.partition("=")
    builder = builder.config(key, value)
spark = builder.getOrCreate()
heavy(spark, int(sys.argv[1])).write.parquet(sys.argv[2])
spark.stop()
"""


def ask(*, small: bool) -> tuple[Answer, ...]:
    """Seconds of whole processes; and our own phases, from the run's report."""
    with TemporaryDirectory() as folder:
        place = _Place(Path(folder), SMALL_ROWS if small else ROWS)
        place.prepare()
        variants = {"bare script with the archive": place.script, "teamspark run": place.run}
        seconds = run_pairs(variants, SMALL_ROUNDS if small else ROUNDS)
        own = sorted(place.own)
    note = f"our own phases outside Spark ({', '.join(OURS)}): median {own[len(own) // 2]:.3f} s, most {own[-1]:.3f} s"
    return (
        Answer(
            f"seconds of a job over {place.rows:,} rows, over a bare PySpark script",
            "bare script with the archive",
            seconds,
            {"teamspark run": 1.03},
            (note,),
        ),
    )


class _Place:
    """A workspace with the job, and the script beside it."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows, self.own, self.count = folder, rows, list[float](), 0

    def prepare(self) -> None:
        for name, text in (("k8s/teams/bench.yaml", TEAM), ("jobs/bench/heavy.py", JOB), ("script.py", SCRIPT)):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def script(self) -> float:
        from framework.java import find_java
        from framework.spark.archive import archive_home, archive_options, ensure_archive, fingerprint
        from framework.spark.session import spark_home

        archive = ensure_archive(archive_home(), fingerprint(find_java(os.environ), spark_home()))
        options = " ".join(archive_options(archive)) if archive else ""
        self.count += 1
        target = self.folder / f"out-{self.count}"
        return wall_s(
            [
                sys.executable,
                str(self.folder / "script.py"),
                str(self.rows),
                str(target),
                f"spark.driver.extraJavaOptions={options}",
            ]
        )

    def run(self) -> float:
        started = time.monotonic()
        done = subprocess.run(
            [
                sys.executable, "-m", "framework.cli", "--workspace", str(self.folder),
                "run", "jobs.bench.heavy:Heavy", "--date", "2013-01-01", "--param", f"rows={self.rows}", "--json",
            ],
            check=True, capture_output=True, cwd=self.folder,
        )  # fmt: skip
        taken = time.monotonic() - started
        seconds = json.loads(done.stdout)["result"]["seconds"]
        self.own.append(sum(seconds.get(phase, 0.0) for phase in OURS))
        return taken
