"""What others would do by hand, and what the machine can do at all. No manifest, no checks, nothing that says when it is whole."""

import http.client
import io
import os
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import boto3
import pyarrow.parquet as pq
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config

from benchmarks.handover.order import Clock, Handing, Order
from benchmarks.handover.reading import rows_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AT_ONCE: Final = 10
_PART: Final = 8 << 20
_TRANSFER: Final = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=_AT_ONCE)
_PIECE: Final = 1 << 20
_SIGNED_S: Final = 3600


def by_parts(order: Order, undo: ExitStack) -> Handing:
    """The best that boto3 has: all files at once, in parts, ten requests at a time."""
    client = _client(order)
    return lambda clock: _by_parts(order, client, order.left, clock)


def rows_by_parts(order: Order, undo: ExitStack) -> Handing:
    """As ``by_parts``, by a first task that makes its files of rows: for what Spark is compared with, which cannot but do so."""
    client, made = _client(order), order.root / "made"
    made.mkdir()

    def handing(clock: Clock) -> int:
        with clock.part("write"):
            for path in sorted(order.left.iterdir()):
                pq.write_table(pq.read_table(path), made / path.name, use_dictionary=False)
        return _by_parts(order, client, made, clock)

    return handing


def _by_parts(order: Order, client: "S3Client", folder: Path, clock: Clock) -> int:
    fetched = order.root / "fetched"
    fetched.mkdir()
    with clock.part("upload"), create_transfer_manager(client, _TRANSFER) as manager:
        _ended([manager.upload(str(path), order.bucket, path.name) for path in sorted(folder.iterdir())])
    with clock.part("download"), create_transfer_manager(client, _TRANSFER) as manager:
        _ended([manager.download(order.bucket, key, str(fetched / key)) for key in _keys(order, client)])
    with clock.part("read"):
        return rows_of([str(path) for path in sorted(fetched.iterdir())])


def _ended(transfers: Iterable[Any]) -> None:
    for one in transfers:
        one.result()


def one_by_one(order: Order, undo: ExitStack) -> Handing:
    """Whole files in memory, one request after the other."""
    client = _client(order)

    def handing(clock: Clock) -> int:
        with clock.part("upload"):
            for path in sorted(order.left.iterdir()):
                client.put_object(Bucket=order.bucket, Key=path.name, Body=path.read_bytes())
        rows = 0
        with clock.part("download and read"):
            for key in _keys(order, client):
                body = client.get_object(Bucket=order.bucket, Key=key)["Body"].read()
                rows += pq.read_table(io.BytesIO(body)).num_rows
        return rows

    return handing


def _keys(order: Order, client: "S3Client") -> list[str]:
    return [one["Key"] for one in client.list_objects_v2(Bucket=order.bucket)["Contents"]]


def _client(order: Order) -> "S3Client":
    """Checksums as our own store has them, so that none is ahead by a digest."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=order.endpoint,
        region_name=order.region,
        config=Config(
            max_pool_connections=_AT_ONCE,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"},
        ),
    )


def one_stream(order: Order, undo: ExitStack) -> Handing:
    """A limit: the same bytes by one HTTP connection, there and back; nothing is decoded."""
    client = _client(order)

    def signed(way: str, path: Path) -> str:
        asked = {"Bucket": order.bucket, "Key": path.name}
        return str(client.generate_presigned_url(way, Params=asked, ExpiresIn=_SIGNED_S))

    def handing(clock: Clock) -> int:
        where = urlsplit(order.endpoint)
        paths = sorted(order.left.iterdir())
        with closing(http.client.HTTPConnection(where.hostname or "", where.port, blocksize=_PIECE)) as connection:
            for path in paths:
                with clock.part("upload"), path.open("rb") as file:
                    _asked(connection, "PUT", signed("put_object", path), file, path.stat().st_size)
            for path in paths:
                with clock.part("download"):
                    _asked(connection, "GET", signed("get_object", path))
        return order.rows

    return handing


def _asked(connection: http.client.HTTPConnection, verb: str, url: str, body: Any = None, size: int = 0) -> None:
    parts = urlsplit(url)
    headers = {"content-length": str(size)} if body else {}
    connection.request(verb, f"{parts.path}?{parts.query}", body, headers)
    reply = connection.getresponse()
    if reply.status != http.client.OK:
        raise ConnectionError(f"{reply.status} for {verb} {parts.path}")
    _drained(reply)


def disk_alone(order: Order, undo: ExitStack) -> Handing:
    """A limit: the files made durable where they are, and their bytes read back; nothing is decoded."""

    def handing(clock: Clock) -> int:
        with clock.part("flush"):
            for path in [*order.left.iterdir(), order.left]:
                _synced(path)
        with clock.part("read"):
            for path in order.left.iterdir():
                with path.open("rb", buffering=0) as file:
                    _drained(file)
        return order.rows

    return handing


def _synced(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _drained(source: Any) -> None:
    buffer = bytearray(_PIECE)
    while source.readinto(buffer):
        pass
