"""Spark and a real Alluxio, before a directory and before a bucket: the same rows, from the worker's memory."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from framework.cache.base import Cache
from framework.cache.cluster import counters
from framework.cache.settings import JARS
from framework.jars.sync import ensure_jars
from framework.storage.base import Store
from framework.storage.paths import encode
from tests.contracts.test_cache import eventually
from tests.framework.storage.test_paths import HOSTILE
from tests.servers.alluxio import Alluxio
from tests.servers.seaweed import Seaweed

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("spark")]

ROOT = Path(__file__).parents[3]
ROWS = 50_000
CHILD = """
import json, sys, time
from pathlib import Path
from framework.cache.settings import client_needs
from framework.datafile import DataFile
from framework.errors import TeamsparkError
from framework.java import find_java
from framework.spark.archive import archive_home, find_archive, fingerprint, is_mapped
from framework.spark.files import reading
from framework.spark.session import SessionSettings, open_session, spark_home
from framework.spark.stores import store_access
asked = json.loads(sys.argv[1])
seen = {}
archive = find_archive(archive_home(), fingerprint(find_java(), spark_home()))
# So that what was read is told before the session ends.
quick = {"spark.driver.extraJavaOptions": "-Dalluxio.user.metrics.heartbeat.interval=500ms"}
settings = SessionSettings("child", archive_dir=archive_home(), short_job=True, team_conf=quick,
                           stores=store_access({}, client_needs(local=True)), log=Path(asked["folder"], "jvm.log"))
def read(spark, uris, where="port ids"):
    with reading([DataFile(uri) for uri in uris], where=where):
        frame = spark.read.schema("id bigint, text string").parquet(*uris)
        return [str(part) for part in frame.selectExpr("count(*)", "sum(id)", "sum(cast(xxhash64(id, text) as decimal(38, 0)))").first()]
with open_session(settings) as spark:
    seen["mapped"] = is_mapped(spark.sparkContext._gateway.proc.pid, archive)
    for name, uris in asked["reads"].items():
        seen[name] = read(spark, uris)
    began = time.monotonic()
    try:
        seen["absent"] = read(spark, [asked["absent"]])
    except TeamsparkError as error:
        seen["absent"] = [type(error).__name__, str(error)]
    began = time.monotonic()
    try:
        seen["dead"] = read(spark, ["alluxio://127.0.0.1:1/store/x.parquet"])
    except TeamsparkError as error:
        seen["dead"] = [type(error).__name__, time.monotonic() - began]
    time.sleep(3)
"""


def child(asked: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", f"{CHILD}\nprint(json.dumps(seen))", json.dumps(asked)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def parquet_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"id": pa.array(range(ROWS), pa.int64()), "text": [f"row {n % 977}" for n in range(ROWS)]})
    parquet.write_table(table, sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def laid(cache: Cache, store: Store, folder: str) -> list[str]:
    """A file in the store, hot in the cache; where Spark reads it, through the cache."""
    path = f"{folder}/part-0.parquet"
    store.put_if_absent(path, parquet_bytes())
    size = len(parquet_bytes())
    assert cache.warm(store, [path], within_s=60) == size
    assert eventually(lambda: cache.status(store, path)[0].hot == size)
    return [cache.resolve(store, folder).uri + "/part-0.parquet"]


def test_a_hot_read_comes_from_the_workers_memory_and_is_the_same(
    alluxio: Alluxio, seaweed: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweed.admin.environment().items():
        monkeypatch.setenv(name, value)
    ensure_jars(*JARS)
    folder = f"/flights/{tmp_path.name}"
    stores: dict[str, Store] = {"directory": alluxio.directory, "bucket": alluxio.bucket}
    reads = {name: laid(alluxio.cache(store), store, folder) for name, store in stores.items()}
    odd = [f"{folder}/{encode(text)}" for text in HOSTILE]
    reads["hostile"] = [laid(alluxio.cache(alluxio.directory), alluxio.directory, one)[0] for one in odd]
    reads["store"] = [alluxio.directory.uri(f"{folder}/part-0.parquet")]
    absent = alluxio.cache(alluxio.directory).resolve(alluxio.directory, f"{folder}/absent.parquet").uri
    before = counters(alluxio.cluster)

    seen = child({"folder": str(tmp_path), "reads": reads, "absent": absent})

    assert seen["mapped"] is True  # the client's jar does not spoil the class-data archive
    assert seen["directory"] == seen["bucket"] == seen["store"]
    assert seen["store"][0] == str(ROWS)
    assert seen["hostile"][0] == str(ROWS * len(HOSTILE))
    assert seen["absent"][0] == "CacheUnavailable"
    assert seen["dead"][0] == "CacheUnavailable"
    assert seen["dead"][1] < 30
    assert eventually(lambda: grown(alluxio, before, "BytesReadLocal") >= 2 * len(parquet_bytes()))
    assert grown(alluxio, before, "BytesReadUfsAll") == 0
    # The witness: a cold read does come from the store, and the counters say so.
    alluxio.cache(alluxio.directory).free(alluxio.directory, [folder])
    time.sleep(1)
    alluxio.cache(alluxio.directory).warm(alluxio.directory, [f"{folder}/part-0.parquet"], within_s=30)
    assert eventually(lambda: grown(alluxio, before, "BytesReadUfsAll") >= len(parquet_bytes()), within_s=20)


def grown(alluxio: Alluxio, before: dict[str, int], name: str) -> int:
    return counters(alluxio.cluster).get(f"Cluster.{name}", 0) - before.get(f"Cluster.{name}", 0)
