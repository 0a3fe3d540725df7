"""The objects of one bucket by their keys, whatever the keys are: asked again while the server passes a bad moment.

Stores, sources and destinations are built on this; which keys they may touch is decided there.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from framework.errors import StoreUnavailable
from framework.storage.base import SlotTaken
from framework.storage.s3client import PARTS, Bucket, connect
from framework.storage.s3errors import NOT_FOUND, TAKEN, code_of, refusal, translated
from framework.storage.s3file import S3File

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
DEADLINE_S: Final = 45.0
PAUSES_S: Final = (0.1, 0.4, 1.6, 3.2)
_BATCH: Final = 1000  # keys of one DeleteObjects
_NO_RANGE: Final = "InvalidRange"


@dataclass(frozen=True, slots=True)
class Found:
    """An object as the server tells of it. ``etag`` changes with its content; seconds are since the epoch."""

    key: str
    bytes: int
    modified: float
    etag: str


class Objects:
    """A bucket. Credentials come from what ``connect`` makes, by default boto3's chain, and are refreshed by it."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        connect: "Callable[[Bucket], S3Client]" = connect,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Asks nothing yet. ``pause`` is called between repeated requests."""
        self._bucket = bucket
        self._connect = connect
        self._pause = pause

    @cached_property
    def client(self) -> "S3Client":
        with translated(self.place("")):
            return self._connect(self._bucket)

    def place(self, key: str) -> str:
        """``key`` as people say it."""
        return f"s3://{self._bucket.name}/{key}"

    def put_new(self, key: str, data: bytes) -> None:
        """Sent once. Raises: SlotTaken when there is such a key; StoreUnavailable, after which there may be."""
        with translated(self.place(key)):
            try:
                self.client.put_object(Bucket=self._bucket.name, Key=key, Body=data, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) == TAKEN:
                    raise SlotTaken(key) from error
                raise

    def upload(self, key: str, opened: Callable[[], IO[bytes]]) -> None:
        """All bytes of what ``opened`` opens, in parts where they are many; the object appears whole or not."""

        def send() -> None:
            with opened() as file:
                self.client.upload_fileobj(file, self._bucket.name, key, Config=PARTS)

        self.asked(key, send)

    def get(self, key: str) -> bytes | None:
        """All bytes; None when there is no such key."""
        return self.asked(key, lambda: _absent_is_none(lambda: self._get(key)[0]))

    def head(self, key: str) -> Found | None:
        """What is told of one object; None when there is no such key."""
        return self.asked(key, lambda: _absent_is_none(lambda: self._head(key)))

    def readable(self, key: str) -> S3File:
        """The object as a seekable file. Raises: FileNotFoundError, StoreUnavailable, SetupError."""

        def fetch(what: str) -> tuple[bytes, int]:
            found = self.asked(key, lambda: _absent_is_none(lambda: self._get(key, what)))
            if found is None:
                raise FileNotFoundError(self.place(key))
            return found

        return S3File(fetch)

    def below(self, prefix: str) -> tuple[Found, ...]:
        """Every object whose key begins with ``prefix``, in the server's order: by key."""
        return tuple(map(_found, self._items(prefix, "")))

    def directly_below(self, prefix: str) -> tuple[Found, ...]:
        """As ``below``, but none with a further ``/`` in its key."""
        return tuple(map(_found, self._items(prefix, "/")))

    def folders(self, prefix: str) -> tuple[str, ...]:
        """What goes on with a ``/`` after ``prefix``: the names between."""
        pages = self.asked(prefix, lambda: tuple(self._pages(prefix, "/")))
        return tuple(item["Prefix"][len(prefix) : -1] for page in pages for item in page.get("CommonPrefixes", ()))

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; absent ones are no error."""
        for start in range(0, len(keys), _BATCH):
            self._delete(keys[start : start + _BATCH])

    def asked(self, key: str, ask: Callable[[], T]) -> T:
        """What ``ask`` returns, asked again while the store is unavailable. Raises: StoreUnavailable, SetupError."""
        where, started = self.place(key), time.monotonic()
        for pause in PAUSES_S:
            try:
                with translated(where):
                    return ask()
            except StoreUnavailable:
                if time.monotonic() - started + pause > DEADLINE_S:
                    raise
            self._pause(pause * random.uniform(0.5, 1.0))  # noqa: S311 that not all come back at once needs no secret
        with translated(where):
            return ask()

    def _get(self, key: str, what: str | None = None) -> tuple[bytes, int]:
        """The bytes of a range, or all, and the size of the whole. An empty object has no range at all."""
        asked = {} if what is None else {"Range": what}
        try:
            reply = self.client.get_object(Bucket=self._bucket.name, Key=key, **asked)  # type: ignore[arg-type] # a str
        except ClientError as error:
            if code_of(error) == _NO_RANGE:
                return b"", 0
            raise
        with closing(reply["Body"]) as body:
            data = body.read()
        whole = reply.get("ContentRange", "").rpartition("/")[2]
        return data, int(whole) if whole.isdigit() else len(data)

    def _head(self, key: str) -> Found:
        try:
            reply = self.client.head_object(Bucket=self._bucket.name, Key=key)
        except ClientError as error:
            if code_of(error) not in NOT_FOUND:
                self._get(key, "bytes=0-0")  # a reply to HEAD has no body to say why; this one has
            raise
        return Found(key, reply["ContentLength"], reply["LastModified"].timestamp(), _plain(reply["ETag"]))

    def _items(self, prefix: str, delimiter: str) -> Iterator[Any]:
        pages = self.asked(prefix, lambda: tuple(self._pages(prefix, delimiter)))
        return (item for page in pages for item in page.get("Contents", ()))

    def _pages(self, prefix: str, delimiter: str) -> Iterator[Any]:
        pages = self.client.get_paginator("list_objects_v2")
        return iter(pages.paginate(Bucket=self._bucket.name, Prefix=prefix, Delimiter=delimiter))

    def _delete(self, keys: Sequence[str]) -> None:
        objects: Any = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        reply = self.asked("", lambda: self.client.delete_objects(Bucket=self._bucket.name, Delete=objects))
        for told in reply.get("Errors", ()):
            if told.get("Code") not in NOT_FOUND:
                raise refusal(told, f"{self.place('')}: {len(keys)} file(s)")


def _found(item: Any) -> Found:
    return Found(item["Key"], item["Size"], item["LastModified"].timestamp(), _plain(item["ETag"]))


def _plain(etag: str) -> str:
    """Without the quotes that HTTP puts around it."""
    return etag.strip('"')


def _absent_is_none(ask: Callable[[], T]) -> T | None:
    """Raises: what ``ask`` raises, but for the absence of an object. A missing *bucket* is another code."""
    try:
        return ask()
    except ClientError as error:
        if code_of(error) in NOT_FOUND:
            return None
        raise
