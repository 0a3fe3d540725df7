"""The same runs in a bucket of a real S3 server: what is killed speaks to it by the product's own client.

A place is a prefix. Server and bucket are named in the environment, keys too, as boto3 wants them.
"""

import io
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from framework.storage.attempts import Attempt
from framework.storage.s3 import S3Store
from framework.storage.s3client import Bucket, connect
from tests.kill.subjects import OUTPUTS, Protocol, digest, tables
from tests.kill.table_subject import InTwoEntries, TableRun
from tests.servers.seaweed import REGION

ENDPOINT: Final = "KILL_ENDPOINT"
BUCKET: Final = "KILL_BUCKET"


@dataclass(frozen=True)
class Prefixes:
    """Places that are prefixes of a bucket, and one client for all that a process does there."""

    bucket: Bucket
    client: Any = field(repr=False)

    @classmethod
    def of_environment(cls) -> "Prefixes":
        bucket = Bucket(os.environ[BUCKET], "", os.environ[ENDPOINT], REGION)
        return cls(bucket, connect(bucket))

    def store(self, place: Path) -> S3Store:
        return S3Store(replace(self.bucket, prefix=prefix_of(place)), connect=lambda _: self.client)

    def copy(self, first: Path, place: Path) -> None:
        for entry in self.store(first).list("/"):
            source = {"Bucket": self.bucket.name, "Key": f"{prefix_of(first)}{entry.path}"}
            self.client.copy_object(Bucket=self.bucket.name, Key=f"{prefix_of(place)}{entry.path}", CopySource=source)

    def forget(self, place: Path) -> None:
        """Nothing: the server is gone with the last test."""

    def hang_up(self) -> None:
        """A connection must not be shared with a forked process."""
        self.client.close()


def prefix_of(place: Path) -> str:
    return str(place).strip("/")


class RunInBucket(Protocol):
    """Files arrive as the magic committer brings them: sent in parts first, completed all together at the end."""

    def __init__(self) -> None:
        self.places = Prefixes.of_environment()

    def store(self, place: Path) -> S3Store:
        return self.places.store(place)

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        super().produce(place, generation, attempt)
        self.places.hang_up()

    def write(self, place: Path, mine: Attempt, generation: int) -> None:
        client, uploads = self.places.client, []
        for output, part, table in tables(generation):
            key = f"{prefix_of(place)}{mine.output_dir(output)}/part-{part}.parquet"
            whose = {"Bucket": self.places.bucket.name, "Key": key}
            whose["UploadId"] = client.create_multipart_upload(**whose)["UploadId"]
            tag = client.upload_part(**whose, PartNumber=1, Body=_parquet(table))["ETag"]
            uploads.append({**whose, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}})
        for upload in uploads:
            client.complete_multipart_upload(**upload)


class InPlaceInBucket:
    """Puts objects over what is there; readers take what they list."""

    def __init__(self) -> None:
        self.places = Prefixes.of_environment()

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        for output, part, table in tables(generation):
            key = f"{prefix_of(place)}/{output}/part-{part}.parquet"
            self.places.client.put_object(Bucket=self.places.bucket.name, Key=key, Body=_parquet(table))
        self.places.hang_up()

    def look(self, place: Path) -> str | None:
        store = self.places.store(place)
        names = {output: [entry.path for entry in store.list(f"/{output}")] for output in OUTPUTS}
        if not any(names.values()):
            return None
        return digest({output: [store.readable(path) for path in paths] for output, paths in names.items()})


class TableInBucket(TableRun):
    """Publishes rows of a table in a bucket and commits them there."""

    def __init__(self) -> None:
        self.places = Prefixes.of_environment()

    def store(self, place: Path) -> S3Store:
        return self.places.store(place)

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        super().produce(place, generation, attempt)
        self.places.hang_up()


class InTwoEntriesInBucket(TableInBucket, InTwoEntries):
    """As a script does it: the day's rows deleted, then the new ones appended."""


def _parquet(table: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="none", write_page_checksum=True)
    return out.getvalue()
