"""One run, from plan to published attempt: the only path there is, on a laptop, in a test and in Airflow.

Nothing is written before the claim, nothing is visible before publish, and a try whose attempt is already published
computes nothing. What needs a session is in ``computing``, which is imported once there is something to compute.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from framework.config import RunResult, Verdict
from framework.destinations.deliver import Courier
from framework.job import Job
from framework.plan import PlanRequest, make_plan
from framework.report import Account, result_of
from framework.runner.stopwatch import Stopwatch
from framework.runner.warming import is_cached, prefetching, warm_outputs
from framework.runner.wayfinding import find_route
from framework.spark.stores import Extra
from framework.storage.publish import Published, RunLog
from framework.tables.commit import commit_tables
from framework.world import World

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PHASES: Final = ("resume", "plan", "session", "read", "transform", "claim", "write", "verify", "publish", "commit")
"""Those of every run that computes; with destinations there is `deliver` besides, before a cache `warm`."""


def _ignore(phase: str) -> None:
    pass


def _commit(published: Published, world: World, log: RunLog, watch: Stopwatch) -> bool:
    """Bring the attempt into its tables if it is the highest that is published; whether a newer one is there."""
    newest = log.newest()
    if newest is not None and newest.number > published.number:
        return True
    with watch.phase("commit"):
        done = commit_tables(world.output_store(published.key.team), published)
    return any(one.verdict == "superseded" for one in done.values())


@dataclass(frozen=True)
class RunOptions:
    """How a run gets its session, who it says it is, and who is told when a phase begins.

    ``session`` is told what the way to the inputs needs besides the stores.
    """

    session: Callable[[Extra], AbstractContextManager["SparkSession"]]
    who: str
    observe: Callable[[str], None] = _ignore


def execute(request: PlanRequest, job: Job, world: World, options: RunOptions) -> RunResult:
    """Run ``job`` as ``request`` says, publish its outputs, commit those that are tables, and deliver.

    Raises: every leaf of ``TeamsparkError``. Before ``claim`` nothing has been written, before ``publish`` nothing is
    visible; a commit or a delivery that could not be made is made by the next try, which computes nothing.
    """
    config = request.config
    store = world.output_store(config.key.team)
    log, courier = RunLog(store, config.key), Courier(config, world.teams, store, world.connections)
    watch = Stopwatch(options.observe)
    with watch.phase("resume"):
        done = log.resume(config.epoch, clear_number=config.clear_number, who=options.who)
    if done is not None:
        # What is left of a try that was killed after it had published.
        superseded = _commit(done, world, log, watch)
        delivered = _deliver(courier, done, watch)
        verdict: Verdict = "superseded" if superseded else "resumed"
        return result_of(done, Account(verdict, watch.seconds, delivered=delivered))
    with watch.phase("plan"):
        plan = make_plan(request, world)
        courier.rehearse(request.contract)
        route = find_route(plan, world)
    with ExitStack() as stack:
        with watch.phase("session"), prefetching(route):
            # Only now: a run that waits for an input must not pay for Spark's import.
            from framework.runner.computing import Computation

            spark = stack.enter_context(options.session(route.needs))
        made = Computation(plan, job, world, options.who, watch).run(spark, route)
    superseded = _commit(made.published, world, log, watch)
    delivered = _deliver(courier, made.published, watch)
    # Whoever has just waited for a cache in vain does not wait for it again.
    remarks = () if superseded or made.route.failed else _warmed(made.published, world, watch)
    told = Account(
        "superseded" if superseded else "published", watch.seconds, (*made.warnings, *remarks), delivered, *made.heat
    )
    return result_of(made.published, told)


def _deliver(courier: Courier, published: Published, watch: Stopwatch) -> tuple[str, ...]:
    if not courier.config.destinations:
        return ()
    with watch.phase("deliver"):
        return courier.deliver(published)


def _warmed(published: Published, world: World, watch: Stopwatch) -> tuple[str, ...]:
    """The next reader finds it hot; where there is no cache, there is no such phase."""
    if not is_cached(published, world):
        return ()
    with watch.phase("warm"):
        return warm_outputs(published, world)
