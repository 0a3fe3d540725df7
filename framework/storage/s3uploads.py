"""Uploads in parts that nobody completed: Spark's committer leaves them where a driver or an executor died."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from framework.storage.s3errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GONE: Final = "NoSuchUpload"


class Begun(NamedTuple):
    """An upload as the server tells of it; seconds since the epoch by the server's clock."""

    key: str
    id: str
    moment: float


def begun(client: "S3Client", bucket: str, prefix: str) -> tuple[Begun, ...]:
    """Those whose key begins with ``prefix``. Raises: botocore's errors."""
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    return tuple(Begun(one["Key"], one["UploadId"], one["Initiated"].timestamp()) for one in _items(pages))


def _items(pages: Any) -> Iterator[Any]:
    return (one for page in pages for one in page.get("Uploads", ()))


def abort(client: "S3Client", bucket: str, key: str, upload_id: str) -> None:
    """Let go of its parts; one that is completed or gone is none. Raises: botocore's errors."""
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except ClientError as error:
        if code_of(error) != _GONE:
            raise
