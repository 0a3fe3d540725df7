"""Spark and a real Alluxio, before a directory and before a bucket: the same rows, from the worker's memory."""

import json
import time
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from framework.cache.base import Cache
from framework.cache.looking import counters
from framework.cache.settings import JARS
from framework.jars.sync import ensure_jars
from framework.storage.base import Store
from framework.storage.paths import encode
from tests.framework.spark.children import child
from tests.framework.storage.test_paths import HOSTILE
from tests.servers.alluxio import Alluxio
from tests.servers.seaweed import Seaweed
from tests.waiting import comes

pytestmark = pytest.mark.spark

ROWS = 50_000
STILL_S = 3
CHILD = """
from dataclasses import replace
from framework.cache.settings import client_needs
from framework.datafile import DataFile
from framework.errors import TeamsparkError
from framework.spark.files import reading
from framework.spark.stores import store_access
asked = json.loads((folder / "asked.json").read_text())
# So that what was read is told before the session ends.
quick = {"spark.driver.extraJavaOptions": "-Dalluxio.user.metrics.heartbeat.interval=500ms"}
settings = replace(settings, team_conf=quick, stores=store_access({}, client_needs(local=True)))
def read(spark, *uris):
    with reading([DataFile(uri) for uri in uris], where="port ids"):
        frame = spark.read.schema("id bigint, text string").parquet(*uris)
        hashed = "sum(cast(xxhash64(id, text) as decimal(38, 0)))"
        return [str(part) for part in frame.selectExpr("count(*)", "sum(id)", hashed).first()]
def told(spark, uri):
    began = time.monotonic()
    try:
        return ["no error", read(spark, uri), 0]
    except TeamsparkError as error:
        return [type(error).__name__, str(error), time.monotonic() - began]
with open_session(settings) as spark:
    archive = find_archive(archive_home(), fingerprint(find_java(), spark_home()))
    seen["mapped"] = is_mapped(spark.sparkContext._gateway.proc.pid, archive)
    for name, uris in asked["reads"].items():
        seen[name] = read(spark, *uris)
    for name, uri in asked["away"].items():
        seen[name] = told(spark, uri)
    time.sleep(2)
"""


def parquet_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"id": pa.array(range(ROWS), pa.int64()), "text": [f"row {n % 977}" for n in range(ROWS)]})
    parquet.write_table(table, sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def laid(cache: Cache, store: Store, *folders: str) -> list[str]:
    """A file in each folder of the store, hot in the cache; where Spark reads them, through the cache."""
    paths, data = [f"{folder}/part-0.parquet" for folder in folders], parquet_bytes()
    for path in paths:
        store.put_if_absent(path, data)
    assert cache.warm(store, paths, within_s=60) == len(data) * len(paths)
    assert comes(lambda: all(cache.status(store, path)[0].hot == len(data) for path in paths), within_s=60)
    return [cache.resolve(store, folder).uri + "/part-0.parquet" for folder in folders]


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
    reads["hostile"] = laid(alluxio.cache(alluxio.directory), alluxio.directory, *odd)
    reads["store"] = [alluxio.directory.uri(f"{folder}/part-0.parquet")]
    absent = alluxio.cache(alluxio.directory).resolve(alluxio.directory, f"{folder}/absent.parquet").uri
    away = {"absent": absent, "dead": "alluxio://127.0.0.1:1/store/x.parquet"}
    (tmp_path / "asked.json").write_text(json.dumps({"reads": reads, "away": away}))
    before = settled(alluxio)

    seen = child(CHILD, tmp_path)

    assert seen["mapped"] is True  # the client's jar does not spoil the class-data archive
    assert seen["directory"] == seen["bucket"] == seen["store"]
    assert seen["store"][0] == str(ROWS)
    assert seen["hostile"][0] == str(ROWS * len(HOSTILE))
    assert seen["absent"][0] == "CacheUnavailable"
    assert seen["dead"][0] == "CacheUnavailable"
    assert seen["dead"][2] < 30
    assert comes(lambda: grown(alluxio, before, "BytesReadLocal") >= 2 * len(parquet_bytes()))
    assert grown(alluxio, before, "BytesReadUfsAll") == 0
    # The witness: a cold read does come from the store, and the counters say so.
    cache, path = alluxio.cache(alluxio.directory), f"{folder}/part-0.parquet"

    def read_cold() -> bool:
        cache.free(alluxio.directory, [folder])
        assert comes(lambda: cache.status(alluxio.directory, path)[0].hot == 0, within_s=60)
        # The master has let go; the worker does when it next reports, late on a busy machine, and serves what it still has.
        time.sleep(2)
        cache.warm(alluxio.directory, [path], within_s=30)
        return comes(lambda: grown(alluxio, before, "BytesReadUfsAll") >= len(parquet_bytes()), within_s=15)

    assert any(read_cold() for _ in range(6))


def settled(alluxio: Alluxio) -> dict[str, int]:
    """The counters, once nothing of what was done before is still on its way to the master: workers tell each second."""
    found, since = counters(alluxio.cluster), time.monotonic()
    while time.monotonic() - since < STILL_S:
        time.sleep(0.5)
        now = counters(alluxio.cluster)
        if _reads(now) != _reads(found):
            since = time.monotonic()
        found = now
    return found


def _reads(found: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in found.items() if "BytesRead" in name}


def grown(alluxio: Alluxio, before: dict[str, int], name: str) -> int:
    return counters(alluxio.cluster).get(f"Cluster.{name}", 0) - before.get(f"Cluster.{name}", 0)
