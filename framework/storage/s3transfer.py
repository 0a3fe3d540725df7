"""Many objects at once, large ones in parts, by boto3's own transfer manager: ten requests at a time, in bounded memory."""

from collections.abc import Iterable
from functools import partial
from itertools import chain, repeat
from typing import Any, Final, Literal

from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.exceptions import ClientError
from s3transfer.exceptions import RetriesExceededError

from framework.storage.s3errors import NOT_FOUND, code_of
from framework.storage.s3objects import Objects

AT_ONCE: Final = 10
PART_BYTES: Final = 8 << 20
_CONFIG: Final = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=AT_ONCE)

Item = tuple[str, str]
"""A key, and the name of a file."""
Way = Literal["download", "upload"]


def carry(objects: Objects, bucket: str, way: Way, items: Iterable[Item]) -> None:
    """All of ``items``, each of which appears whole or not; one that fails is begun again as any request of ``objects`` is.

    Raises: StoreUnavailable, SetupError; FileNotFoundError for a key that is not there; OSError of this machine's files.
    """
    with create_transfer_manager(objects.client, _CONFIG) as manager:
        begin = partial(_begin, manager, bucket, way)
        for item, first in [(item, begin(item)) for item in items]:
            tries = chain([first], (begin(again) for again in repeat(item)))
            objects.asked(item[0], lambda tries=tries, item=item: _ended(next(tries), objects.place(item[0])))  # type: ignore[misc]  # a loop's variable, bound


def _begin(manager: Any, bucket: str, way: Way, item: Item) -> Any:
    key, name = item
    return manager.download(bucket, key, name) if way == "download" else manager.upload(name, bucket, key)


def _ended(future: Any, place: str) -> None:
    try:
        future.result()
    except ClientError as error:
        if code_of(error) in NOT_FOUND:
            raise FileNotFoundError(place) from error
        raise
    except RetriesExceededError as error:
        # It has asked for the rest of a body again and again; what ended it says more.
        raise error.last_exception from error
