"""What a person sees of runs in a local Airflow: progress while they work, a table of the outputs, the next steps."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_bindings.local.drive import DONE, Arrival, LastWords, Leg
from airflow_bindings.local.facts import TaskFacts, heated, task_facts
from airflow_bindings.local.supervisor import Running
from airflow_bindings.local.workspace import Premises
from framework.cli import show
from framework.errors import clip
from framework.tenancy.places import CacheKind
from framework.world import World

HEADS: Final = ("team", "dag", "task", "run", "attempt", "rows read", "rows written", "bytes", "seconds", "path")
NUMBERS: Final = ("attempt", "rows read", "rows written", "bytes", "seconds")
SILENCE_S: Final = 20.0
HEAT: Final = ("hot", "cold")


@dataclass
class Talk:
    """Tells what happens, on stderr, with the seconds since the start. Also watches the runs."""

    began: float = field(default_factory=time.monotonic)
    spoke: float = field(default_factory=time.monotonic)
    told: set[tuple[Leg, str, int]] = field(default_factory=set)

    def __call__(self, text: str) -> None:
        self.spoke = time.monotonic()
        show.remark(f"{self.spoke - self.began:6.1f} s  {text}")

    def started(self, leg: Leg, *, again: bool) -> None:
        self(f"{leg}: {'cleared, running again' if again else 'started'}")

    def looked(self, leg: Leg, instances: Sequence[Mapping[str, Any]], last_words: LastWords) -> None:
        """Tells what has ended; after a while of silence also what goes on, and what it last said."""
        done = [one for one in instances if one["state"] in DONE]
        for one in done:
            name = (leg, str(one["task_id"]), int(one["map_index"]))
            if name not in self.told:
                self.told.add(name)
                took = f"{one['duration'] or 0:.1f} s"
                self(f"{leg}: {one['task_id']} {one['state']} in {took} ({len(done)} of {len(instances)})")
        if time.monotonic() - self.spoke > SILENCE_S:
            for one in instances:
                if one["state"] not in {*DONE, None}:
                    self(
                        f"{leg}: {one['task_id']} {one['state']}: {clip(last_words(one) or 'it says nothing yet', 160)}"
                    )


def told_facts(live: Running, place: Premises, arrivals: Sequence[Arrival]) -> tuple[TaskFacts, ...]:
    """Of every task what its manifest says, and before a cache what its run has told of it."""
    rows = task_facts(place.world, arrivals)
    return rows if place.cache == CacheKind.none else heated(live, rows, arrivals)


def tell_outputs(rows: Sequence[TaskFacts], world: World) -> None:
    """Every output with its numbers and its path, and below which stores those are."""
    show.say()
    more = HEAT if any(row.hot is not None for row in rows) else ()
    show.table((*HEADS[:-1], *more, HEADS[-1]), (_cells(row, heat=bool(more)) for row in rows), right=(*NUMBERS, *more))
    roots = sorted({world.store(row.key.team).root for row in rows})
    show.say(f"\nPaths are below {', '.join(roots)}.\n")


def look_closer(rows: Sequence[TaskFacts], place: Premises) -> Iterator[str]:
    """The commands that look at one of the outputs."""
    for row in rows[-1:]:
        yield f"  {place.command(f'outputs ls {row.key.task}')}"
        yield f"  {place.command(f'outputs show {row.key}')}"


def _cells(row: TaskFacts, *, heat: bool) -> tuple[object, ...]:
    more = [show.size(count or 0) for count in (row.hot, row.cold)] if heat else []
    key, numbers = row.key, (f"{row.rows_read:,}", f"{row.rows_written:,}", show.size(row.bytes_written))
    return (key.team, key.dag_id, key.task_id, key.run, row.attempt, *numbers, f"{row.seconds:.1f}", *more, row.path)
