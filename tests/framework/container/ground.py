"""A place in which programs are run: a store, what is published in it, and the two steps around a command."""

import os
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from framework import Contract, Int32, Schema
from framework.cache.base import Cache
from framework.cache.none import NoCache
from framework.config import ContainerFacts, DataMode, EdgeRef, ExportedConfig, RunResult
from framework.container.arrow import arrow_schema
from framework.container.contract import untyped
from framework.container.laptop import Command, locally, own_environment
from framework.container.layout import Layout
from framework.container.steps import Around
from framework.identity import Epoch, RunKey
from framework.job import Files, Frame, JobContract, contract_of
from framework.laptop import LaptopRun, laptop_config
from framework.manifest import FileEntry, Manifest, OutputEntry
from framework.plan import PlanRequest
from framework.storage.base import Depot
from framework.storage.carrying import Move, send
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Published, RunLog
from framework.tenancy.model import Team, Teams
from framework.tenancy.places import DirectoryStore as Place
from framework.world import World

DAY = date(2013, 1, 1)
IMAGE = "registry.example.org/flights/score:1"


class Flight(Schema):
    carrier: str
    delay: Int32 | None


class Scored(Schema):
    carrier: str
    score: float


class Score(Contract):
    """Scores of flights."""

    threshold: float = 0.5

    def transform(self, flights: Frame[Flight]) -> Frame[Scored]: ...


class Trained(Contract):
    def transform(self, flights: Frame[Flight]) -> Files: ...


FLIGHTS: list[dict[str, Any]] = [{"carrier": "AA", "delay": 3}, {"carrier": "UA", "delay": None}]
GOOD = """
    rows = [{"carrier": row["carrier"], "score": float(row["delay"] or 0)} for row in read("flights")]
    write("default", pa.table({"carrier": [r["carrier"] for r in rows], "score": [r["score"] for r in rows]}))
"""
HEAD = """
import json, os, pathlib
import pyarrow as pa, pyarrow.parquet as pq
told = json.loads(pathlib.Path(os.environ["TEAMSPARK_CONFIG"]).read_text())
def place(what, name):
    one = told[what][name]
    return one["path"] or one["uri"].removeprefix("file://")
def read(port):
    one = told["inputs"][port]
    files = [pathlib.Path(one["path"]) / name for name in one["files"]] if one["path"] else [u.removeprefix("file://") for u in one["uris"]]
    return pa.concat_tables([pq.read_table(file, partitioning=None) for file in files]).to_pylist()
def write(name, table, file="part-0.parquet"):
    folder = pathlib.Path(place("outputs", name)); folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / file)
def out(name="default"):
    folder = pathlib.Path(place("outputs", name)); folder.mkdir(parents=True, exist_ok=True)
    return folder
"""


@dataclass
class Ground:
    """``data``: how programs are given theirs."""

    root: Path
    data: DataMode = "volume"
    depot: Depot | None = None
    epoch: Epoch = field(default_factory=lambda: Epoch("1" * 16, 1, 1))
    cache: Cache = field(default_factory=NoCache)

    @property
    def store(self) -> Depot:
        return self.depot or DirectoryStore(self.root / "store")

    @property
    def world(self) -> World:
        store = self.store
        team = Team(team="flights", owners=("a@example.org",), store=Place(kind="directory", root="store"))
        return World(Teams(self.root, {"flights": team}), lambda _: store, cache=lambda _: self.cache)

    @property
    def layout(self) -> Layout:
        return Layout(self.root / "program", self.root / "state")

    def published(self, rows: list[dict[str, Any]] = FLIGHTS, *, task: str = "raw", least: int = 0) -> Published:
        """Rows of ``Flight`` as a task's output of the day. ``least``: bytes that its file has at least."""
        spec = contract_of(Score).inputs[0].schema
        file = self.root / f"{task}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(spec)), file)
        if least > file.stat().st_size:
            os.truncate(file, least)  # with zeros, which nobody has to write
        entry = FileEntry(path="default/part-0.parquet", bytes=file.stat().st_size, rows=len(rows))
        log = RunLog(self.store, RunKey("flights", "flights.daily", task, "20130101T000000Z"))
        attempt = log.claim(Epoch("0" * 16, 1, 1), clear_number=0, who="test", seen=None)
        send(self.store, [Move(f"{attempt.output_dir()}/part-0.parquet", file, entry.bytes)])
        output = OutputEntry(name="default", schema_=spec.to_json(), rows=len(rows), bytes=entry.bytes, files=(entry,))
        manifest = Manifest(
            key=attempt.key, attempt=attempt.number, token=attempt.token, epoch=attempt.claim.epoch, clear_number=0,
            job="jobs.flights.raw:Raw", contract="", outputs=(output,),
        )  # fmt: skip
        return log.publish(attempt, manifest)

    def config(self, inputs: Mapping[str, str], job: str = IMAGE, task: str = "score") -> ExportedConfig:
        """Of the run of the day; ``inputs``: tasks by port."""
        plain = laptop_config(LaptopRun(job, DAY, datetime(2013, 1, 2, tzinfo=UTC)), self.root)
        edges = {
            port: (EdgeRef(team="flights", dag_id="flights.daily", task_id=name, same_dag=True),)
            for port, name in inputs.items()
        }
        key = RunKey("flights", "flights.daily", task, "20130101T000000Z")
        facts = ContainerFacts(image=IMAGE, data=self.data)
        return plain.model_copy(update={"key": key, "epoch": self.epoch, "inputs": edges, "container": facts})

    def around(self, contract: JobContract, config: ExportedConfig) -> Around:
        return Around(PlanRequest(config, contract), self.world, self.layout, self.data, "test")

    def run(self, body: str, contract: type[Contract] | None = Score, **inputs: str) -> RunResult:
        """Run a program whose text is ``body``, after a few words that all programs begin with."""
        file = self.root / "program.py"
        file.write_text(HEAD + textwrap.dedent(body))
        config = self.config(inputs or {"flights": "raw"})
        spec = untyped(IMAGE, tuple(config.inputs), ("default",)) if contract is None else contract_of(contract)
        command = Command((sys.executable, str(file)), self.root, own_environment(self.data))
        return locally(self.around(spec, config), command)

    def rows(self, task: str = "score") -> list[dict[str, Any]]:
        """What is published of the day, read back."""
        published = RunLog(self.store, RunKey("flights", "flights.daily", task, "20130101T000000Z")).newest()
        assert published is not None
        files = [self.store.readable(path) for path in published.paths()]
        return [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]

    def next_try(self) -> "Ground":
        return replace(self, epoch=replace(self.epoch, try_number=self.epoch.try_number + 1))
