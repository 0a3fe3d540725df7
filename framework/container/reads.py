"""What a plan says of the published outputs that a program reads. Pure."""

from collections.abc import Iterator

from framework.container.remembered import Read
from framework.edges import PinnedRun
from framework.manifest import InputEntry, ReadEntry
from framework.plan import FixtureInput, Plan, PlannedInput, RunInput
from framework.runner.laying import Hot
from framework.runner.route import Route


def reads_of(plan: Plan) -> Iterator[PinnedRun]:
    """Of every port."""
    return (read for one in plan.inputs if isinstance(one, RunInput) for read in one.reads)


def hot_of(route: Route, port: str) -> Hot:
    """The files behind ``port`` that the cache holds whole."""
    held = (path for leg in route.through if leg.port == port for path in leg.paths if path not in leg.cold)
    return Hot(route.cache, frozenset(held))


def bytes_of(read: PinnedRun) -> int:
    """What its files have together."""
    return read.published.output(read.output).bytes


def remembered_read(read: PinnedRun) -> Read:
    """As ``prepare`` leaves it for ``publish``."""
    return Read(key=read.published.key, attempt=read.published.number)


def read_entry(planned: PlannedInput) -> InputEntry | None:
    """As the manifest names it; None of an absent input."""
    if isinstance(planned, FixtureInput):
        return InputEntry(port=planned.port.name, kind="fixture", rows=len(planned.fixture.rows))
    if not isinstance(planned, RunInput):
        return None
    reads = tuple(
        ReadEntry(
            path=read.path, attempt=read.published.number, digest=read.published.digest, output=read.output,
            rows=read.rows, bytes=bytes_of(read),
        )
        for read in planned.reads
    )  # fmt: skip
    return InputEntry(port=planned.port.name, kind="run", reads=reads)
