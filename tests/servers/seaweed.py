"""An S3 server of the session's own, in a temporary folder, gone with its last test."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framework.servers import seaweed as server
from framework.servers.identities import REGION, Identity, administrator, fresh_keys
from framework.storage.keys import Keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["REGION", "Keys", "Seaweed", "running", "seaweed"]


@dataclass(frozen=True, slots=True)
class Seaweed:
    """A running server. ``reader`` is a second identity that may get objects, and neither list nor put."""

    endpoint: str
    admin: Keys
    reader: Keys
    pid: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.endpoint.removeprefix("http://").partition(":")
        return host, int(port)

    def bucket(self) -> str:
        """A new, empty bucket."""
        name = f"flights-{next(self._numbers)}-{secrets.token_hex(3)}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self, keys: Keys | None = None) -> "S3Client":
        """A boto3 client that knows nothing of the code under test."""
        return client_of(self.endpoint, keys or self.admin)


def client_of(endpoint: str, keys: Keys) -> "S3Client":
    """A boto3 client that knows nothing of the code under test."""
    import boto3
    from botocore.config import Config

    return boto3.session.Session(keys.access, keys.secret, region_name=REGION).client(
        "s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"})
    )


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """One server for the session."""
    with running() as one:
        yield one


@contextmanager
def running() -> Iterator[Seaweed]:
    """A server as long as the block lasts, with an administrator and a reader; killed, because nothing of it is kept."""
    home = Path(tempfile.mkdtemp(prefix="weed-"))
    admin, reader = administrator(), Identity("reader", fresh_keys("reader"), ("Read",))
    try:
        with server.running(home, (admin, reader)) as live:
            yield Seaweed(live.endpoint, admin.keys, reader.keys, live.pid)
    finally:
        shutil.rmtree(home, ignore_errors=True)
