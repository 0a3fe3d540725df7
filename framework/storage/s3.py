"""A store in a bucket, by boto3. Imported only where a team has one.

A conditional PUT is sent once and never again by itself: whoever lost a reply reads the slot back. All other requests
say the same when they are repeated, and are, with growing pauses, until a deadline.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from framework.errors import StoreUnavailable
from framework.storage.base import (
    Access,
    Entry,
    SlotTaken,
    check_deletable,
    check_size,
    sizes_by_folder,
    split_file,
    split_path,
)
from framework.storage.s3client import Bucket, connect
from framework.storage.s3errors import NOT_FOUND, TAKEN, code_of, refusal, translated
from framework.storage.s3file import S3File

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
DEADLINE_S: Final = 45.0
PAUSES_S: Final = (0.1, 0.4, 1.6, 3.2)
_BATCH: Final = 1000  # keys of one DeleteObjects
_NO_RANGE: Final = "InvalidRange"


class S3Store:
    """A store below a prefix of a bucket. Credentials come from boto3's default chain, and are refreshed by it."""

    kind = "s3"

    def __init__(
        self,
        bucket: Bucket,
        *,
        connect: "Callable[[Bucket], S3Client]" = connect,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Asks nothing yet. ``pause`` is called between repeated requests."""
        self._connect = connect
        self._bucket = bucket
        self._below = f"{bucket.prefix}/" if bucket.prefix else ""
        self._pause = pause

    @property
    def root(self) -> str:
        return f"s3://{self._bucket.name}/{self._bucket.prefix}".rstrip("/")

    @property
    def access(self) -> Access:
        return Access("s3a", self._bucket.name, self._bucket.endpoint, self._bucket.region)

    def uri(self, path: str) -> str:
        # Raw, as `!` is legal in a key and Hadoop does not un-escape.
        return f"s3a://{self._bucket.name}/{self._below}{'/'.join(split_path(path))}"

    def put_if_absent(self, path: str, data: bytes) -> None:
        key = self._key(path)
        with translated(self._told(path)):
            try:
                self._client.put_object(Bucket=self._bucket.name, Key=key, Body=data, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) == TAKEN:
                    raise SlotTaken(path) from error
                raise

    def read(self, path: str) -> bytes | None:
        key = self._key(path)
        return self._asked(path, lambda: _absent_is_none(lambda: self._get(key)[0]))

    def stat(self, path: str) -> Entry | None:
        key = self._key(path)
        return self._asked(path, lambda: _absent_is_none(lambda: self._head(path, key)))

    def readable(self, path: str) -> S3File:
        """The object as a seekable file. Raises: FileNotFoundError, StoreUnavailable, SetupError."""
        key = self._key(path)

        def fetch(what: str) -> tuple[bytes, int]:
            found = self._asked(path, lambda: _absent_is_none(lambda: self._get(key, what)))
            if found is None:
                raise FileNotFoundError(self.uri(path))
            return found

        return S3File(fetch)

    def list(self, prefix: str) -> tuple[Entry, ...]:
        below = self._folder_key(prefix)
        pages = self._asked(prefix, lambda: tuple(self._pages(below, "")))
        found = (_entry(item, self._below) for page in pages for item in page.get("Contents", ()))
        return tuple(sorted((entry for entry in found if not entry.path.endswith("/")), key=attrgetter("path")))

    def folders(self, prefix: str) -> tuple[str, ...]:
        below = self._folder_key(prefix)
        pages = self._asked(prefix, lambda: tuple(self._pages(below, "/")))
        found = (item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ()))
        return tuple(sorted(name[len(below) : -1] for name in found))

    def settle(self, files: Iterable[tuple[str, int]]) -> None:
        """Objects are durable when their writer was answered; what is left to ask is whether they are all there."""
        for folder, sizes in sizes_by_folder(files).items():
            base = folder.rstrip("/")
            listed = self._sizes_in(folder)
            for name, size in sizes.items():
                path = f"{base}/{name}"
                found = listed.get(path)
                if found is None:  # another server's listings may lag
                    entry = self.stat(path)
                    found = None if entry is None else entry.bytes
                check_size(path, found, size)

    def delete(self, paths: Iterable[str]) -> None:
        keys = [self._key(path) for path in check_deletable(paths)]
        for start in range(0, len(keys), _BATCH):
            self._delete(keys[start : start + _BATCH])

    @cached_property
    def _client(self) -> "S3Client":
        with translated(self.root):
            return self._connect(self._bucket)

    def _asked(self, path: str, ask: Callable[[], T]) -> T:
        """What ``ask`` returns, asked again while the store is unavailable. Raises: StoreUnavailable, SetupError."""
        started = time.monotonic()
        for pause in PAUSES_S:
            try:
                with translated(self._told(path)):
                    return ask()
            except StoreUnavailable:
                if time.monotonic() - started + pause > DEADLINE_S:
                    raise
            self._pause(pause * random.uniform(0.5, 1.0))  # noqa: S311 that not all come back at once needs no secret
        with translated(self._told(path)):
            return ask()

    def _get(self, key: str, what: str | None = None) -> tuple[bytes, int]:
        """The bytes of a range, or all, and the size of the whole. An empty object has no range at all."""
        asked = {} if what is None else {"Range": what}
        try:
            reply = self._client.get_object(Bucket=self._bucket.name, Key=key, **asked)  # type: ignore[arg-type] # a str
        except ClientError as error:
            if code_of(error) == _NO_RANGE:
                return b"", 0
            raise
        with closing(reply["Body"]) as body:
            data = body.read()
        whole = reply.get("ContentRange", "").rpartition("/")[2]
        return data, int(whole) if whole.isdigit() else len(data)

    def _head(self, path: str, key: str) -> Entry:
        try:
            reply = self._client.head_object(Bucket=self._bucket.name, Key=key)
        except ClientError as error:
            if code_of(error) not in NOT_FOUND:
                self._get(key, "bytes=0-0")  # a reply to HEAD has no body to say why; this one has
            raise
        return Entry(path, reply["ContentLength"], reply["LastModified"].timestamp())

    def _pages(self, below: str, delimiter: str) -> Iterator[Any]:
        pages = self._client.get_paginator("list_objects_v2")
        return iter(pages.paginate(Bucket=self._bucket.name, Prefix=below, Delimiter=delimiter))

    def _sizes_in(self, folder: str) -> dict[str, int]:
        """Bytes by path of what is directly in ``folder``."""
        pages = self._asked(folder, lambda: tuple(self._pages(self._folder_key(folder), "/")))
        entries = (_entry(item, self._below) for page in pages for item in page.get("Contents", ()))
        return {entry.path: entry.bytes for entry in entries}

    def _delete(self, keys: Sequence[str]) -> None:
        where = f"{self.root}: {len(keys)} file(s)"
        objects: Any = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        reply = self._asked("/", lambda: self._client.delete_objects(Bucket=self._bucket.name, Delete=objects))
        for told in reply.get("Errors", ()):
            if told.get("Code") not in NOT_FOUND:
                raise refusal(told, where)

    def _key(self, path: str) -> str:
        folder, name = split_file(path)
        return self._below + "/".join((*folder, name))

    def _folder_key(self, path: str) -> str:
        return self._below + "".join(f"{part}/" for part in split_path(path))

    def _told(self, path: str) -> str:
        return f"{self.root}{path}"


def _entry(item: Any, below: str) -> Entry:
    return Entry(f"/{item['Key'][len(below) :]}", item["Size"], item["LastModified"].timestamp())


def _absent_is_none(ask: Callable[[], T]) -> T | None:
    """Raises: what ``ask`` raises, but for the absence of an object. A missing *bucket* is another code."""
    try:
        return ask()
    except ClientError as error:
        if code_of(error) in NOT_FOUND:
            return None
        raise
