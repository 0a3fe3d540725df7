"""Readers that leave files out by our statistics find the rows that they find without: deltalake says so."""

import json
import operator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from framework.storage.posix import DirectoryStore
from framework.tables.log import TableLog
from tests.framework.tables.skipping import FILES, FILTERED, fill, probes

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
    whole, found = dataset.to_table(), {}
    for name, how, value in probes():
        asked = COMPARE[how](pc.field(name), pc.scalar(value).cast(whole.schema.field(name).type))
        files = len(list(dataset.get_fragments(filter=asked)))
        found[f"{name} {how} {value}"] = (dataset.to_table(filter=asked).num_rows, whole.filter(asked).num_rows, files)
    return found


def test_deltalake_finds_the_same_rows_in_fewer_files(made: TableLog) -> None:
    found = by_deltalake(place_of(made))

    assert {probe: seen for probe, seen in found.items() if seen[0] != seen[1]} == {}
    skipping = {probe.split()[0] for probe, (_, _, files) in found.items() if files < len(FILES)}
    assert skipping >= {"i8", "i16", "i32", "i64", "f32", "f64", "text", "day", "at", "local", "cents", "money", "huge"}


def test_what_is_told_is_of_every_column_and_nan_is_not_told(made: TableLog) -> None:
    snapshot = made.latest()
    assert snapshot is not None
    told = [json.loads(file.stats or "{}") for file in snapshot.up_to(None)]

    assert {*FILTERED, "spot"} - {"flag", "nothing"} == set(told[0]["minValues"])
    assert told[0]["nullCount"]["nothing"] == told[0]["numRecords"] == 3
    assert told[1]["minValues"]["f64"] == told[1]["minValues"]["f32"] == 0
    assert not {"f32", "f64"} & set(told[3]["minValues"])
    assert "minValues" not in told[4]


def test_witness_moments_cut_to_milliseconds_lose_rows(spark: SparkSession, tmp_path: Path) -> None:
    place = place_of(fill(spark, DirectoryStore(tmp_path)))
    for entry in (place / "_delta_log").glob("*.json"):
        entry.write_text("".join(map(_cut, entry.read_text().splitlines(keepends=True))))

    lost = {probe for probe, (some, whole, _) in by_deltalake(place).items() if some < whole}

    assert {probe.split()[0] for probe in lost} == {"at", "local"}


def _cut(line: str) -> str:
    action = json.loads(line)
    if "add" not in action:
        return line
    told = json.loads(action["add"]["stats"])
    for name in {"at", "local"} & told.get("maxValues", {}).keys():
        high = datetime.fromisoformat(told["maxValues"][name]) - timedelta(milliseconds=1)
        told["maxValues"][name] = high.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    action["add"]["stats"] = json.dumps(told)
    return json.dumps(action) + "\n"
