"""What is done before a program runs, and after. Nothing is visible before ``publish`` has checked all of it.

The attempt is claimed when its files are about to be written: by ``publish``, or by ``prepare`` where the program itself writes them.
So a run that is killed before leaves nothing at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

from framework.cache.none import NoCache
from framework.config import DataMode, ExportedConfig, RunResult, Verdict
from framework.container.layout import Layout
from framework.container.outputs import Ready, ready_here, ready_there
from framework.container.reads import bytes_of, hot_of, read_entry, reads_of, remembered_read
from framework.container.remembered import Read, Remembered, Taken
from framework.container.staging import Staged, staged
from framework.container.telling import buckets_told, output_told, run_told
from framework.container.told import S3Told, Told
from framework.destinations.deliver import Courier
from framework.job import JobContract
from framework.job.digest import code_digest
from framework.manifest import InputEntry, Manifest
from framework.plan import Plan, PlanRequest, make_plan
from framework.report import Account, result_of
from framework.runner.laying import require_room
from framework.runner.route import Route
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
                route = self._route(plan)
                inputs = self._staged(plan, route)
                self._lay_out(self._told(plan, taken, inputs))
            self.layout.state.mkdir(parents=True, exist_ok=True)
            remembered = self._remembered(plan, taken, sum(one.hot for one in inputs.values()), route.remarks)
            self.layout.remembered.write_bytes(remembered.json_bytes())
        return None

    def _require_room(self, plan: Plan) -> None:
        """Raises: SetupError where the inputs alone would be too much, before any of them is fetched."""
        if self.data == "copy" and self.room is not None:
            require_room(sum(bytes_of(read) for read in reads_of(plan)), self.room, self.layout.root)

    def _lay_out(self, told: Told) -> None:
        """A folder for each output, and what the program is told."""
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

    def _staged(self, plan: Plan, route: Route) -> dict[str, Staged]:
        return {
            one.port.name: staged(
                one, self.world, self.layout.input(one.port.name), self.data, hot_of(route, one.port.name)
            )
            for one in plan.inputs
        }

    def _route(self, plan: Plan) -> Route:
        """What the team's cache has of the inputs; where they are not copied nobody asks it."""
        cache = self.world.cache(self.config.key.team)
        if self.data != "copy" or isinstance(cache, NoCache):
            return Route()
        from framework.runner.wayfinding import find_route  # only now: it reads Parquet

        return find_route(plan, self.world)

    def _told(self, plan: Plan, taken: Taken | None, inputs: Mapping[str, Staged]) -> Told:
        folder = None if taken is None else Attempt(self.config.key, taken.number, taken.claim)
        outputs = {
            port.name: output_told(
                port, self.layout, None if folder is None else self._store.uri(folder.output_dir(port.name))
            )
            for port in self.contract.outputs
        }
        return Told(
            run=run_told(self.config),
            data=self.data,
            parameters=dict(self.config.parameters),
            inputs={name: one.told for name, one in inputs.items()},
            outputs=outputs,
            s3=self._buckets(plan),
        )

    def _buckets(self, plan: Plan) -> Mapping[str, S3Told]:
        if self.data != "uri":
            return {}
        teams = sorted({read.published.key.team for read in reads_of(plan)} | {self.config.key.team})
        return buckets_told(tuple(self.world.accesses(teams)))

    def _remembered(self, plan: Plan, taken: Taken | None, hot: int, remarks: tuple[str, ...]) -> Remembered:
        return Remembered(
            data=self.data,
            seen=None if plan.seen is None else tuple(sorted(plan.seen)),
            inputs=tuple(entry for one in plan.inputs if (entry := read_entry(one)) is not None),
            reads=tuple(remembered_read(read) for read in reads_of(plan)),
            attempt=taken,
            bytes_hot=hot,
            bytes_cold=sum(bytes_of(read) for read in reads_of(plan)) - hot,
            remarks=remarks,
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
            producer={"teamspark": version("teamspark"), **self._program},
        )

    @property
    def _program(self) -> dict[str, str]:
        image = self.config.container.image if self.config.container else ""
        return {"image": image} if image else {}

    def _account(self, published: Published, before: Remembered, warnings: tuple[str, ...]) -> Account:
        delivered = self._delivered(published)
        remarks: tuple[str, ...] = ()
        if is_cached(published, self.world):
            with self.watch.phase("warm"):
                remarks = warm_outputs(published, self.world)
        seconds = {**before.seconds, **self.watch.seconds}
        newest = self._log.newest()
        verdict: Verdict = "superseded" if newest is not None and newest.number > published.number else "published"
        return Account(
            verdict, seconds, (*before.remarks, *warnings, *remarks), delivered, before.bytes_hot, before.bytes_cold
        )

    def _delivered(self, published: Published) -> tuple[str, ...]:
        if not self.config.destinations:
            return ()
        with self.watch.phase("deliver"):
            return self._courier.deliver(published)
