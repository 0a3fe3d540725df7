"""An S3 server for a question: SeaweedFS on loopback, and its administrator's keys where a team's processes have theirs."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from framework.servers import seaweed
from framework.servers.identities import REGION, administrator
from framework.storage.keys import Keys
from framework.storage.s3client import Bucket


@contextmanager
def buckets(folder: Path, names: Sequence[str]) -> Iterator[tuple[Bucket, ...]]:
    """New buckets of a new server; until the block ends boto3 and Spark's JVM find its keys. Raises: ServerFailed."""
    admin = administrator()
    with seaweed.running(folder, [admin]) as server, environment(admin.keys):
        server.make_buckets(names, admin.keys)
        yield tuple(Bucket(name, "", server.endpoint, REGION) for name in names)


@contextmanager
def environment(keys: Keys) -> Iterator[None]:
    """The JVMs that are started in the block find the store's keys where a team's processes find them."""
    given = keys.environment()
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
