"""Questions that change the place: an output handed over hot by two ways of writing, a worker that dies under a read, and
S3A's other stream.
"""

import statistics
import time
from collections.abc import Iterator
from functools import partial
from itertools import count
from threading import Timer
from typing import Any, Final
from urllib.parse import urlsplit

import alluxio
from alluxio.option import Mount
from pyspark.sql import DataFrame

from benchmarks.hotcold.place import HANDED, Place
from benchmarks.hotcold.queries import NARROW, TABLES, TPCH
from benchmarks.hotcold.reading import HOT, S3A, Reader, all_hot
from benchmarks.pairs import Answer, Run, run_pairs
from framework.cache.properties import s3_properties
from framework.cache.rest import Proxy
from framework.datafile import DataFile
from framework.errors import CacheUnavailable
from framework.spark.files import reading

ROUNDS: Final = 5
MAGIC, THROUGH = "magic commit, then warm", "through the cache (CACHE_THROUGH, committer v2)"
DYING: Final = "the worker is killed half way"
DYING_OVER_COLD: Final = 1.30
LONG: Final = "Q18"
ANALYTICS, CLASSIC = "analytics", "classic"
STREAMED: Final = ("Q1", "Q6", "Q18")
_STREAM: Final = "fs.s3a.input.stream.type"
_AT: Final = "/handed"
_PATIENCE_S: Final = 600.0
_WHOLE: Final = 100
_V2: Final = {"mapreduce.fileoutputcommitter.algorithm.version": "2"}


def handed_over(place: Place) -> Answer:
    """Seconds from rows to a reader that has read them hot. Both write the orders into a bucket, and read them through a cache.

    The product's mounts are read-only: this one, of a bucket of its own, may be written through.
    """
    _mount_writable(place)
    numbers = count()
    ways = {MAGIC: partial(_by_magic, place, numbers), THROUGH: partial(_through, place, numbers)}
    return Answer("write, make hot, read hot: seconds over magic", MAGIC, run_pairs(ways, ROUNDS))


def _mount_writable(place: Place) -> None:
    address, access = urlsplit(place.cluster.proxy), place.store.access
    writable = Mount(properties=s3_properties(access.endpoint, access.region), read_only=False)
    alluxio.Client(address.hostname, address.port, timeout=30).mount(_AT, f"s3://{HANDED}/", writable)


def _by_magic(place: Place, numbers: Iterator[int]) -> float:
    orders, folder = _orders(place), str(next(numbers))
    started = time.monotonic()
    orders.write.parquet(f"s3a://{HANDED}/{folder}")
    proxy = Proxy(place.cluster.proxy, within_s=_PATIENCE_S)
    for info in _parts(proxy, folder):
        proxy.load(info.path, started + _PATIENCE_S)
    return _read_back(place, orders, folder, started)


def _through(place: Place, numbers: Iterator[int]) -> float:
    orders, folder = _orders(place), str(next(numbers))
    started = time.monotonic()
    orders.write.options(**_V2).parquet(f"alluxio://{place.cluster.master}{_AT}/{folder}")
    return _read_back(place, orders, folder, started)


def _orders(place: Place) -> DataFrame:
    return place.spark.read.parquet(*place.uris("orders", "local"))


def _parts(proxy: Proxy, folder: str) -> list[Any]:
    return [info for info in proxy.files(f"{_AT}/{folder}") if info.path.endswith(".parquet")]


def _read_back(place: Place, orders: DataFrame, folder: str, started: float) -> float:
    """The seconds until now, once every column was decoded; afterwards it is let go of."""
    back = place.spark.read.schema(orders.schema).parquet(f"alluxio://{place.cluster.master}{_AT}/{folder}")
    back.write.format("noop").mode("overwrite").save()
    taken = time.monotonic() - started
    proxy = Proxy(place.cluster.proxy, within_s=_PATIENCE_S)
    cold = [info.path for info in _parts(proxy, folder) if info.in_memory_percentage < _WHOLE or not info.persisted]
    if cold or back.count() != orders.count():
        raise AssertionError(f"void: not handed over hot, durable and whole: {cold}")
    proxy.free(f"{_AT}/{folder}")
    return taken


def dying(place: Place) -> Answer:
    """A read whose worker is killed half way, then made again from the store as a run makes it; over one from the store.

    Sessions are up already: of a whole run the same seconds are a smaller part.
    """
    all_hot(place)
    reader = Reader(place)
    half = statistics.median(reader.timed(LONG, TPCH[LONG], HOT)() for _ in range(3)) / 2
    reads: dict[str, Run] = {S3A: reader.timed(LONG, TPCH[LONG], S3A), DYING: partial(_killed, place, half)}
    seconds = run_pairs(reads, ROUNDS)
    lost = statistics.median(mine - store for mine, store in zip(seconds[DYING], seconds[S3A], strict=True))
    note = f"killed after {half:.2f} s of reading; {lost:.1f} s later than from the store at once"
    return Answer(f"{LONG}: {DYING}, over S3A", S3A, seconds, {DYING: DYING_OVER_COLD}, (note,))


def streams(place: Place) -> Iterator[Answer]:
    """S3A's older stream, which asks for what is wanted and little more, over the one that sessions have."""
    reader = Reader(place)
    for name, query in (*((name, TPCH[name]) for name in STREAMED), ("two of sixteen columns", NARROW)):
        read, carried = reader.timed(name, query, S3A), {ANALYTICS: 0, CLASSIC: 0}
        ways = {stream: partial(_streamed, place, stream, read, carried) for stream in carried}
        seconds = run_pairs(ways, ROUNDS)
        notes = tuple(f"{stream}: {sent / (ROUNDS + 1) / 1e6:.1f} MB a read" for stream, sent in carried.items())
        yield Answer(
            f"{name}: seconds by S3A's classic stream, over its analytics stream", ANALYTICS, seconds, {}, notes
        )


def _streamed(place: Place, stream: str, read: Run, carried: dict[str, int]) -> float:
    conf: Any = place.spark._jsc.hadoopConfiguration()  # noqa: SLF001 a session has no other door to it
    before = place.far.carried()
    conf.set(_STREAM, stream)
    try:
        return read()
    finally:
        conf.unset(_STREAM)
        carried[stream] += place.far.carried() - before


def _killed(before: Place, after_s: float) -> float:
    place = before.mended()
    all_hot(place)
    reader = Reader(place)
    reader.timed(LONG, TPCH[LONG], HOT)()
    files = [DataFile(uri) for table in TABLES for uri in place.uris(table, "alluxio")]
    killer = Timer(after_s, place.kill_worker)
    started = time.monotonic()
    killer.start()
    try:
        with reading(files, where=DYING):
            reader.timed(LONG, TPCH[LONG], HOT)()
    except CacheUnavailable:
        reader.timed(LONG, TPCH[LONG], S3A)()
        return time.monotonic() - started
    finally:
        killer.join()
    raise AssertionError("void: the worker was killed, and nobody noticed")
