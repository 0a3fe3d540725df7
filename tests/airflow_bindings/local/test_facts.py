"""The rows of the demo's table come from the store's manifests."""

from pathlib import Path
from typing import Any

from airflow_bindings.demo.itinerary import itineraries
from airflow_bindings.local.drive import Arrival
from airflow_bindings.local.facts import task_facts
from airflow_bindings.local.rest import RunId
from framework.identity import Epoch, RunKey
from framework.manifest import InputEntry, Manifest, OutputEntry, ReadEntry
from framework.storage.memory import MemoryStore
from framework.storage.publish import RunLog
from framework.tenancy.model import Teams
from framework.world import World

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")


def publish(store: MemoryStore, rows: int) -> None:
    log = RunLog(store, KEY)
    attempt = log.claim(Epoch("i", 1, 1), clear_number=0, who="me", seen=None)
    read = ReadEntry(path="/x", attempt=1, digest="d", rows=842, bytes=1)
    outputs = tuple(
        OutputEntry(name=name, schema_={}, rows=rows, bytes=100, files=()) for name in ("default", "rejects")
    )
    manifest = Manifest(
        key=KEY,
        attempt=attempt.number,
        token=attempt.token,
        epoch=attempt.claim.epoch,
        clear_number=0,
        job="jobs.flights.delays:Delays",
        contract="c",
        outputs=outputs,
        inputs=(
            InputEntry(port="flights", kind="run", reads=(read,)),
            InputEntry(port="raw", kind="source", rows=58),
        ),
    )
    log.publish(attempt, manifest)


def arrival(*task_ids: str) -> Arrival:
    instances: tuple[dict[str, Any], ...] = tuple(
        {"task_id": task_id, "map_index": -1, "duration": 7.5} for task_id in task_ids
    )
    return Arrival(itineraries(1)[0][0], RunId("flights.daily", "r"), instances)


def test_a_row_tells_the_newest_attempt_of_a_task() -> None:
    store = MemoryStore()
    publish(store, rows=16)
    publish(store, rows=17)
    world = World(Teams(Path(), {}), lambda _: store)

    (row,) = task_facts(world, [arrival("delays", "publishes_nothing")])

    assert (row.attempt, row.rows_read, row.rows_written, row.bytes_written, row.seconds) == (2, 900, 34, 200, 7.5)
    assert row.path == "/flights/flights.daily/delays/20130101T000000Z"
