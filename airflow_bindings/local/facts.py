"""What the runs left in the store: one row a task, from its manifest. The numbers are the store's, not Airflow's."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from airflow_bindings.local.drive import Arrival
from airflow_bindings.local.supervisor import Running
from framework.identity import RunKey
from framework.report import Account, result_of
from framework.storage.paths import run_path, segment_of_date
from framework.storage.publish import RunLog
from framework.world import World


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One task of one run. ``seconds`` is the task's whole time in Airflow, JVM start included.

    ``hot`` and ``cold``: bytes of its inputs that its team's cache held, and others; None where nobody has told.
    """

    key: RunKey
    attempt: int
    rows_read: int
    rows_written: int
    bytes_written: int
    seconds: float
    hot: int | None = None
    cold: int | None = None

    @property
    def path(self) -> str:
        return run_path(self.key)


def heated(live: Running, rows: Iterable[TaskFacts], arrivals: Iterable[Arrival]) -> tuple[TaskFacts, ...]:
    """The same rows with what each run has told of its cache: that is in XCom, and in no manifest."""
    legs = {(one.leg.dag_id, segment_of_date(one.leg.date)): one for one in arrivals}
    return tuple(_heated(live, row, legs[row.key.dag_id, row.key.run]) for row in rows)


def _heated(live: Running, row: TaskFacts, arrival: Arrival) -> TaskFacts:
    index = -1 if row.key.map_index is None else row.key.map_index
    told = live.client(row.key.team).xcom(arrival.run, row.key.task_id, index) or {}
    return replace(row, hot=told.get("bytes_hot"), cold=told.get("bytes_cold"))


def task_facts(world: World, arrivals: Iterable[Arrival]) -> tuple[TaskFacts, ...]:
    """The published output of every task that published one, by team, DAG, date and task."""
    return tuple(sorted((facts for arrival in arrivals for facts in _of(world, arrival)), key=lambda one: one.key))


def _of(world: World, arrival: Arrival) -> Iterator[TaskFacts]:
    leg = arrival.leg
    for instance in arrival.instances:
        index = instance["map_index"]
        key = RunKey(leg.team, leg.dag_id, instance["task_id"], segment_of_date(leg.date), None if index < 0 else index)
        published = RunLog(world.store(leg.team), key).newest()
        if published is not None:
            result = result_of(published, Account("published", {}))
            yield TaskFacts(
                key,
                published.number,
                result.rows_read,
                sum(output.rows for output in result.outputs.values()),
                sum(output.bytes for output in result.outputs.values()),
                float(instance["duration"] or 0),
            )
