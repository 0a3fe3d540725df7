"""The one way a bucket is talked to: time limits, no hidden repeats, nothing that only AWS understands."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import md5
from typing import IO, TYPE_CHECKING, Any, Final

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from framework.storage.keys import Keys
from framework.storage.s3errors import translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS: Final = 32
CONNECT_S: Final = 5
READ_S: Final = 20
_CHUNK_BYTES: Final = 1 << 20
# Several files are sent at a time already; each in parts of what a worker's memory has room for.
PARTS: Final = TransferConfig(multipart_threshold=16 << 20, multipart_chunksize=16 << 20, use_threads=False)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a store is. ``prefix``: segments without a slash at either end. ``endpoint`` None: AWS."""

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None


def connect(bucket: Bucket, keys: Keys | None = None) -> "S3Client":
    """A client with ``keys``, else with credentials of boto3's default chain, which refreshes them. It asks nothing yet."""
    # A session of its own: the default one is shared, and not made to be used by threads.
    session = boto3.session.Session(keys.access, keys.secret, keys.token) if keys else boto3.session.Session()
    client = session.client(
        "s3",
        endpoint_url=bucket.endpoint,
        region_name=bucket.region,
        config=Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            # A conditional PUT that a client repeats by itself meets its own first copy and is told that it lost.
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            # Other servers than AWS know neither the checksums that newer clients add, nor how they trail a body.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if bucket.endpoint else "auto"},
        ),
    )
    for operation in ("PutObject", "UploadPart"):
        client.meta.events.register(f"before-call.s3.{operation}", with_digest)
    return client


def with_digest(params: Mapping[str, Any], **_: object) -> None:
    """Every body with its MD5, which all servers compare (RFC 1864): what comes as something else, or not at all, is refused."""
    body, digest = params["body"], md5(usedforsecurity=False)
    for chunk in (body,) if isinstance(body, bytes | bytearray) else _read_ahead(body):
        digest.update(chunk)
    params["headers"]["Content-MD5"] = b64encode(digest.digest()).decode()


def _read_ahead(file: IO[bytes]) -> Iterator[bytes]:
    start = file.tell()
    yield from iter(partial(file.read, _CHUNK_BYTES), b"")
    file.seek(start)


def make_bucket(bucket: Bucket, keys: Keys) -> None:
    """Make ``bucket`` if it is not there. Raises: SetupError, StoreUnavailable."""
    with translated(f"s3://{bucket.name}"):
        client = connect(bucket, keys)
        if bucket.name not in {one["Name"] for one in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket.name)
