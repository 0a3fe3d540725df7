"""What is done before a program runs, and after. Nothing is visible before ``publish`` has checked all of it.

The attempt is claimed when its files are about to be written: by ``publish``, or by ``prepare`` where the program itself writes them.
So a run that is killed before leaves nothing at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

from framework.config import DataMode, ExportedConfig, RunResult, Verdict
from framework.container.layout import Layout
from framework.container.outputs import Ready, ready_here, ready_there
from framework.container.remembered import Read, Remembered, Taken
from framework.container.staging import columns_of, for_tools, staged
from framework.container.told import OutputTold, RunTold, S3Told, Told
from framework.destinations.deliver import Courier
from framework.edges import PinnedRun
from framework.job import JobContract
from framework.job.digest import code_digest
from framework.manifest import InputEntry, Manifest, ReadEntry
from framework.plan import FixtureInput, Plan, PlannedInput, PlanRequest, RunInput, make_plan
from framework.report import Account, result_of
from framework.runner.laying import require_room
from framework.runner.stopwatch import Stopwatch
from framework.runner.warming import is_cached, warm_outputs
from framework.storage.base import Depot
from framework.storage.carrying import send
from framework.storage.oserrors import translated
from framework.storage.publish import Attempt, Published, RunLog
from framework.world import World

# A program's user is its image's, which shares no more than a group with ours.
_SHARED: Final = 0o2775


@dataclass(frozen=True)
class Around:
    """The two steps around one run of a program. ``who``: host and process, for people who read a claim. ``room``: bytes that this
    step may write to its disk, where somebody ends it for more.
    """

    request: PlanRequest
    world: World
    layout: Layout
    data: DataMode
    who: str
    watch: Stopwatch = field(default_factory=lambda: Stopwatch(lambda _: None))
    room: int | None = None

    @property
    def config(self) -> ExportedConfig:
        return self.request.config

    @property
    def contract(self) -> JobContract:
        return self.request.contract

    @property
    def _log(self) -> RunLog:
        return RunLog(self._store, self.config.key)

    @property
    def _store(self) -> Depot:
        store: Depot = self.world.output_store(self.config.key.team)  # type: ignore[assignment]  # every store of ours is one
        return store

    @property
    def _courier(self) -> Courier:
        return Courier(self.config, self.world.teams, self._store, self.world.connections)

    def prepare(self) -> RunResult | None:
        """Lay out inputs and configuration; the result of a run that has published already, which needs no program.

        Raises: ContractSkew, DefinitionError, PolicyError, SchemaMismatch, SetupError; NotYet, StoreUnavailable, Superseded.
        """
        with self.watch.phase("resume"):
            done = self._log.resume(self.config.epoch, clear_number=self.config.clear_number, who=self.who)
        if done is not None:
            return result_of(done, Account("resumed", self.watch.seconds, delivered=self._delivered(done)))
        with self.watch.phase("plan"):
            plan = make_plan(self.request, self.world)
            self._courier.rehearse(self.contract)
            self._require_room(plan)
        taken = self._taken(plan) if self.data == "uri" else None
        with translated(str(self.layout.root), what="the program's folder"):
            with self.watch.phase("stage"):
                self._lay_out(plan, taken)
            self.layout.state.mkdir(parents=True, exist_ok=True)
            self.layout.remembered.write_bytes(self._remembered(plan, taken).json_bytes())
        return None

    def _require_room(self, plan: Plan) -> None:
        """Raises: SetupError where the inputs alone would be too much, before any of them is fetched."""
        if self.data == "copy" and self.room is not None:
            require_room(sum(_bytes(read) for read in _reads(plan)), self.room, self.layout.root)

    def _lay_out(self, plan: Plan, taken: Taken | None) -> None:
        """Inputs, a folder for each output, and what the program is told of them."""
        told = self._told(plan, taken)
        for name in [name for name, output in told.outputs.items() if output.path is not None]:
            folder = self.layout.outputs / name
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(_SHARED)
        self.layout.config.parent.mkdir(parents=True, exist_ok=True)
        self.layout.config.write_bytes(told.json_bytes())

    def publish(self) -> RunResult:
        """Check what the program left, and publish it.

        Raises: SchemaMismatch, CheckFailed, InputChanged, Superseded, StoreUnavailable, SetupError, DeliveryFailed.
        """
        before = self._before()
        attempt = (
            None if before.attempt is None else Attempt(self.config.key, before.attempt.number, before.attempt.claim)
        )
        with self.watch.phase("verify"):
            if attempt is None:
                ready = ready_here(self.contract, self.layout.outputs, self.layout.state / "typed")
            else:
                ready = ready_there(self.contract, self._store, attempt)
            self._require_live(before.reads)
        if attempt is None:
            attempt = self._written(ready, before)
        with self.watch.phase("publish"):
            published = self._log.publish(attempt, self._manifest(attempt, ready, before.inputs))
        warnings = tuple(line for one in ready for line in one.warnings)
        return result_of(published, self._account(published, before, warnings))

    def _taken(self, plan: Plan) -> Taken:
        attempt = self._claimed(plan.seen)
        return Taken(number=attempt.number, claim=attempt.claim)

    def _claimed(self, seen: frozenset[tuple[int, str]] | None) -> Attempt:
        with self.watch.phase("claim"):
            return self._log.claim(self.config.epoch, clear_number=self.config.clear_number, who=self.who, seen=seen)

    def _told(self, plan: Plan, taken: Taken | None) -> Told:
        config, facts = self.config, self.config.run
        folder = None if taken is None else Attempt(config.key, taken.number, taken.claim)
        inputs = {
            one.port.name: staged(one, self.world, self.layout.input(one.port.name), self.data) for one in plan.inputs
        }
        outputs = {
            port.name: OutputTold(path=str(self.layout.output(port.name)), columns=columns_of(port.schema))
            if folder is None
            else OutputTold(
                path=None, uri=for_tools(self._store.uri(folder.output_dir(port.name))), columns=columns_of(port.schema)
            )
            for port in self.contract.outputs
        }
        key = config.key
        run = RunTold(
            team=key.team, dag_id=key.dag_id, task_id=key.task_id, run=key.run, map_index=key.map_index,
            logical_date=facts.logical_date, start=facts.start, end=facts.end, zone=facts.zone,
        )  # fmt: skip
        return Told(
            run=run,
            data=self.data,
            parameters=dict(config.parameters),
            inputs=inputs,
            outputs=outputs,
            s3=self._buckets(plan),
        )

    def _buckets(self, plan: Plan) -> Mapping[str, S3Told]:
        if self.data != "uri":
            return {}
        teams = sorted({read.published.key.team for read in _reads(plan)} | {self.config.key.team})
        found = [one for one in self.world.accesses(teams) if one.bucket]
        return {
            one.bucket: S3Told(endpoint=one.endpoint, region=one.region, path_style=one.path_style) for one in found
        }

    def _remembered(self, plan: Plan, taken: Taken | None) -> Remembered:
        return Remembered(
            data=self.data,
            seen=None if plan.seen is None else tuple(sorted(plan.seen)),
            inputs=tuple(entry for one in plan.inputs if (entry := _read_entry(one)) is not None),
            reads=tuple(_read_of(read) for read in _reads(plan)),
            attempt=taken,
            bytes_cold=sum(_bytes(read) for read in _reads(plan)),
            seconds=dict(self.watch.seconds),
        )

    def _before(self) -> Remembered:
        file = self.layout.remembered
        with translated(str(file), what="what was prepared"):
            return Remembered.parse_json(file.read_bytes(), where=str(file))

    def _written(self, ready: tuple[Ready, ...], before: Remembered) -> Attempt:
        attempt = self._claimed(None if before.seen is None else frozenset(before.seen))
        with self.watch.phase("write"):
            send(self._store, [move for one in ready for move in one.moves(attempt)])
        return attempt

    def _require_live(self, reads: tuple[Read, ...]) -> None:
        """Raises: InputChanged when what the program read was retired meanwhile."""
        for read in reads:
            log = RunLog(self.world.store(read.key.team), read.key)
            if (published := log.published(read.attempt)) is not None:
                log.ensure_live(published)

    def _manifest(self, attempt: Attempt, ready: tuple[Ready, ...], inputs: tuple[InputEntry, ...]) -> Manifest:
        config = self.config
        return Manifest(
            key=attempt.key,
            attempt=attempt.number,
            token=attempt.token,
            epoch=config.epoch,
            clear_number=config.clear_number,
            job=config.job,
            contract=self.contract.hash,
            code_digest=code_digest(config.key.team) if config.job.startswith("jobs.") else None,
            parameters=dict(config.parameters),
            outputs=tuple(one.entry for one in ready),
            inputs=inputs,
            map_count=config.map_count,
            producer={"teamspark": version("teamspark"), "image": config.container.image if config.container else ""},
        )

    def _account(self, published: Published, before: Remembered, warnings: tuple[str, ...]) -> Account:
        delivered = self._delivered(published)
        remarks: tuple[str, ...] = ()
        if is_cached(published, self.world):
            with self.watch.phase("warm"):
                remarks = warm_outputs(published, self.world)
        seconds = {**before.seconds, **self.watch.seconds}
        newest = self._log.newest()
        verdict: Verdict = "superseded" if newest is not None and newest.number > published.number else "published"
        return Account(verdict, seconds, (*warnings, *remarks), delivered, 0, before.bytes_cold)

    def _delivered(self, published: Published) -> tuple[str, ...]:
        if not self.config.destinations:
            return ()
        with self.watch.phase("deliver"):
            return self._courier.deliver(published)


def _reads(plan: Plan) -> Iterator[PinnedRun]:
    return (read for one in plan.inputs if isinstance(one, RunInput) for read in one.reads)


def _bytes(read: PinnedRun) -> int:
    return read.published.output(read.output).bytes


def _read_of(read: PinnedRun) -> Read:
    return Read(key=read.published.key, attempt=read.published.number)


def _read_entry(planned: PlannedInput) -> InputEntry | None:
    if isinstance(planned, FixtureInput):
        return InputEntry(port=planned.port.name, kind="fixture", rows=len(planned.fixture.rows))
    if not isinstance(planned, RunInput):
        return None
    reads = tuple(
        ReadEntry(
            path=read.path, attempt=read.published.number, digest=read.published.digest, output=read.output,
            rows=read.rows, bytes=_bytes(read),
        )
        for read in planned.reads
    )  # fmt: skip
    return InputEntry(port=planned.port.name, kind="run", reads=reads)
