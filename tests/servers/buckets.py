"""Stores in the session's S3 server: one bucket for all tests, and a place below it for each."""

import secrets
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.servers.seaweed import REGION, Seaweed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from framework.storage.s3 import S3Store
    from framework.storage.s3client import Bucket


@pytest.fixture(scope="session")
def s3_bucket(seaweed: Seaweed) -> str:
    """One bucket for the session: each new one costs the server a second."""
    return seaweed.bucket()


@pytest.fixture
def s3_place(seaweed: Seaweed, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> "Bucket":
    """A prefix that no other test has, with the server's keys in the environment."""
    from framework.storage.s3client import Bucket

    for name, value in seaweed.admin.environment().items():
        monkeypatch.setenv(name, value)
    return Bucket(s3_bucket, f"test-{secrets.token_hex(6)}", seaweed.endpoint, REGION)


@pytest.fixture
def s3_store(s3_place: "Bucket") -> "S3Store":
    """A store at ``s3_place``."""
    return quick_store(s3_place)


def quick_store(place: "Bucket") -> "S3Store":
    """A store that does not pause, by a client that other tests use too."""
    from framework.storage.s3 import S3Store

    return S3Store(place, connect=lambda bucket: _client_of(replace(bucket, prefix="")), pause=lambda _: None)


@cache
def _client_of(bucket: "Bucket") -> "S3Client":
    """A client costs a tenth of a second: one for all tests of a place."""
    from framework.storage.s3client import connect

    return connect(bucket)


def without_digest(place: "Bucket") -> "S3Client":
    """A client that sends bodies as boto3 does by itself; for witnesses."""
    from framework.storage.s3client import connect, with_digest

    client = connect(place)
    for operation in ("PutObject", "UploadPart"):
        client.meta.events.unregister(f"before-call.s3.{operation}", with_digest)
    return client
