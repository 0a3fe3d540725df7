"""What does parsing a DAG file with our operator cost beside the same DAG of plain BaseOperators?"""

import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.pairs import Answer, run_pairs
from benchmarks.processes import ROOT

SMALL_ROUNDS, ROUNDS = 3, 15
SIZES = (10, 100, 1000)
HEAVY = ("pyspark", "boto3", "kubernetes", "airflow.providers")

HEAD = """
from datetime import datetime
from airflow.sdk import DAG, BaseOperator
"""
OURS = """
from airflow_bindings import SparkExecutionEnvironmentOperator as Spark
with DAG("flights.many", schedule=None, start_date=datetime(2013, 1, 1)):
    ingest = Spark(task_id="ingest", job="jobs.flights.ingest:IngestFlights")
    for n in range({size}):
        Spark(task_id=f"t{{n}}", job="jobs.flights.delays:Delays", parameters={{"by": "route"}}, inputs={{"flights": ingest.output}})
"""
PLAIN = """
class Plain(BaseOperator):
    template_fields = ("inputs", "parameters", "job_config")
    def __init__(self, *, job, inputs=None, parameters=None, job_config=None, **rest):
        super().__init__(**rest)
        self.job, self.inputs, self.parameters, self.job_config = job, inputs, parameters, job_config
with DAG("flights.many", schedule=None, start_date=datetime(2013, 1, 1)):
    ingest = Plain(task_id="ingest", job="jobs.flights.ingest:IngestFlights")
    for n in range({size}):
        Plain(task_id=f"t{{n}}", job="jobs.flights.delays:Delays", parameters={{"by": "route"}}, inputs={{"flights": ingest.output}})
"""
# As in a DAG processor's child: Airflow is there already, the file is not.
PROGRAM = """
import sys, time
from airflow.sdk import DAG, BaseOperator, XComArg
before = set(sys.modules)
started = time.process_time()
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"__name__": "dag_file"})
print(time.process_time() - started, [name for name in sys.modules if name not in before and name.startswith(tuple(sys.argv[2:]))])
"""


def ask(*, small: bool) -> tuple[Answer, ...]:
    """CPU seconds of running the file in a fresh process in which ``airflow.sdk`` is loaded."""
    return tuple(_ask(size, SMALL_ROUNDS if small else ROUNDS) for size in (SIZES[:2] if small else SIZES))


def _ask(size: int, rounds: int) -> Answer:
    with TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.py" for name in ("plain", "ours")}
        files["plain"].write_text((HEAD + PLAIN).format(size=size))
        files["ours"].write_text((HEAD + OURS).format(size=size))
        seconds = run_pairs({name: partial(_parse, path) for name, path in files.items()}, rounds)
    return Answer(
        f"CPU of parsing a DAG file of {size} tasks, over plain BaseOperators", "plain", seconds, {"ours": 1.2}
    )


def _parse(path: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(path), *HEAVY],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    taken, _, heavy = done.stdout.strip().splitlines()[-1].partition(" ")
    if heavy != "[]":
        raise AssertionError(f"parsing {path.name} loaded {heavy}")
    return float(taken)
