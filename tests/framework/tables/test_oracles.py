"""Delta's own programs read what runs commit: deltalake and delta-spark count the rows that we count, version by version."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import NaiveDatetime

from framework.errors import InputCorrupt
from framework.jars.sync import ensure_jars
from framework.schema.model import Schema, schema_spec
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from framework.storage.s3client import Bucket
from framework.tables.commit import commit_output
from framework.tables.log import TableLog
from tests.framework.tables.runs import (
    FIRST_DAY,
    OUTPUT,
    TASK,
    claim,
    day,
    held,
    in_order,
    publish,
    published,
    rows,
    table,
)
from tests.framework.tables.test_commit import Wider
from tests.servers.seaweed import REGION, Seaweed

ROOT = Path(__file__).parents[3]
COLUMNS = ("carrier", "n", "note")


class Local(Schema):
    """With a moment that has no zone, which is a feature of its own in Delta."""

    carrier: str
    n: int
    at: NaiveDatetime | None


def fill(store: Store) -> None:
    """Ten versions: days out of order, second attempts, mapped indices, no rows, a new column."""
    for number in (3, 1, 2):
        commit_output(store, published(store, day(number), parts=2), OUTPUT)
    commit_output(store, published(store, day(1), 2), OUTPUT)
    for index in (1, 0):
        commit_output(store, published(store, day(4, index), map_count=2), OUTPUT)
    commit_output(store, publish(store, claim(store, day(2), 2), []), OUTPUT)
    wide = [{"carrier": "AA", "n": 1, "note": "ä", "late": 2.5}]
    commit_output(store, publish(store, claim(store, day(5)), wide, spec=schema_spec(Wider)), OUTPUT)
    commit_output(store, published(store, day(6)), OUTPUT)
    commit_output(store, published(store, day(6), 2), OUTPUT)


def fill_local(store: Store) -> None:
    local = [{"carrier": "AA", "n": 1, "at": FIRST_DAY.replace(tzinfo=None)}]
    made = publish(store, claim(store, day(1)), local, spec=schema_spec(Local), output="local")
    commit_output(store, made, "local")


def counts(store: Store) -> dict[str, int]:
    """Rows of each version, by our own reading."""
    log = table(store)
    latest = log.latest()
    assert latest is not None
    return {str(v): sum(file.rows or 0 for file in log.at(v).up_to(None)) for v in range(latest.version + 1)}


def options(place: Bucket) -> dict[str, str]:
    assert place.endpoint is not None
    return {"AWS_ENDPOINT_URL": place.endpoint, "AWS_REGION": REGION, "AWS_ALLOW_HTTP": "true"}


def as_deltalake_sees(uri: str, storage: Mapping[str, str]) -> tuple[dict[str, int], list[dict[str, Any]]]:
    from deltalake import DeltaTable

    newest = DeltaTable(uri, storage_options=dict(storage))
    seen = {}
    for version in range(newest.version() + 1):
        newest.load_as_version(version)
        seen[str(version)] = newest.to_pyarrow_table().num_rows
    return seen, newest.to_pyarrow_table().to_pylist()


@pytest.mark.parametrize("where", ["directory", "s3"])
def test_deltalake_reads_every_version(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    store: Store = DirectoryStore(tmp_path / "store") if where == "directory" else request.getfixturevalue("s3_store")
    fill(store)
    uri, storage = store.uri(table(store).place).replace("s3a:", "s3:"), dict[str, str]()
    if where == "s3":
        storage = options(request.getfixturevalue("s3_place"))

    seen, found = as_deltalake_sees(uri, storage)

    assert seen == counts(store)
    ours = [{"note": None, "late": None, **row} for row in held(store)]
    assert in_order([{name: row[name] for name in (*COLUMNS, "late")} for row in found]) == in_order(ours)
    up_to = [row for row in found if row["_run"] <= day(3).run]
    assert in_order([{name: row[name] for name in COLUMNS} for row in up_to]) == in_order(
        [*rows(day(1), 2), *rows(day(3), 1)]
    )


HEAD = """
import json, sys
from framework.spark.archive import archive_home
from framework.spark.session import SessionSettings, open_session
from framework.spark.stores import S3Endpoint, StoreAccess, store_access
from framework.jars.sync import ensure_jars
asked = json.loads(sys.argv[1])
delta = {"spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
         "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
         "spark.databricks.delta.snapshotPartitions": "2",
         "spark.databricks.delta.retentionDurationCheck.enabled": "false"}
s3 = store_access({asked["bucket"]: S3Endpoint(asked["region"], asked["endpoint"], path_style=True)})
stores = StoreAccess({**s3.conf, **delta}, (*s3.jars, *ensure_jars("delta")))
conf = {"spark.sql.shuffle.partitions": "2", "spark.driver.memory": "1g"}
seen = {}
with open_session(SessionSettings("delta", conf=conf, archive_dir=archive_home(), short_job=True, stores=stores)) as spark:
    for name, uri in asked["tables"].items():
        at = lambda version: spark.read.format("delta").option("versionAsOf", version).load(uri)
        latest = spark.read.format("delta").load(uri)
        history = spark.sql(f"DESCRIBE HISTORY delta.`{uri}`").collect()
        seen[name] = {
            "versions": {str(row["version"]): at(row["version"]).count() for row in history},
            "columns": [[f.name, f.dataType.simpleString(), f.metadata.get("comment")] for f in latest.schema],
            "rows": sorted([row["carrier"], row["n"]] for row in latest.collect()),
            "up_to": latest.where(latest["_run"] <= asked["run"]).count(),
            "engines": sorted({row["engineInfo"] for row in history}),
            "read": sorted(spark.read.format("delta").load(uri).inputFiles()),
            "vacuum": spark.sql(f"VACUUM delta.`{uri}` RETAIN 0 HOURS DRY RUN").count(),
        }
    local = spark.read.format("delta").load(asked["local"])
    seen["local"] = [local.schema["at"].dataType.simpleString(), str(local.first()["at"])]
    gone = asked["tables"]["directory"]
    spark.sql(f"DELETE FROM delta.`{gone}` WHERE _run = '{asked['run']}'")
    seen["left"] = spark.read.format("delta").load(gone).count()
    spark.sql(f"OPTIMIZE delta.`{asked['local']}`")
    spark.sql(f"UPDATE delta.`{asked['local']}` SET n = n + 1")
print("SEEN" + json.dumps(seen))
"""


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
@pytest.mark.timeout(400)
def test_delta_spark_reads_every_version_of_both_stores(
    seaweed: Seaweed, s3_store: Store, s3_place: Bucket, tmp_path: Path
) -> None:
    stores: dict[str, Store] = {"directory": DirectoryStore(tmp_path / "store"), "s3": s3_store}
    for one in stores.values():
        fill(one)
    fill_local(stores["directory"])
    ensure_jars("delta", "s3a")
    local = TableLog.of(stores["directory"], TASK, "local")
    asked = {
        "bucket": s3_place.name,
        "endpoint": s3_place.endpoint,
        "region": REGION,
        "tables": {name: store.uri(table(store).place) for name, store in stores.items()},
        "local": stores["directory"].uri(local.place),
        "run": day(3).run,
    }
    found = ask(asked, seaweed)

    for name, store in stores.items():
        if name == "s3":
            assert found[name]["versions"] == counts(store)
        assert found[name]["columns"] == [
            ["carrier", "string", None],
            ["n", "bigint", None],
            ["note", "string", None],
            ["late", "double", None],
            ["_run", "string", None],
        ]
        assert found[name]["rows"] == sorted([row["carrier"], row["n"]] for row in held(stores["s3"]))
        assert (found[name]["up_to"], found[name]["engines"], found[name]["vacuum"]) == (6, ["teamspark"], 0)
    assert found["directory"]["versions"] == found["s3"]["versions"]
    assert found["local"] == ["timestamp_ntz", "2013-01-01 00:00:00"]

    # A whole run that somebody took away is gone for us too; a file that no run published is told.
    snapshot = table(stores["directory"]).latest()
    assert snapshot is not None
    assert sum(file.rows or 0 for file in snapshot.up_to(None)) == found["left"]
    with pytest.raises(InputCorrupt, match="not one that this version can read") as told:
        local.latest()
    assert "a file that no run published" in str(told.value)


def ask(asked: Mapping[str, Any], seaweed: Seaweed) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", HEAD, json.dumps(asked)],
        cwd=ROOT,
        env={**os.environ, **seaweed.admin.environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=360,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("SEEN")]
    assert lines, (done.stdout + done.stderr)[-3000:]
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix("SEEN"))
    return answer
