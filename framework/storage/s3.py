"""A store in a bucket, by boto3. Imported only where a team has one.

A conditional PUT is sent once and never again by itself: whoever lost a reply reads the slot back. All other requests
say the same when they are repeated, and are, with growing pauses, until a deadline.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from operator import attrgetter
from typing import IO, TYPE_CHECKING

from framework.storage.base import (
    Access,
    Entry,
    SlotTaken,
    Upload,
    check_deletable,
    check_size,
    sizes_by_folder,
    split_file,
    split_path,
)
from framework.storage.carrying import Move
from framework.storage.lifecycle import BucketFacts
from framework.storage.s3client import Bucket, connect
from framework.storage.s3file import S3File
from framework.storage.s3objects import Found, Objects
from framework.storage.s3settings import bucket_facts
from framework.storage.s3transfer import Way, carry
from framework.storage.s3uploads import abort, begun

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
        self._bucket = bucket
        self._below = f"{bucket.prefix}/" if bucket.prefix else ""
        self._objects = Objects(bucket, connect=connect, pause=pause)

    @property
    def root(self) -> str:
        return self._objects.place(self._bucket.prefix).rstrip("/")

    @property
    def access(self) -> Access:
        return Access("s3a", self._bucket.name, self._bucket.endpoint, self._bucket.region)

    def uri(self, path: str) -> str:
        # Raw, as `!` is legal in a key and Hadoop does not un-escape.
        return f"s3a://{self._bucket.name}/{self._below}{'/'.join(split_path(path))}"

    def put_if_absent(self, path: str, data: bytes) -> None:
        key = self._key(path)
        try:
            self._objects.put_new(key, data)
        except SlotTaken as taken:
            raise SlotTaken(path) from taken

    def put_file(self, path: str, opened: Callable[[], IO[bytes]]) -> None:
        self._objects.upload(self._key(path), opened)

    def fetch(self, moves: Iterable[Move]) -> None:
        self._carry("download", moves)

    def send(self, moves: Iterable[Move]) -> None:
        self._carry("upload", moves)

    def _carry(self, way: Way, moves: Iterable[Move]) -> None:
        carry(self._objects, self._bucket.name, way, [(self._key(one.path), str(one.local)) for one in moves])

    def read(self, path: str) -> bytes | None:
        return self._objects.get(self._key(path))

    def stat(self, path: str) -> Entry | None:
        found = self._objects.head(self._key(path))
        return None if found is None else Entry(path, found.bytes, found.modified)

    def readable(self, path: str) -> S3File:
        """The object as a seekable file. Raises: FileNotFoundError, StoreUnavailable, SetupError."""
        return self._objects.readable(self._key(path))

    def list(self, prefix: str) -> tuple[Entry, ...]:
        found = map(self._entry, self._objects.below(self._folder_key(prefix)))
        return tuple(sorted((entry for entry in found if not entry.path.endswith("/")), key=attrgetter("path")))

    def folders(self, prefix: str) -> tuple[str, ...]:
        return tuple(sorted(self._objects.folders(self._folder_key(prefix))))

    def settle(self, files: Iterable[tuple[str, int]]) -> None:
        """Objects are durable when their writer was answered; what is left to ask is whether they are all there."""
        for folder, sizes in sizes_by_folder(files).items():
            base = folder.rstrip("/")
            there = map(self._entry, self._objects.directly_below(self._folder_key(folder)))
            listed = {entry.path: entry.bytes for entry in there}
            for name, size in sizes.items():
                path = f"{base}/{name}"
                found = listed.get(path)
                if found is None:  # another server's listings may lag
                    entry = self.stat(path)
                    found = None if entry is None else entry.bytes
                check_size(path, found, size)

    def delete(self, paths: Iterable[str]) -> None:
        self._objects.delete([self._key(path) for path in check_deletable(paths)])

    def uploads(self, prefix: str) -> tuple[Upload, ...]:
        client, folder = self._objects.client, self._folder_key(prefix)
        found = self._objects.asked(folder, lambda: begun(client, self._bucket.name, folder))
        return tuple(Upload(self._path(one.key), one.id, one.moment) for one in found)

    def abort(self, uploads: Iterable[Upload]) -> None:
        client, bucket = self._objects.client, self._bucket.name
        for one in uploads:
            key = self._key(one.path)
            self._objects.asked(key, partial(abort, client, bucket, key, one.id))

    def facts(self) -> BucketFacts:
        """How its bucket is set up. Raises: StoreUnavailable; SetupError, also when this identity may not ask."""
        return self._objects.asked("", lambda: bucket_facts(self._objects.client, self._bucket.name))

    def _entry(self, found: Found) -> Entry:
        return Entry(self._path(found.key), found.bytes, found.modified)

    def _path(self, key: str) -> str:
        return f"/{key[len(self._below) :]}"

    def _key(self, path: str) -> str:
        folder, name = split_file(path)
        return self._below + "/".join((*folder, name))

    def _folder_key(self, path: str) -> str:
        return self._below + "".join(f"{part}/" for part in split_path(path))
