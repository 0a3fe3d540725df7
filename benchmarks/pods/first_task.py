"""From the moment at which somebody asks for a run to the first task of its one executor, and what comes before it.

All of them print when their session was there; the task itself tells when it ran. Then they are ended.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Final

from benchmarks.pairs import Answer, Run, run_pairs
from benchmarks.pods.place import TEAM, WITHIN_S, Benched, require_soon
from benchmarks.pods.plain import SPACE, plain_objects, plain_pod, submitted
from framework.config import ExportedConfig, RunFacts
from framework.errors import TeamsparkError
from framework.identity import Epoch, RunKey
from framework.launch.base import CONFIG, RESULT, LaunchRequest, Resources, Share
from framework.tenancy.render import as_yaml
from k8s.images.parts import PACKAGES
from k8s.launch.parts import FILES, PLATFORM

ROUNDS: Final = 9
SIZE: Final = Share("800m", "1Gi")
OURS, BARE, PLAIN, SUBMIT = "our driver", "our driver, no archive", "a plain pod", "spark-submit"
OVER_PLAIN, OVER_SUBMIT = 1.05, 0.7
NOTE: Final = """
def first_task(spark):
    import time
    from pyspark.sql import functions as F

    print("session", time.time(), flush=True)
    now = F.udf(lambda _: __import__("time").time(), "double")
    (row,) = spark.range(1).select(now("id").alias("now")).collect()
    print("first", row.now, flush=True)
"""
SCRIPT: Final = f"""
import json, os
from pyspark.sql import SparkSession
{NOTE}
builder = SparkSession.builder.appName("plain")
for key, value in json.loads(os.environ.get("SETTINGS", "{{}}")).items():
    builder = builder.config(key, value)
if "POD_IP" in os.environ:
    builder = builder.config("spark.driver.host", os.environ["POD_IP"])
first_task(builder.getOrCreate())
"""
JOB: Final = f'''
"""A job that tells when its first task ran."""

from pyspark.sql import SparkSession

from framework import Frame, Job, Schema


class Row(Schema):
    id: int


class First(Job):
    def transform(self, spark: SparkSession) -> Frame[Row]:
        first_task(spark)
        return spark.range(1)

{NOTE}
'''
JOBS: Final = {f"jobs/{TEAM}/first.py": JOB, f"jobs/{TEAM}/__init__.py": "", "jobs/__init__.py": ""}


@dataclass
class Clock:
    """When it was asked for; how long it was from there to each mark, by variant, one of each round."""

    marks: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def read(self, variant: str, began: float, log: Callable[[], str]) -> float:
        """Seconds to the first task, once the log tells of it. Raises: RuntimeError."""
        deadline = time.monotonic() + WITHIN_S
        while "first" not in (found := _marks(log())):
            require_soon(deadline, f"{variant}: no first task\n{log()[-3000:]}")
            time.sleep(0.3)
        for name, moment in found.items():
            self.marks[variant][name].append(moment - began)
        return found["first"] - began


def _marks(text: str) -> Mapping[str, float]:
    pairs = (line.split(" ") for line in text.splitlines() if line.startswith(("session ", "first ")))
    return {pair[0]: float(pair[1]) for pair in pairs}


def first_tasks(place: Benched, rounds: int = ROUNDS) -> tuple[Answer, ...]:
    """Three answers from the same rounds."""
    clock, numbers = Clock(), count()
    plain_objects(place, SCRIPT)
    variants: dict[str, Run] = {
        OURS: lambda: _ours(place, clock, OURS, f"ours-{next(numbers)}", {}),
        # A property of every Java makes it another Java, which no archive fits.
        BARE: lambda: _ours(place, clock, BARE, f"bare-{next(numbers)}", {"JAVA_TOOL_OPTIONS": "-Dbench.archive=none"}),
        PLAIN: lambda: _plain(place, clock, f"plain-{next(numbers)}"),
        SUBMIT: lambda: _submitted(place, clock, f"submitted-{next(numbers)}"),
    }
    seconds = run_pairs(variants, rounds)
    to_session = {name: tuple(clock.marks[name]["session"][-rounds:]) for name in (BARE, OURS, PLAIN)}
    question = "seconds from asking for a run to the first task of its one executor, over"
    note = "in a namespace without policies: spark-submit's driver lacks what Pod Security asks for"
    return (
        Answer(f"{question} a plain pod with settings by hand", PLAIN, {name: seconds[name] for name in (PLAIN, OURS, BARE)}, {OURS: OVER_PLAIN}, (note,)),
        Answer(f"{question} spark-submit in cluster mode", SUBMIT, {name: seconds[name] for name in (SUBMIT, OURS)}, {OURS: OVER_SUBMIT}, (note,)),
        Answer("seconds from asking for a run to its session, over the same image without the archive", BARE, to_session),
    )  # fmt: skip


def _ours(place: Benched, clock: Clock, variant: str, name: str, environ: Mapping[str, str]) -> float:
    launcher, asked = place.launcher(), _request(place, name, environ)
    began = time.time()
    launcher.start(asked)
    taken = clock.read(variant, began, lambda: launcher.log(name).decode())
    launcher.kill(name)
    place.empty(TEAM)
    return taken


def _request(place: Benched, name: str, environ: Mapping[str, str]) -> LaunchRequest:
    assert place.keys is not None, "a place for Spark has a store"
    key, epoch = RunKey(TEAM, f"{TEAM}.daily", name, "20130101T000000Z"), Epoch("1f" * 8, 1, 1)
    config = ExportedConfig(
        key=key, epoch=epoch, job=f"jobs.{TEAM}.first:First", workspace=PACKAGES, team_files=f"{FILES}/teams",
        run=RunFacts(run_id="r", run_after=datetime(2013, 1, 1, tzinfo=UTC)),
    )  # fmt: skip
    command = ("driver", "--config", CONFIG, "--result", RESULT, "--platform", f"{FILES}/{PLATFORM}")
    return LaunchRequest(
        name, key, epoch, 0, command, config.json_bytes(), env={**place.keys.environment(), **environ},
        resources=Resources(place.jobs, SIZE, SIZE, 1), files={f"teams/{TEAM}.yaml": as_yaml(place.team)},
    )  # fmt: skip


def _plain(place: Benched, clock: Clock, name: str) -> float:
    pod = plain_pod(place, name, SIZE)
    began = time.time()
    place.admin.create(pod)
    taken = clock.read(PLAIN, began, partial(_log, place, name))
    place.empty(SPACE)
    return taken


def _submitted(place: Benched, clock: Clock, name: str) -> float:
    began = time.time()
    submitted(place, name, SIZE, dict(os.environ))
    taken = clock.read(SUBMIT, began, partial(_log, place, name))
    place.empty(SPACE)
    return taken


def _log(place: Benched, name: str) -> str:
    try:
        return place.admin.ask("GET", f"/api/v1/namespaces/{SPACE}/pods/{name}/log?limitBytes=100000")
    except TeamsparkError:  # no container yet, or one that cannot be asked: the next look asks again
        return ""
