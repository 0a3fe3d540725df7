"""One run, from plan to published attempt: the only path there is, on a laptop, in a test and in Airflow.

Nothing is written before the claim, nothing is visible before publish, and a try whose attempt is already published
computes nothing.
"""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from framework.config import RunResult
from framework.errors import JobFailed, TeamsparkError, clip
from framework.identity import JobName
from framework.job import Job, split_outputs
from framework.job.digest import code_digest
from framework.manifest import InputEntry, Manifest, OutputEntry
from framework.plan import Plan, PlanRequest, make_plan
from framework.report import Account, result_of
from framework.runner.reading import Reads, read_inputs
from framework.runner.writing import Writer, checked
from framework.storage.base import Store
from framework.storage.publish import Attempt, Published, RunLog
from framework.world import World

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PHASES: Final = ("resume", "plan", "session", "read", "transform", "claim", "write", "verify", "publish")


def _ignore(phase: str) -> None:
    pass


@dataclass(frozen=True)
class RunOptions:
    """How a run gets its session, who it says it is, and who is told when a phase begins."""

    session: Callable[[], AbstractContextManager["SparkSession"]]
    who: str
    observe: Callable[[str], None] = _ignore


@dataclass
class Stopwatch:
    """Seconds spent in each phase."""

    observe: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self.observe(name)
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started


def execute(request: PlanRequest, job: Job, world: World, options: RunOptions) -> RunResult:
    """Run ``job`` as ``request`` says and publish its outputs.

    Raises: every leaf of ``TeamsparkError``. Before ``claim`` nothing has been written, after it nothing is visible.
    """
    config = request.config
    log = RunLog(world.output_store(config.key.team), config.key)
    watch = Stopwatch(options.observe)
    with watch.phase("resume"):
        done = log.resume(config.epoch, clear_number=config.clear_number, who=options.who)
    if done is not None:
        return result_of(done, Account("resumed", watch.seconds))
    with watch.phase("plan"):
        plan = make_plan(request, world)
    with ExitStack() as stack:
        with watch.phase("session"):
            spark = stack.enter_context(options.session())
        published, warnings = _Flow(plan, job, world, options.who, watch).run(spark)
    newest = log.newest()
    superseded = newest is not None and newest.number > published.number
    return result_of(published, Account("superseded" if superseded else "published", watch.seconds, warnings))


@dataclass(frozen=True)
class _Flow:
    """The phases that need a session."""

    plan: Plan
    job: Job
    world: World
    who: str
    watch: Stopwatch

    def run(self, spark: "SparkSession") -> tuple[Published, tuple[str, ...]]:
        with self.watch.phase("read"):
            reads = read_inputs(spark, self.plan, self.world)
        with self.watch.phase("transform"):
            frames = self._transform(spark, reads)
        with self.watch.phase("claim"):
            attempt = self._claim()
        try:
            return self._publish(spark, attempt, frames, reads)
        finally:
            spark.catalog.clearCache()  # what transform persisted

    def _transform(self, spark: "SparkSession", reads: Reads) -> dict[str, "DataFrame"]:
        contract = self.plan.contract
        injected: Mapping[str, Any] = {"run": self.plan.run, "spark": spark}
        arguments = {**reads.frames, **{name: injected[kind] for name, kind in contract.injected}}
        with authors_code(contract.job), reads.guarded():
            returned = self.job.transform(**arguments)
        return checked(split_outputs(contract, returned), contract)

    def _claim(self) -> Attempt:
        config = self.plan.config
        log = RunLog(self._store, config.key)
        return log.claim(config.epoch, clear_number=config.clear_number, who=self.who, seen=self.plan.seen)

    def _publish(
        self, spark: "SparkSession", attempt: Attempt, frames: dict[str, "DataFrame"], reads: Reads
    ) -> tuple[Published, tuple[str, ...]]:
        writer = Writer(self.plan.contract, self._store, attempt)
        with self.watch.phase("write"), authors_code(self.plan.contract.job), reads.guarded():
            written = writer.write(frames)
        with self.watch.phase("verify"):
            outputs, warnings = writer.verify(spark, written)
            inputs, remarks = reads.verified()
        with self.watch.phase("publish"):
            manifest = _manifest(self.plan, attempt, outputs, inputs)
            return RunLog(self._store, attempt.key).publish(attempt, manifest), warnings + remarks

    @property
    def _store(self) -> Store:
        return self.world.output_store(self.plan.config.key.team)


@contextmanager
def authors_code(job: str) -> Iterator[None]:
    """The border of code that is not ours: whatever it raises becomes a JobFailed that names its line."""
    try:
        yield
    except TeamsparkError:
        raise
    except Exception as error:  # anything at all: it is not our code
        raise JobFailed(
            f"the job's transform raised {type(error).__name__}",
            where=_line_of(error, job) or job,
            got=clip(str(error).strip().partition("\nJVM stacktrace")[0] or repr(error), 600),
            next_step="try it on fixtures: teamspark run JOB --fixtures DIR",
        ) from error


def _line_of(error: Exception, job: str) -> str | None:
    """The innermost line of the team's own code that the error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    folder = f"jobs/{JobName.parse(job).team}/" if job.startswith("jobs.") else ""
    own = [f for f in frames if folder and folder in f.filename.replace("\\", "/")]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None


def _manifest(
    plan: Plan, attempt: Attempt, outputs: tuple[OutputEntry, ...], inputs: tuple[InputEntry, ...]
) -> Manifest:
    config = plan.config
    return Manifest(
        key=attempt.key,
        attempt=attempt.number,
        token=attempt.token,
        epoch=config.epoch,
        clear_number=config.clear_number,
        job=config.job,
        contract=plan.contract.hash,
        code_digest=code_digest(config.job) if config.job.startswith("jobs.") else None,
        parameters=dict(config.parameters),
        outputs=outputs,
        inputs=inputs,
        map_count=config.map_count,
        producer={"teamspark": version("teamspark"), "pyspark": version("pyspark")},
    )
