"""Everything that is read from, brought up and gone with the block: data, object store behind its profile, cache, session."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from benchmarks.hotcold import emulator
from benchmarks.hotcold.check import BIG, SMALL, Measured, measure
from benchmarks.hotcold.profiles import Profile
from benchmarks.hotcold.queries import TABLES
from benchmarks.server import environment
from framework.cache.alluxio import AlluxioCache
from framework.cache.cluster import down, up
from framework.cache.looking import Cluster
from framework.cache.parts import Wanted
from framework.cache.settings import client_needs
from framework.servers import seaweed
from framework.servers.identities import REGION, administrator
from framework.spark.archive import archive_home
from framework.spark.session import SessionSettings, open_session
from framework.spark.stores import S3Endpoint, store_access
from framework.storage.keys import Keys
from framework.storage.posix import DirectoryStore
from framework.storage.s3 import S3Store
from framework.storage.s3client import Bucket, connect

BUCKET: Final = "tpch-data"
HANDED: Final = "tpch-handed"
"""Another bucket, for outputs."""
PARTS: Final = 4
# Scale factors whose Parquet has about as many bytes: 128 MiB, 1 GiB, 4 GiB.
SIZES: Final[Mapping[str, float]] = {"S": 0.35, "M": 3.0, "L": 12.0}
_SIGNED_S: Final = 3600
_BIGS: Final = 4
_WORKER: Final = 1
"""Parts of a cluster are remembered in the order of their start: master, worker, proxy."""


@dataclass(frozen=True, slots=True)
class Place:
    """``files`` has the logical paths of each table's files; ``measured`` is what the object store turned out to be.

    ``far``: the store behind its profile, through which everything but ``local`` reads. ``again``: the cache that is wanted,
    up and well.
    """

    spark: SparkSession
    cluster: Cluster
    cache: AlluxioCache
    store: S3Store
    far: emulator.Emulated
    local: DirectoryStore
    files: Mapping[str, tuple[str, ...]]
    measured: Measured
    again: Callable[[], Cluster] = field(repr=False)

    def mended(self) -> Self:
        """The same place, its cache up whatever happened to it. Raises: as ``up``."""
        cluster = self.again()
        return replace(self, cluster=cluster, cache=AlluxioCache(cluster.address, self.store.access))

    def kill_worker(self) -> None:
        leaders = json.loads((Path(self.cluster.home) / "processes.json").read_text())
        os.kill(leaders[_WORKER][0], signal.SIGKILL)

    def uris(self, table: str, where: str) -> list[str]:
        """Where the files of ``table`` are read: ``local``, ``s3a`` or ``alluxio``."""
        if where == "alluxio":
            return [self.cache.resolve(self.store, path).uri for path in self.files[table]]
        store = self.local if where == "local" else self.store
        return [store.uri(path) for path in self.files[table]]

    @property
    def paths(self) -> list[str]:
        return [path for paths in self.files.values() for path in paths]

    @property
    def bytes(self) -> int:
        return sum(Path(self.local.root + path).stat().st_size for path in self.paths)


@contextmanager
def prepared(size: str, profile: Profile) -> Iterator[Place]:
    """Raises: SetupError, ServerFailed, CacheUnavailable."""
    with TemporaryDirectory(prefix="hotcold-") as name, ExitStack() as undo:
        folder, admin = Path(name), administrator()
        local = DirectoryStore(folder / "local")
        files = generate(folder / "local", SIZES[size])
        server = undo.enter_context(seaweed.running(folder / "weed", [admin]))
        server.make_buckets([BUCKET, HANDED], admin.keys)
        direct = Bucket(BUCKET, "", server.endpoint, REGION)
        _upload(direct, admin.keys, folder / "local", files)
        undo.enter_context(environment(admin.keys))
        at = urlsplit(server.endpoint)
        far = undo.enter_context(emulator.before((at.hostname or "", at.port or 0), profile))
        behind = Bucket(BUCKET, "", far.endpoint, REGION)
        measured = _measured(direct, behind, admin.keys)
        store = S3Store(behind)
        memory = sum((folder / "local" / path[1:]).stat().st_size for paths in files.values() for path in paths)
        undo.callback(down, folder / "cache")
        wanted = Wanted("bench", store, folder / "cache", 2 * memory, dies_with_us=True)
        again = partial(up, wanted, os.environ, notice=_say)
        cluster = again()
        spark = undo.enter_context(_session(far.endpoint))
        cache = AlluxioCache(cluster.address, store.access)
        yield Place(spark, cluster, cache, store, far, local, files, measured, again)


def generate(root: Path, scale: float) -> dict[str, tuple[str, ...]]:
    """TPC-H as Parquet below ``root``, by ``tpchgen-cli``; the logical paths of each table's files."""
    subprocess.run(
        [
            str(Path(sys.executable).with_name("tpchgen-cli")), "parquet", "-s", str(scale),
            "--tables", ",".join(TABLES), "--parts", str(PARTS), "--output-dir", str(root),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return {table: tuple(f"/{table}/{path.name}" for path in sorted((root / table).iterdir())) for table in TABLES}


def _upload(bucket: Bucket, keys: Keys, root: Path, files: Mapping[str, tuple[str, ...]]) -> None:
    client = connect(bucket, keys)
    for paths in files.values():
        for path in paths:
            client.upload_file(str(root / path[1:]), bucket.name, path[1:])


def _measured(direct: Bucket, behind: Bucket, keys: Keys) -> Measured:
    """Objects are put past the profile, and asked for through it."""
    client = connect(direct, keys)
    client.put_object(Bucket=direct.name, Key="check/small", Body=os.urandom(SMALL))
    bigs = [f"check/big-{number}" for number in range(_BIGS)]
    for key in bigs:
        client.put_object(Bucket=direct.name, Key=key, Body=os.urandom(BIG))
    signer = connect(behind, keys)

    def signed(key: str) -> str:
        asked = {"Bucket": behind.name, "Key": key}
        return str(signer.generate_presigned_url("get_object", Params=asked, ExpiresIn=_SIGNED_S))

    measured = measure([signed("check/small")], [signed(key) for key in bigs])
    for key in ("check/small", *bigs):
        client.delete_object(Bucket=direct.name, Key=key)
    return measured


@contextmanager
def _session(endpoint: str) -> Iterator[SparkSession]:
    behind = S3Endpoint(REGION, endpoint, path_style=True)
    stores = store_access(dict.fromkeys((BUCKET, HANDED), behind), client_needs(local=True), notice=_say)
    conf = {
        "spark.sql.shuffle.partitions": "4",
        "spark.driver.memory": "3g",
        # For the one question that writes through the cache.
        "spark.hadoop.alluxio.user.file.writetype.default": "CACHE_THROUGH",
    }
    with open_session(SessionSettings("hot-cold", conf=conf, archive_dir=archive_home(), stores=stores)) as spark:
        yield spark


def _say(text: str) -> None:
    print(text, file=sys.stderr)
