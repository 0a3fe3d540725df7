"""One timed read each: a query over the files of a place, or their plain bytes through Hadoop's file systems."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from benchmarks.hotcold.place import Place
from benchmarks.hotcold.queries import TABLES, text
from framework.cache.looking import counters

LOCAL, S3A, HOT, COLD = "local page cache", "s3a", "hot alluxio", "cold alluxio"
"""What is compared. Hot and cold are one place, before which something was done."""
SCHEMES: Final = {LOCAL: "local", S3A: "s3a", HOT: "alluxio", COLD: "alluxio"}
_HEARTBEAT_S: Final = 12.0
"""Clients and workers tell the master their counters every ten seconds."""
_BUFFER: Final = 1 << 20
_LET_GO_S: Final = 120
_LOOKS: Final = 25


@dataclass(slots=True)
class Reader:
    """Reads, and holds the answers of each query against each other."""

    place: Place
    _schemas: dict[str, StructType] = field(default_factory=dict)
    _answers: dict[str, Any] = field(default_factory=dict)

    def timed(self, name: str, query: str, where: str) -> Callable[[], float]:
        """A read of its own: files are named and the schema is known, as in a run; nothing else is kept from before."""

        def run() -> float:
            self._forget(where)
            started = time.monotonic()
            rows = self.frame(query, where).collect()
            taken = time.monotonic() - started
            if self._answers.setdefault(name, rows) != rows:
                raise AssertionError(f"{name} from {where} is not what it was before")
            return taken

        return run

    def scanned(self, table: str, where: str) -> Callable[[], float]:
        """All columns decoded, nothing computed."""

        def run() -> float:
            self._forget(where)
            started = time.monotonic()
            self._table(table, where).write.format("noop").mode("overwrite").save()
            return time.monotonic() - started

        return run

    def copied(self, table: str, where: str) -> Callable[[], float]:
        """All bytes, in pieces of a mebibyte, by Hadoop's client of that place; nothing is decoded."""
        jvm: Any = self.place.spark._jvm  # noqa: SLF001 Hadoop's file systems have no other door here
        conf = self.place.spark._jsc.hadoopConfiguration()  # noqa: SLF001 as above
        sink = jvm.org.apache.commons.io.output.NullOutputStream.INSTANCE

        def run() -> float:
            started = time.monotonic()
            for uri in self.place.uris(table, SCHEMES[where]):
                path = jvm.org.apache.hadoop.fs.Path(uri)
                stream = path.getFileSystem(conf).open(path)
                jvm.org.apache.hadoop.io.IOUtils.copyBytes(stream, sink, _BUFFER, False)
                stream.close()
            return time.monotonic() - started

        return run

    def frame(self, query: str, where: str) -> DataFrame:
        names = {table: f"{table}_{SCHEMES[where]}" for table in TABLES}
        for table, name in names.items():
            self._table(table, where).createOrReplaceTempView(name)
        return self.place.spark.sql(text(query, names))

    def _forget(self, where: str) -> None:
        """S3A's analytics stream keeps what it has read in the JVM: a run, whose JVM is new, would find nothing there."""
        if where != S3A:
            return
        jvm: Any = self.place.spark._jvm  # noqa: SLF001 as above
        conf = self.place.spark._jsc.hadoopConfiguration()  # noqa: SLF001 as above
        path = jvm.org.apache.hadoop.fs.Path(self.place.uris(TABLES[0], SCHEMES[S3A])[0])
        path.getFileSystem(conf).close()
        path.getFileSystem(conf).getFileStatus(path)

    def _table(self, table: str, where: str) -> DataFrame:
        if table not in self._schemas:
            self._schemas[table] = self.place.spark.read.parquet(*self.place.uris(table, "local")).schema
        reader = self.place.spark.read.schema(self._schemas[table])
        return reader.parquet(*self.place.uris(table, SCHEMES[where]))


def from_store(place: Place) -> int:
    """Bytes that Alluxio has read from the store until now. Waits until every part has told its own."""
    time.sleep(_HEARTBEAT_S)
    return counters(place.cluster).get("Cluster.BytesReadUfsAll", 0)


def all_cold(place: Place) -> None:
    """Nothing of the data is in the cache any more. Raises: CacheUnavailable, TimeoutError."""
    deadline = time.monotonic() + _LET_GO_S
    while hot := _let_go(place):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the cache did not let go of {len(hot)} files within {_LET_GO_S} s: {hot[0]}")
        # Master and worker may differ about a block that was freed while it was reported: read again, they agree.
        place.cache.warm(place.store, hot, within_s=_LET_GO_S)


def _let_go(place: Place) -> list[str]:
    """What is hot some seconds after all was to be let go of."""
    place.cache.free(place.store, [f"/{table}" for table in TABLES])
    for _ in range(_LOOKS):
        hot = [held.path for table in TABLES for held in place.cache.status(place.store, f"/{table}") if held.hot]
        if not hot:
            break
        time.sleep(0.2)
    return hot


def all_hot(place: Place) -> None:
    """All of the data is in the cache. Raises: CacheUnavailable, AssertionError."""
    place.cache.warm(place.store, place.paths, within_s=1800)
    cold = [
        held.path for table in TABLES for held in place.cache.status(place.store, f"/{table}") if held.hot < held.bytes
    ]
    if cold:
        raise AssertionError(f"not in the cache: {cold}")
