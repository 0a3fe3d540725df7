"""The same jobs on a directory and in a bucket, by the driver that a launcher starts: one hand-over, equal content."""

import gzip
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from framework.config import ExportedConfig, RunResult
from framework.identity import RunKey, TaskKey
from framework.job import build_job, contract_of, load_job
from framework.plan import PlanRequest
from framework.runner import RunOptions, execute
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog
from framework.tables.log import TableLog
from framework.world import World
from tests.framework.numbers import DAY, RUN, UPPER, config_of, contents, driven, workspace
from tests.servers.seaweed import Seaweed

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

JOBS = """

class Landed(Schema, key=("n",)):
    n: Annotated[int, Ge(0)]
    text: str | None


class Copy(Job):
    def transform(
        self,
        table: Annotated[Frame[Landed], Source("table")],
        lines: Annotated[Frame[Landed], Source("lines")],
        parts: Annotated[Frame[Landed], Source("parts")],
    ) -> Frame[Landed]:
        return table.unionByName(lines).unionByName(parts)


class Sums(Job):
    def transform(self, numbers: Frame[Number], history: Table[Number]) -> Frame[Sum]:
        return numbers.union(history).groupBy("text").agg(F.sum("n").alias("total"))
"""


def run_here(spark: SparkSession, config: ExportedConfig) -> RunResult:
    """The same run in the session that is already there."""
    job_class = load_job(config.job)
    options = RunOptions(session=lambda _: nullcontext(spark), who="test")
    request = PlanRequest(config, contract_of(job_class))
    return execute(request, build_job(job_class, config.parameters), World.of(Path(config.workspace)), options)


def hand_over(place: Path, run: Callable[[ExportedConfig], RunResult]) -> tuple[RunResult, RunResult]:
    second = config_of(place, "Sums", numbers=UPPER, history=UPPER)
    return run(config_of(place, "Numbers")), run(second)


@pytest.fixture
def jobs_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Makes a workspace's jobs importable here, as long as the test lasts."""
    before = set(sys.modules)
    yield monkeypatch.syspath_prepend
    for name in set(sys.modules) - before:
        if name.startswith("jobs.numbers"):
            del sys.modules[name]


def table_of(store: Store) -> tuple[int, int]:
    found = TableLog.of(store, TaskKey("numbers", "numbers.daily", "numbers"), "upper").latest()
    assert found is not None
    return found.version, sum(file.rows or 0 for file in found.up_to(DAY))


def test_a_bucket_and_a_directory_get_equal_outputs(
    tmp_path: Path, spark: SparkSession, jobs_of: Callable[[Path], None], s3_place: Any, s3_store: Store
) -> None:
    bucket = {"kind": "s3", "bucket": s3_place.name, "prefix": s3_place.prefix, "endpoint": s3_place.endpoint}
    there = workspace(tmp_path / "s3", {**bucket, "region": s3_place.region}, JOBS)
    here = workspace(tmp_path / "directory", {"kind": "directory", "root": "store"}, JOBS)

    jobs_of(here)

    in_bucket, in_directory = hand_over(there, driven), hand_over(here, partial(run_here, spark))

    directory = DirectoryStore(here / "store")
    for mine, theirs in zip(in_bucket, in_directory, strict=True):
        assert mine.verdict == theirs.verdict == "published"
        assert {name: facts.rows for name, facts in mine.outputs.items()} == {
            name: facts.rows for name, facts in theirs.outputs.items()
        }
    assert in_bucket[1].rows_read == in_directory[1].rows_read == 4000
    assert table_of(s3_store) == table_of(directory) == (0, 2000)
    for task in ("numbers", "sums"):
        assert contents(s3_store, task) == contents(directory, task)


SOURCES = """
table: {{format: csv, uri: '{root}/table-{{run.date:%Y}}-*', options: {{sep: ';'}}, {more}}}
lines: {{format: json, uri: '{root}/lines/', {more}}}
parts: {{format: parquet, uri: '{root}/parts/*.parquet', {more}}}
"""


def landed(folder: Path) -> dict[str, bytes]:
    """Files of each format, one of them packed, by their names below a landing place."""
    folder.mkdir()
    pq.write_table(pa.table({"n": range(300, 400), "text": ["\N{SNOWMAN}"] * 100}), folder / "parquet")
    many = "n;text\n" + "".join(f"{n};{'x' * 100}\n" for n in range(1000, 3000))  # longer than one request brings
    return {
        "table-2013-a.csv": b"text;n\none;1\n;2\n",
        "table-2013-b.csv.gz": gzip.compress(b"n;text\n3;three\n"),
        "table-2013-c.csv": many.encode(),
        "table-2014-a.csv": b"n;text\n9;no\n",
        "lines/_SUCCESS": b"",
        "lines/a.json": b'{"n": 100, "text": "hundred"}\n',
        "parts/one.parquet": (folder / "parquet").read_bytes(),
    }


def test_a_source_in_a_bucket_and_in_a_directory_give_equal_frames(
    tmp_path: Path, spark: SparkSession, jobs_of: Callable[[Path], None], seaweed: Seaweed, s3_place: Any
) -> None:
    """The outputs are in directories: only the sources differ."""
    files, prefix = landed(tmp_path / "made"), f"{s3_place.prefix}-landing"
    here = workspace(tmp_path / "here", {"kind": "directory", "root": "store"}, JOBS, reads=["landing/*"])
    there = workspace(
        tmp_path / "there", {"kind": "directory", "root": "store"}, JOBS, reads=[f"s3://{s3_place.name}/{prefix}/*"]
    )
    server = f"endpoint: '{s3_place.endpoint}', region: {s3_place.region}"
    places = {here: ("landing", "on_bad: fail"), there: (f"s3://{s3_place.name}/{prefix}", server)}
    for place, (root, more) in places.items():
        (place / "jobs/numbers/sources.yaml").write_text(SOURCES.format(root=root, more=more))
    for name, data in files.items():
        (here / "landing" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "landing" / name).write_bytes(data)
        seaweed.client().put_object(Bucket=s3_place.name, Key=f"{prefix}/{name}", Body=data)

    jobs_of(here)

    results = [run_here(spark, config_of(here, "Copy")), driven(config_of(there, "Copy"))]

    assert [result.rows_read for result in results] == [2104, 2104]
    stores = [DirectoryStore(place / "store") for place in (here, there)]
    one, two = (contents(store, "copy") for store in stores)
    assert one == two
    assert one["default"].rows == 2104
    published = RunLog(stores[1], RunKey("numbers", "numbers.daily", "copy", RUN)).newest()
    assert published is not None
    recorded = [file for entry in published.manifest.inputs for file in entry.files]
    assert [file.uri.removeprefix(f"s3a://{s3_place.name}/{prefix}/") for file in recorded] == [
        "table-2013-a.csv", "table-2013-b.csv.gz", "table-2013-c.csv", "lines/a.json", "parts/one.parquet"
    ]  # fmt: skip
    assert all(file.version and file.bytes == len(files[file.uri.partition("landing/")[2]]) for file in recorded)
