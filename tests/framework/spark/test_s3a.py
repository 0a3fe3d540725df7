"""Spark and a real S3 server. A JVM has one identity, so each group of questions is a process, which prints what it saw."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from framework.jars.sync import ensure_jars
from tests.servers.seaweed import REGION, Keys, Seaweed

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[3]
HEAD = """
import json, os, sys, time
from pathlib import Path
from framework.errors import TeamsparkError
from framework.java import find_java
from framework.schema.spec import Column, SchemaSpec
from framework.spark.archive import archive_home, find_archive, fingerprint, is_mapped
from framework.spark.files import DataFile, reading
from framework.spark.session import SessionSettings, open_session, spark_home
from framework.spark.stores import S3Endpoint, store_access
from framework.spark.write import write_output
asked = json.loads(sys.argv[1])
seen = {}
spec = SchemaSpec("Ids", (Column("id", "long", nullable=False),))
archive = find_archive(archive_home(), fingerprint(find_java(), spark_home()))
here = S3Endpoint(asked["region"], asked["endpoint"], path_style=True)
def session(**more):
    return open_session(SessionSettings("child", archive_dir=archive_home(), short_job=True,
                                        log=Path(asked["folder"], "jvm.log"), **more))
def told(call):
    start = time.monotonic()
    try:
        return ["no error", str(call()), 0]
    except TeamsparkError as error:
        return [type(error).__name__, str(error), time.monotonic() - start]
def write(spark, uri):
    return write_output(spark.range(0, 1000, 1, 4), spec, uri, output="o")
def read(spark, *uris):
    with reading([DataFile(uri) for uri in uris], where="port ids"):
        return spark.read.schema("id bigint").parquet(*uris).selectExpr("count(*)", "sum(id)").first()
"""
HEALTHY = """
fixed = {"spark.eventLog.enabled": "true", "spark.eventLog.compress": "false", "spark.eventLog.rolling.enabled": "false",
         "spark.eventLog.dir": "file://" + asked["folder"]}
# What an author may not say at all; here it was said all the same.
sly = {"spark.hadoop.fs.s3a.committer.name": "file",
       "spark.sql.sources.commitProtocolClass": "org.apache.spark.sql.execution.datasources.SQLHadoopMapReduceCommitProtocol",
       "spark.sql.parquet.output.committer.class": "org.apache.parquet.hadoop.ParquetOutputCommitter"}
root = f"s3a://{asked['bucket']}"
with session(conf=sly, team_conf=fixed, stores=store_access({asked["bucket"]: here})) as spark:
    seen["mapped"] = is_mapped(spark.sparkContext._gateway.proc.pid, archive)
    facts = write(spark, f"{root}/out")
    seen["written"] = [facts.rows, sorted(facts.committed.names)]
    seen["read"] = list(read(spark, f"{root}/out"))
    seen["conf"] = sorted(f"{k}={v}" for k, v in spark.sparkContext.getConf().getAll())
    # The witness: transform is code, and may say it while the session runs.
    for key in list(sly)[1:]:
        spark.conf.set(key, sly[key])
    seen["renamed"] = told(lambda: write(spark, f"{root}/renamed"))
    seen["flipped"] = told(lambda: read(spark, f"{root}/flipped/part-0.parquet"))
"""
FAULTS = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import socket, threading
from concurrent.futures import ThreadPoolExecutor
class Refusing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        code, name = ANSWERS[self.path.split("/")[1]]
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = f"<Error><Code>{name}</Code><Message>no</Message></Error>".encode()
        self.send_response(code)
        self.send_header("content-length", "0" if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)
    do_GET = do_PUT = do_HEAD = do_POST = answer
    def log_message(self, *said): pass
ANSWERS = {"throttled": (503, "SlowDown"), "expired": (400, "ExpiredToken"), "failing": (500, "InternalError")}
server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()
dead = socket.socket()
dead.bind(("127.0.0.1", 0))  # and never listens
at = lambda port: S3Endpoint(asked["region"], f"http://127.0.0.1:{port}", path_style=True)
others = {**dict.fromkeys(ANSWERS, at(server.server_port)), "deadstore": at(dead.getsockname()[1])}
with session(stores=store_access({asked["bucket"]: here, **others})) as spark:
    def asked_of(bucket):
        tried = [told(lambda: write(spark, f"s3a://{bucket}/out"))]
        if bucket != "throttled":  # its patience is tried once
            tried += [told(lambda: read(spark, f"s3a://{bucket}/in/part-0.parquet"))]
        return tried
    buckets = (asked["bucket"], "nobucket", *others)
    with ThreadPoolExecutor(len(buckets)) as pool:  # nearly all of it is waiting
        seen = dict(zip(buckets, pool.map(asked_of, buckets), strict=True))
"""


def child(code: str, server: Seaweed, bucket: str, folder: Path, keys: Keys) -> dict[str, Any]:
    """What ``code`` has seen, in a process that has ``keys``."""
    asked = {"endpoint": server.endpoint, "region": REGION, "bucket": bucket, "folder": str(folder)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SPARK_", "PYSPARK_"))}
    done = subprocess.run(
        [sys.executable, "-c", f"{HEAD}\n{code}\nprint(json.dumps(seen))", json.dumps(asked)],
        cwd=ROOT, env=kept | keys.environment(), capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


@dataclass(frozen=True)
class Asked:
    """What a process was asked of, and what it will have seen."""

    bucket: str
    folder: Path
    keys: Keys
    seen: "Future[dict[str, Any]]"


@pytest.fixture(scope="module")
def both(archive: None, seaweed: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asked, Asked]]:
    """Both processes at once, healthy and refused: the second does hardly anything but wait."""
    ensure_jars("s3a")
    wrong = Keys(seaweed.admin.access, "0" * 32)

    with ThreadPoolExecutor(2) as pool:

        def start(code: str, keys: Keys) -> Asked:
            bucket, folder = seaweed.bucket(), tmp_path_factory.mktemp("s3a")
            body = flipped_file(folder)
            seaweed.client().put_object(Bucket=bucket, Key="flipped/part-0.parquet", Body=body)
            return Asked(bucket, folder, keys, pool.submit(child, code, seaweed, bucket, folder, keys))

        yield start(HEALTHY, seaweed.admin), start(FAULTS, wrong)


def test_an_output_on_s3_is_committed_without_renames_and_reads_back(
    both: tuple[Asked, Asked], seaweed: Seaweed
) -> None:
    asked, _ = both
    bucket, folder, client = asked.bucket, asked.folder, seaweed.client()

    seen = asked.seen.result()

    listed = client.list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]
    parts = sorted(one["Key"].removeprefix("out/") for one in listed if "/part-" in one["Key"])
    success = json.loads(client.get_object(Bucket=bucket, Key="out/_SUCCESS")["Body"].read())
    assert success["committer"] == "magic"
    assert seen["written"] == [1000, parts]
    assert len(parts) == 4
    assert seen["read"] == [1000, 499500]
    assert seen["mapped"] is True  # jars of a session do not spoil the class-data archive
    assert "spark.hadoop.fs.s3a.committer.name=magic" in seen["conf"]
    kind, text, _ = seen["renamed"]
    assert kind == "SetupError"
    assert f"where: s3a://{bucket}/renamed" in text
    assert [one for one in client.list_objects_v2(Bucket=bucket, Prefix="renamed/")["Contents"] if one["Size"]]
    kind, text, _ = seen["flipped"]
    assert (kind, "flipped/part-0.parquet" in text) == ("InputCorrupt", True)
    (log,) = (path for path in folder.iterdir() if path.name.startswith("local-"))
    told = log.read_text() + " ".join(seen["conf"]) + (folder / "jvm.log").read_text()
    assert "fs.s3a.aws.credentials.provider" in told
    assert seaweed.admin.secret not in told
    assert seaweed.admin.access not in told


def flipped_file(folder: Path) -> bytes:
    """Parquet with checksums of its pages, and one bit of a page another."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "part-0.parquet"
    pq.write_table(
        pa.table({"id": range(10_000)}), path, compression="none", use_dictionary=False, write_page_checksum=True
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    return bytes(data)


def test_what_a_store_refuses_says_so_within_a_bounded_time(both: tuple[Asked, Asked]) -> None:
    _, asked = both
    bucket, wrong = asked.bucket, asked.keys

    seen = asked.seen.result()

    expected = {
        bucket: ("SetupError", "refuses this identity"),
        "nobucket": ("SetupError", ""),
        "throttled": ("StoreUnavailable", "asks to slow down"),
        "expired": ("StoreUnavailable", "does not accept"),
        "failing": ("StoreUnavailable", "did not answer"),
        "deadstore": ("StoreUnavailable", "is not reached"),
    }
    assert {name: {kind for kind, _, _ in told} for name, told in seen.items()} == {
        name: {kind} for name, (kind, _) in expected.items()
    }
    for name, (_, words) in expected.items():
        for _, text, seconds in seen[name]:
            assert words in text
            assert f"s3a://{name}/" in text
            assert wrong.secret not in text
            assert seconds < (120 if name == "throttled" else 60)  # with Hadoop's own patience it would be minutes
