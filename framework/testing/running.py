"""Whole runs in tests: the same plan-to-publish path as in production, on a store in a temporary directory."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework.config import RunResult
from framework.container.laptop import Command, locally, own_environment, require_command, workspace_layout
from framework.container.steps import Around
from framework.datafile import DataFile
from framework.edges import PinnedRun
from framework.errors import CheckFailed
from framework.job import Contract, Files, Job, Signature, build_job, job_name, signature_of
from framework.laptop import LaptopRun, laptop_config
from framework.plan import Fixture, PlanRequest
from framework.runner import RunOptions, execute
from framework.spark.read import read_published
from framework.spark.rows import rows_of
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Published, RunLog
from framework.tenancy.model import Teams
from framework.testing.cases import Case, assert_same_files, case_fixtures, stated_rows
from framework.testing.compare import assert_rows
from framework.testing.rows import Rows, fill
from framework.world import World

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DEFAULT_RUN = date(2013, 1, 1)


@dataclass(frozen=True)
class JobRun:
    """A run that has published. ``result`` is its report, ``published`` its manifest."""

    result: RunResult
    published: Published
    store: Store
    spark: "SparkSession" = field(repr=False)

    def frame(self, output: str = "default") -> "DataFrame":
        """What was published, read back."""
        pinned = PinnedRun(self.published, output)
        return read_published(
            self.spark,
            [DataFile(self.store.uri(path)) for path in self.published.paths(output)],
            spec=pinned.schema,
            written=pinned.schema,
            where=f"what {self.published.key} published",
        )

    def rows(self, output: str = "default") -> list[dict[str, Any]]:
        """The published rows as dictionaries, in no particular order."""
        return rows_of(self.frame(output))


@dataclass(frozen=True)
class JobRunner:
    """Runs jobs in a temporary store. Call it: ``run_job(Delays(by="carrier"), {"flights": [...]})``."""

    spark: "SparkSession"
    root: Path

    def __call__(
        self, job: Job, inputs: "Mapping[str, Rows | Files] | None" = None, *, run: str | date | None = DEFAULT_RUN
    ) -> JobRun:
        """Run ``job`` with the given rows on each port, a folder's ``Files`` on one that is such.

        Rows state only what the test is about; ``framework.testing.rows`` fills the rest. ``run`` is the logical date
        (a date, or its ISO text); None makes a run without one.

        Raises: what the run raises: CheckFailed, SchemaMismatch, JobFailed ...
        """
        signature = signature_of(type(job))
        fixtures = {name: _fixture(signature, name, given) for name, given in (inputs or {}).items()}
        return self._run(job, fixtures, date.fromisoformat(run) if isinstance(run, str) else run)

    def case(self, job: type[Job], case: Case) -> None:
        """Run a folder of fixtures and compare. Raises: AssertionError, or what the run raises."""
        signature = signature_of(job)
        fixtures = case_fixtures(signature, case)
        instance = build_job(job, case.settings.parameters)
        failed: dict[str, int] = {}
        try:
            done = self._run(instance, fixtures, case.settings.run or DEFAULT_RUN)
        except CheckFailed as error:
            failed = error.failed
        if failed != dict(case.settings.fails):
            raise AssertionError(f"{case}: checks that failed: {failed}; case.yaml expects {dict(case.settings.fails)}")
        if failed:
            return
        for name, path in case.outputs.items():
            port = signature.contract.output(name)
            if port.files:
                assert_same_files(path, done.published, done.store, port.name)
                continue
            schema = signature.outputs[port.name]
            assert_rows(done.rows(name), stated_rows(path, schema))

    def _run(self, job: Job, fixtures: Mapping[str, Fixture], moment: date | datetime | None) -> JobRun:
        asked = LaptopRun(job_name(type(job)), moment, datetime.now(UTC), job.model_dump(mode="json"))
        config = laptop_config(asked, self.root)
        store = DirectoryStore(self.root / config.epoch.incarnation)
        options = RunOptions(session=lambda _: nullcontext(self.spark), who="test")
        world = World(Teams(self.root, {}), lambda _: store)
        request = PlanRequest(config, signature_of(type(job)).contract, fixtures)
        result = _program(job, request, world) if isinstance(job, Contract) else execute(request, job, world, options)
        published = RunLog(store, config.key).newest()
        assert published is not None  # execute has returned
        return JobRun(result, published, store, self.spark)


def _program(job: Contract, request: PlanRequest, world: World) -> RunResult:
    """By what runs in place of the image on a laptop. Raises: ConfigError where the class names none."""
    words = require_command(job.local_command, where=request.config.job, image=None)
    with workspace_layout() as layout:
        around = Around(request, world, layout, "copy", "test")
        return locally(around, Command(words, Path.cwd(), own_environment("copy")))


def _fixture(signature: Signature, name: str, given: "Rows | Files") -> Fixture:
    port = signature.contract.input(name)
    if isinstance(given, Files):
        return Fixture((), "the test", given.path)
    return Fixture(tuple(fill(signature.inputs[port.name], given)), "the test")
