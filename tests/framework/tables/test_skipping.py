"""Readers that leave files out by our statistics find the rows that they find without: deltalake and delta-spark say so."""

import json
import operator
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from framework.jars.sync import ensure_jars
from framework.storage.posix import DirectoryStore
from framework.tables.log import TableLog
from tests.framework.tables.skipping import FILES, FILTERED, fill, probes

ROOT = Path(__file__).parents[3]
COMPARE = {"==": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> TableLog:
    return fill(spark, DirectoryStore(tmp_path_factory.mktemp("skipping")))


def place_of(log: TableLog) -> Path:
    assert isinstance(log.store, DirectoryStore)
    return log.store.local(log.place)


def by_deltalake(place: Path) -> dict[str, Any]:
    """What each probe finds with files left out and without, and how many files were left."""
    from deltalake import DeltaTable

    dataset = DeltaTable(place).to_pyarrow_dataset()
    whole = dataset.to_table()
    asked = {
        f"{name} {how} {value}": COMPARE[how](pc.field(name), pc.scalar(value).cast(whole.schema.field(name).type))
        for name, how, value in probes()
    }
    asked |= {f"{name} is null": pc.field(name).is_null() for name in FILTERED}
    return {
        probe: (
            dataset.to_table(filter=what).num_rows,
            whole.filter(what).num_rows,
            len(list(dataset.get_fragments(filter=what))),
        )
        for probe, what in asked.items()
    }


def test_deltalake_finds_the_same_rows_in_fewer_files(made: TableLog) -> None:
    found = by_deltalake(place_of(made))

    assert {probe: seen for probe, seen in found.items() if seen[0] != seen[1]} == {}
    skipping = {probe.split()[0] for probe, (_, _, files) in found.items() if files < len(FILES)}
    assert skipping >= {"i8", "i16", "i32", "i64", "f32", "f64", "text", "day", "at", "local", "cents", "money", "huge"}


def test_what_is_told_is_of_every_column_and_of_none_beside_nan(made: TableLog) -> None:
    snapshot = made.latest()
    assert snapshot is not None
    told = [json.loads(file.stats or "{}") for file in snapshot.up_to(None)]

    assert {*FILTERED, "spot"} - {"raw", "nothing"} == set(told[0]["minValues"])
    assert told[0]["nullCount"]["nothing"] == told[0]["numRecords"] == 3
    assert told[1]["minValues"]["f64"] == told[1]["minValues"]["f32"] == 0
    assert "minValues" not in told[3]
    assert "minValues" not in told[4]


def _cut(told: str) -> str:
    """Moments two milliseconds early; readers allow for one. As text: JSON's floats would lose digits."""
    bounds, high, rest = told.partition('"maxValues"')
    return bounds + high + re.sub(r'("(?:at|local)":")([^"Z]*)', _earlier, rest)


def _earlier(moment: re.Match[str]) -> str:
    cut = datetime.fromisoformat(moment[2]) - timedelta(milliseconds=2)
    return moment[1] + cut.isoformat(timespec="milliseconds")


def _unsaid(told: str) -> str:
    """Truth has no bounds, as in Spark's own tables."""
    return re.sub(r'"flag":(true|false),', "", told)


@pytest.mark.parametrize(("wrong", "columns"), [(_cut, {"at", "local"}), (_unsaid, {"flag"})])
def test_witness_bounds_that_are_narrow_or_missing_lose_rows(
    spark: SparkSession, tmp_path: Path, wrong: Callable[[str], str], columns: set[str]
) -> None:
    place = place_of(fill(spark, DirectoryStore(tmp_path)))
    for entry in (place / "_delta_log").glob("*.json"):
        entry.write_text("".join(f"{_told_as(line, wrong)}\n" for line in entry.read_text().splitlines()))

    lost = {probe for probe, (some, whole, _) in by_deltalake(place).items() if some < whole}

    assert {probe.split()[0] for probe in lost} == columns


def _told_as(line: str, wrong: Callable[[str], str]) -> str:
    action = json.loads(line)
    if "add" not in action:
        return line
    action["add"]["stats"] = wrong(action["add"]["stats"])
    return json.dumps(action, ensure_ascii=False)


HEAD = """
import json, sys
from pyspark.sql import functions as F
from framework.jars.sync import ensure_jars
from framework.spark.archive import archive_home
from framework.spark.session import SessionSettings, open_session
from framework.spark.stores import StoreAccess
from tests.framework.tables.skipping import probes
place, files = json.loads(sys.argv[1])
delta = {"spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
         "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
         "spark.databricks.delta.snapshotPartitions": "2"}
conf = {"spark.sql.shuffle.partitions": "2", "spark.driver.memory": "1g"}
settings = SessionSettings("delta", conf=conf, archive_dir=archive_home(), short_job=True,
                           stores=StoreAccess(delta, ensure_jars("delta")))
# A literal of the year 1 is more than pyspark can say, a text is not.
said = lambda value: value.isoformat() if hasattr(value, "isoformat") else value
how = {"==": "__eq__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}
with open_session(settings) as spark:
    table = spark.read.format("delta").load(place)
    plain = spark.read.schema(table.drop("_run").schema).parquet(*files)
    asked = [(f"{n} {h} {v}", getattr(F.col(n), how[h])(F.lit(said(v)).cast(plain.schema[n].dataType)))
             for n, h, v in probes() if h == "==" and n != "raw"]  # no bytes in a literal
    asked += [(f"{n} is NaN", F.isnan(n)) for n in ("f32", "f64")] + [(f"{n} is null", F.col(n).isNull()) for n in plain.columns]
    whole = plain.select(*[F.count_if(c).alias(str(i)) for i, (_, c) in enumerate(asked)]).first()
    # One query a probe: a filter above a union is pushed into each of its scans.
    rows = [(i, table.where(c).select(F.lit(i).alias("i"))) for i, (_, c) in enumerate(asked)]
    some = {}
    for start in range(0, len(rows), 25):
        union = rows[start][1]
        for _, one in rows[start + 1 : start + 25]:
            union = union.unionAll(one)
        some |= {r["i"]: r["count"] for r in union.groupBy("i").count().collect()}
    print("SEEN" + json.dumps([[probe, some.get(i, 0), whole[i]] for i, (probe, _) in enumerate(asked)]))
"""


@pytest.mark.long  # a plan for each probe: minutes
@pytest.mark.spark
@pytest.mark.timeout(900)
def test_delta_spark_finds_the_same_rows(made: TableLog) -> None:
    ensure_jars("delta")
    place = place_of(made)
    files = [str(path) for path in place.rglob("part-*.parquet")]
    assert sum(pq.read_metadata(path).num_rows for path in files) == sum(map(len, FILES))
    done = subprocess.run(
        [sys.executable, "-c", HEAD, json.dumps([str(place), files])],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=800,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("SEEN")]
    assert lines, (done.stdout + done.stderr)[-3000:]

    found = json.loads(lines[-1].removeprefix("SEEN"))

    assert len(found) > 150
    assert [probe for probe in found if probe[1] != probe[2]] == []
