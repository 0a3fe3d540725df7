"""The phases of a run that need a session: read, transform, claim, write, verify, publish."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from framework.errors import CacheUnavailable, TeamsparkError
from framework.job import Job, split_outputs
from framework.job.digest import code_digest
from framework.manifest import InputEntry, Manifest, OutputEntry
from framework.plan import Plan
from framework.runner.reading import Reads, read_inputs
from framework.runner.route import Heat, Route
from framework.runner.stopwatch import Stopwatch
from framework.runner.writing import Writer, checked
from framework.spark.failures import job_failed
from framework.storage.base import Store
from framework.storage.publish import Attempt, Published, RunLog
from framework.world import World

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Done(NamedTuple):
    """What a computation has published, what is to be said of it, the way that it took, and how hot its inputs were."""

    published: Published
    warnings: tuple[str, ...]
    route: Route
    heat: Heat


@dataclass(frozen=True)
class Computation:
    """One plan, carried out."""

    plan: Plan
    job: Job
    world: World
    who: str
    watch: Stopwatch

    def run(self, spark: "SparkSession", route: Route) -> Done:
        """By ``route``; if the cache on it fails, once more without it, in an attempt of its own.

        Raises: every leaf of TeamsparkError but CacheUnavailable.
        """
        try:
            return self._run(spark, route)
        except CacheUnavailable as error:
            return self._run(
                spark, route.past(f"the inputs were read again, from the store: {error.what} ({error.got})")
            )

    def _run(self, spark: "SparkSession", route: Route) -> Done:
        with _uncached(spark), TemporaryDirectory(prefix="teamspark-files-") as folder:
            with self.watch.phase("read"), foreign(self.plan.contract.job, "reading the inputs"):
                heat = route.heat()
                reads = read_inputs(spark, self.plan, self.world, route, Path(folder))
            with self.watch.phase("transform"):
                frames = self._transform(spark, reads)
            with self.watch.phase("claim"):
                attempt = self._claim()
            published, warnings = self._publish(spark, attempt, frames, reads)
            return Done(published, (*route.remarks, *warnings), route, heat)

    def _transform(self, spark: "SparkSession", reads: Reads) -> dict[str, "DataFrame"]:
        contract = self.plan.contract
        injected: Mapping[str, Any] = {"run": self.plan.run, "spark": spark}
        arguments = {**reads.frames, **{name: injected[kind] for name, kind in contract.injected}}
        with foreign(contract.job, "transform"), reads.guarded():
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
        with self.watch.phase("write"), foreign(self.plan.contract.job, "transform"), reads.guarded():
            written = writer.write(frames)
        with self.watch.phase("verify"), foreign(self.plan.contract.job, "measuring the outputs"):
            outputs, warnings = writer.verify(spark, written)
            inputs, remarks = reads.verified()
        with self.watch.phase("publish"):
            manifest = _manifest(self.plan, attempt, outputs, inputs)
            return RunLog(self._store, attempt.key).publish(attempt, manifest), warnings + remarks

    @property
    def _store(self) -> Store:
        return self.world.output_store(self.plan.config.key.team)


@contextmanager
def _uncached(spark: "SparkSession") -> Iterator[None]:
    """Afterwards nothing is cached: neither parsed sources nor what transform persisted."""
    try:
        yield
    except KeyboardInterrupt:
        raise  # the session ends with it, and its JVM may be busy: who interrupts does not wait
    except BaseException:
        # What failed is the error, and its JVM may have gone with it.
        with suppress(Exception):
            spark.catalog.clearCache()
        raise
    spark.catalog.clearCache()


@contextmanager
def foreign(job: str, part: str) -> Iterator[None]:
    """The border of code that is not ours, the author's and Spark's: what it raises becomes a JobFailed with its line."""
    try:
        yield
    except (TeamsparkError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # anything at all: it is not our code, and its sys.exit(0) is no success of ours
        raise job_failed(error, job=job, part=part) from error


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
        code_digest=code_digest(config.key.team) if config.job.startswith("jobs.") else None,
        parameters=dict(config.parameters),
        outputs=outputs,
        inputs=inputs,
        map_count=config.map_count,
        producer={"teamspark": version("teamspark"), "pyspark": version("pyspark")},
    )
