"""A contract under test: its command runs in place of the image, on the same rows as a job would."""

import sys
from typing import ClassVar

import pytest

from framework import Contract, Frame, Schema
from framework.errors import ConfigError
from framework.testing.running import JobRunner

PROGRAM = """
import csv, json, os, pathlib
import pyarrow.parquet as pq
told = json.loads(pathlib.Path(os.environ["TEAMSPARK_CONFIG"]).read_text())
given = told["inputs"]["rows"]
rows = [row for name in given["files"] for row in pq.read_table(pathlib.Path(given["path"]) / name).to_pylist()]
with (pathlib.Path(told["outputs"]["default"]["path"]) / "out.csv").open("w") as file:
    writer = csv.writer(file)
    writer.writerow(["name", "amount"])
    writer.writerows([row["name"], row["amount"] * told["parameters"]["times"]] for row in rows)
"""


class Fruit(Schema):
    name: str
    amount: int


class Times(Contract):
    local_command: ClassVar[tuple[str, ...]] = (sys.executable, "-c", PROGRAM)
    times: int = 2

    def transform(self, rows: Frame[Fruit]) -> Frame[Fruit]: ...


class Nowhere(Contract):
    def transform(self, rows: Frame[Fruit]) -> Frame[Fruit]: ...


@pytest.mark.spark
def test_its_command_runs_on_the_rows_of_the_test(run_job: JobRunner) -> None:
    done = run_job(Times(), {"rows": [{"name": "pears", "amount": 2}]})

    assert done.rows() == [{"name": "pears", "amount": 4}]


@pytest.mark.spark
def test_without_a_command_it_cannot_be_tried(run_job: JobRunner) -> None:
    with pytest.raises(ConfigError, match="no command to run here"):
        run_job(Nowhere(), {"rows": [{"name": "pears", "amount": 2}]})
