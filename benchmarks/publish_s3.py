"""What does it cost to publish in a bucket? On SeaweedFS, on loopback.

* A frame written and published, over the same frame written by the same session's committer and nothing more. Ours
  claims, writes, lists, checks the footers, and puts the manifest. The limit beside it: the same bytes by boto3.
* Publishing 1,000 objects over 10 (in small: 100) of the same bytes, from the last byte written to the manifest; the
  limit beside it is one listing and one put.
"""

import io
import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pyspark.sql import DataFrame, SparkSession

from benchmarks.pairs import Answer, Run, run_pairs
from benchmarks.publish import ENTRY_BYTES, FILES, claimed, publish
from benchmarks.server import buckets
from framework.schema.spec import Column, SchemaSpec
from framework.spark.archive import archive_home
from framework.spark.session import SessionSettings, open_session
from framework.spark.stores import S3Endpoint, store_access
from framework.spark.verify import verify_output
from framework.spark.write import write_output
from framework.storage.attempts import paths_below, stored_file
from framework.storage.publish import list_attempt
from framework.storage.s3 import S3Store
from framework.storage.s3client import Bucket, connect
from framework.storage.s3objects import Objects

ROUNDS, SMALL_ROUNDS = 9, 2
PARTS: Final = 8
# Four columns that do not compress: 32 bytes a row, 256 MiB in all.
ROWS, SMALL_ROWS = 8 << 20, 1 << 20
_COLUMNS: Final = ("xxhash64(id) AS a", "xxhash64(id, 1) AS b", "xxhash64(id, 2) AS c", "xxhash64(id, 3) AS d")
SPEC: Final = SchemaSpec("Numbers", tuple(Column(name, "long", nullable=False) for name in "abcd"))
OVER_MAGIC: Final = 1.05
GROWTH: Final = 1.5
GROWTH_MIB: Final = 4
_CLIENTS: Final = 8
PLAIN, OURS, BARE = "plain s3a, magic committer", "written and published", "the same bytes by boto3"


def ask(*, small: bool) -> tuple[Answer, ...]:
    """Write and publish over a plain write; growth of publishing."""
    rounds = SMALL_ROUNDS if small else ROUNDS
    with TemporaryDirectory() as folder, buckets(Path(folder), ["outputs"]) as (bucket,):
        growth = _growth(bucket, (10, 100) if small else FILES, rounds)
        with _session(bucket) as spark:
            return (_written(spark, bucket, SMALL_ROWS if small else ROWS, rounds), *growth)


@contextmanager
def _session(bucket: Bucket) -> Iterator[SparkSession]:
    stores = store_access({bucket.name: S3Endpoint(bucket.region or "", bucket.endpoint, path_style=True)})
    conf = {"spark.driver.memory": "2g"}
    with open_session(SessionSettings("publish", conf=conf, archive_dir=archive_home(), stores=stores)) as spark:
        yield spark


def _written(spark: SparkSession, bucket: Bucket, rows: int, rounds: int) -> Answer:
    frame = spark.range(0, rows, 1, PARTS).selectExpr(*_COLUMNS)
    numbers, store = count(), S3Store(bucket)
    ways: dict[str, Run] = {
        PLAIN: lambda: _plain(frame, f"{store.root.replace('s3://', 's3a://')}/plain/{next(numbers)}"),
        OURS: lambda: _ours(spark, frame, store),
        BARE: lambda: _bare(bucket, rows * 32 // PARTS, next(numbers)),
    }
    seconds = run_pairs({name: _emptied(bucket, way) for name, way in ways.items()}, rounds)
    question = f"seconds to write and publish {rows * 32 >> 20} MiB in {PARTS} files in a bucket, over a plain write"
    return Answer(question, PLAIN, seconds, {OURS: OVER_MAGIC})


def _plain(frame: DataFrame, uri: str) -> float:
    started = time.monotonic()
    frame.write.parquet(uri)
    return time.monotonic() - started


def _ours(spark: SparkSession, frame: DataFrame, store: S3Store) -> float:
    started = time.monotonic()
    log, attempt = claimed(store)
    folder = attempt.output_dir()
    facts = write_output(frame, SPEC, store.uri(folder), output="default")
    files = list_attempt(store, attempt)
    stored = [
        stored_file(store, path, file) for path, file in zip(paths_below(folder, "default", files), files, strict=True)
    ]
    report = verify_output(spark, stored, SPEC, output="default", observed=facts)
    publish(store, log, attempt, report.rows)
    return time.monotonic() - started


def _bare(bucket: Bucket, size: int, number: int) -> float:
    """As many bytes in as many objects, two at a time as Spark's two tasks do."""
    client, data = connect(bucket), os.urandom(size)

    def send(part: int) -> None:
        client.upload_fileobj(io.BytesIO(data), bucket.name, f"bare/{number}/{part}")

    with ThreadPoolExecutor(2) as pool:
        started = time.monotonic()
        list(pool.map(send, range(PARTS)))
        return time.monotonic() - started


def _emptied(bucket: Bucket, way: Run) -> Run:
    """``way``, after which nothing is left in the bucket: its disk is as empty for the next."""
    objects = Objects(bucket)

    def run() -> float:
        taken = way()
        objects.delete([found.key for found in objects.below("")])
        return taken

    return run


def _growth(bucket: Bucket, files: tuple[int, int], rounds: int) -> tuple[Answer, ...]:
    ways = {
        f"{name} {number:,} objects": _emptied(bucket, partial(way, bucket, number))
        for name, way in (("publish", _published), ("list and put", _listed))
        for number in files
    }
    seconds = run_pairs(ways, rounds)
    few, many, limit_few, limit_many = ways
    notes = tuple(f"{name}: {statistics.median(times) * 1000:.1f} ms" for name, times in seconds.items())
    return (
        Answer(
            f"seconds to publish {GROWTH_MIB} MiB in a bucket, in many objects over few", few,
            {name: seconds[name] for name in (few, many)}, {many: GROWTH}, notes,
        ),
        Answer(
            "seconds to list many objects once and put one, over few", limit_few,
            {name: seconds[name] for name in (limit_few, limit_many)},
        ),
    )  # fmt: skip


def _published(bucket: Bucket, files: int) -> float:
    store = S3Store(bucket)
    log, attempt = claimed(store)
    _fill(bucket, attempt.output_dir()[1:], files)
    started = time.monotonic()
    publish(store, log, attempt, [1] * files)
    return time.monotonic() - started


def _listed(bucket: Bucket, files: int) -> float:
    client = connect(bucket)
    _fill(bucket, "bare", files)
    started = time.monotonic()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name, Prefix="bare/")
    found = sum(page["KeyCount"] for page in pages)
    client.put_object(Bucket=bucket.name, Key="manifest", Body=b"x" * ENTRY_BYTES * found)
    return time.monotonic() - started


def _fill(bucket: Bucket, folder: str, files: int) -> None:
    client, data = connect(bucket), os.urandom((GROWTH_MIB << 20) // files)

    def put(number: int) -> None:
        client.put_object(Bucket=bucket.name, Key=f"{folder}/part-{number:05d}.parquet", Body=data)

    with ThreadPoolExecutor(_CLIENTS) as pool:
        list(pool.map(put, range(files)))
