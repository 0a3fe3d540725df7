"""What the command line says of tables: of a run that writes to one, of a run that read one, and of a wrong edge."""

import json
from pathlib import Path
from typing import Annotated

import pytest

from framework import Frame, Input, Job, Schema, Table
from framework.cli.checking import check_edges
from framework.config import EdgeRef
from framework.exports import EdgesExport, TaskEdges
from framework.identity import RunKey, TaskKey
from framework.job import contract_of
from framework.manifest import InputEntry, TableRead
from framework.storage.posix import DirectoryStore
from framework.tables.commit import commit_output
from tests.framework.cli.conftest import Teamspark
from tests.framework.cli.datasets import Dataset
from tests.framework.cli.datasets import publish as publish_rows
from tests.framework.tables.runs import OUTPUT, claim, publish, rows

RUN = "20130101T000000Z"


@pytest.fixture
def store(workspace: Path) -> DirectoryStore:
    return DirectoryStore(workspace / "store")


def test_a_run_says_what_became_of_its_table(teamspark: Teamspark, store: DirectoryStore, team: str) -> None:
    key = RunKey(team, f"{team}.daily", "keep", RUN)
    made = [publish(store, claim(store, key, number), rows(key, number)) for number in (1, 2)]
    place = f"{key.task}/{RUN}"

    assert "has no rows of this run yet" in teamspark("outputs", "show", place).stdout
    commit_output(store, made[0], OUTPUT)
    assert "version 0 has the rows of attempt 1" in teamspark("outputs", "show", place).stdout
    commit_output(store, made[1], OUTPUT)
    shown = teamspark("outputs", "show", place).stdout
    assert "version 1 has this attempt's rows" in shown
    assert "/_table/history" in shown
    folder = shown.partition(f"data of {OUTPUT}")[2].split()[0].removeprefix("file://")
    assert list(Path(folder).glob("*.parquet")), "where the rows are is what is printed"
    assert json.loads(teamspark("outputs", "show", place, "--json").stdout)["tables"] == [
        {"output": OUTPUT, "path": f"/{key.task}/_table/{OUTPUT}", "version": 1, "attempt": 2}
    ]


def test_a_run_says_which_version_it_read(teamspark: Teamspark, store: DirectoryStore, team: str) -> None:
    read = TableRead(path=f"/{team}/x/keep/_table/history", table_id="t", version=7, run=RUN, rows=1200, bytes=9)
    entry = InputEntry(port="history", kind="table", tables=(read,))
    publish_rows(store, Dataset(RunKey(team, f"{team}.daily", "use", RUN), [{"name": "a"}], inputs=(entry,)))

    shown = teamspark("outputs", "show", f"{team}/{team}.daily/use/{RUN}").stdout

    assert "_table/history version 7" in shown
    assert "1,200 rows" in shown
    assert f"runs up to {RUN}" in shown


class Delay(Schema):
    carrier: str


class Make(Job):
    def transform(self, rows: Frame[Delay]) -> Frame[Delay]:
        return rows


class Keep(Job):
    def transform(self, rows: Frame[Delay]) -> Table[Delay]:
        return rows


class Use(Job):
    def transform(self, rows: Annotated[Table[Delay], Input(as_of="latest")]) -> Frame[Delay]:
        return rows


def test_check_finds_a_table_that_is_fed_by_a_frame() -> None:
    contracts = {name: contract_of(job) for name, job in (("make", Make), ("keep", Keep), ("use", Use))}
    tasks = []
    for name in ("make", "keep", "use"):
        edge = EdgeRef(team="flights", dag_id="flights.daily", task_id={"use": "make", "keep": "make"}.get(name, "raw"))
        tasks.append(TaskEdges(task=TaskKey("flights", "flights.daily", name), job=name, inputs={"rows": (edge,)}))
    found = check_edges(contracts, EdgesExport(tasks=tuple(tasks)))

    assert [one.what for one in found if one.severity == "error"] == [
        "from flights/flights.daily/make:default (make): 'rows' is a Table, 'default' a Frame: declare the input "
        "Frame[S], or the producer's output Table[S]"
    ]
