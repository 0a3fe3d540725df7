"""An Alluxio of the session's own, before a directory and a bucket at once; gone with its last test."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framework.cache.alluxio import AlluxioCache
from framework.cache.cluster import down, up
from framework.cache.looking import Cluster
from framework.cache.parts import Wanted
from framework.cache.rest import Proxy
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from tests.servers.buckets import quick_store
from tests.servers.seaweed import REGION, Seaweed

if TYPE_CHECKING:
    from framework.storage.s3 import S3Store

__all__ = ["Alluxio", "alluxio", "directory_cluster", "running"]
MEMORY = 96 * 2**20


@dataclass(frozen=True, slots=True)
class Alluxio:
    """A running one. Its bucket is mounted as a team's store is, its directory beside it."""

    cluster: Cluster
    directory: DirectoryStore
    bucket: "S3Store"

    @property
    def proxy(self) -> Proxy:
        return Proxy(self.cluster.proxy, within_s=20)

    def cache(self, store: Store) -> AlluxioCache:
        """As a team would have it whose store this is."""
        return AlluxioCache(self.cluster.address, store.access)


@contextmanager
def running(
    team: str,
    store: Store,
    environment: dict[str, str] | None = None,
    granted: Sequence[tuple[Store, str]] = (),
) -> Iterator[Cluster]:
    """A cluster as long as the block lasts, in a folder of its own."""
    home = Path(tempfile.mkdtemp(prefix="alluxio-"))
    wanted = Wanted(team, store, home, MEMORY, granted, dies_with_us=True)
    try:
        yield up(wanted, {**os.environ, **(environment or {})}, notice=print)
    finally:
        try:
            down(home)
        finally:
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def directory_cluster(root: Path) -> Iterator[tuple[Cluster, DirectoryStore]]:
    """One that a test may kill parts of."""
    store = DirectoryStore(root)
    with running("flights", store) as cluster:
        yield cluster, store


@pytest.fixture(scope="session")
def alluxio(seaweed: Seaweed, s3_bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alluxio]:
    """One for the session."""
    from framework.storage.s3client import Bucket

    with pytest.MonkeyPatch.context() as patch:
        for name, value in seaweed.admin.environment().items():
            patch.setenv(name, value)
        bucket = quick_store(Bucket(s3_bucket, "cached", seaweed.endpoint, REGION))
        bucket.put_if_absent("/flights/first", b"so that its prefix is there")
    directory = DirectoryStore(tmp_path_factory.mktemp("cached"))
    with running("flights", bucket, seaweed.admin.environment()) as cluster:
        live = Alluxio(cluster, directory, bucket)
        live.proxy.mount("/files", directory.root, {})
        # A worker's first read of a bucket takes it some seconds, on a busy machine more than a probe may.
        live.cache(bucket).warm(bucket, ["/flights/first"], within_s=60)
        yield live
