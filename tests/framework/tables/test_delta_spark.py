"""delta-spark reads what runs commit, version by version, and cleans up nothing of it; what it writes itself is told apart."""

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
from tests.framework.tables.runs import FIRST_DAY, TASK, claim, day, held, publish, table
from tests.framework.tables.test_oracles import counts, fill
from tests.servers.seaweed import REGION, Seaweed

ROOT = Path(__file__).parents[3]
# The first, the second attempt of a day, a run without rows, the new column.
VERSIONS = [0, 3, 6, 7]


class Local(Schema):
    """With a moment that has no zone, which is a feature of its own in Delta."""

    carrier: str
    n: int
    at: NaiveDatetime | None


def fill_local(store: Store) -> None:
    local = [{"carrier": "AA", "n": 1, "at": FIRST_DAY.replace(tzinfo=None)}]
    made = publish(store, claim(store, day(9)), local, spec=schema_spec(Local), output="local")
    commit_output(store, made, "local")


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
         "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",  # VACUUM lists by so many tasks, else 10,000
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
            "versions": {str(version): at(version).count() for version in asked["versions"]},
            "columns": [[f.name, f.dataType.simpleString(), f.metadata.get("comment")] for f in latest.schema],
            "rows": sorted([row["carrier"], row["n"]] for row in latest.collect()),
            "up_to": latest.where(latest["_run"] <= asked["run"]).count(),
            "engines": sorted({row["engineInfo"] for row in history}),
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


@pytest.mark.e2e
@pytest.mark.spark
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
        "versions": VERSIONS,
    }
    found = ask(asked, seaweed)

    for name, store in stores.items():
        ours = counts(store)
        assert found[name]["versions"] == {str(version): ours[str(version)] for version in VERSIONS}
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
