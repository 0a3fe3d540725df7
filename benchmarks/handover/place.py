"""A bucket's server behind a profile, and a process and a bucket for each hand-off, which are gone afterwards."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from benchmarks.handover.contracts import BYTES_A_ROW, make_template
from benchmarks.handover.order import Done, Order
from benchmarks.handover.sizes import Size
from benchmarks.hotcold import check, emulator
from benchmarks.hotcold.profiles import Profile
from benchmarks.processes import ROOT
from benchmarks.server import buckets
from framework.errors import SetupError
from framework.storage.s3client import Bucket, connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHECKED: Final = "handover-checked"
_FIRST: Final = "first"
_FIRST_BYTES: Final = 1 << 20
_LINES: Final = 10
_BIGS: Final = 4
_SIGNED_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Place:
    """``direct``: the server past its profile, ``far``: behind it."""

    folder: Path
    direct: Bucket
    far: Bucket

    def hand_over(self, subject: str, size: Size) -> Done:
        """In a bucket of its own, gone afterwards with the folder."""
        with self._bucket() as name, TemporaryDirectory(dir=self.folder) as folder:
            return _run(self._order(subject, size, name, folder))

    @contextmanager
    def _bucket(self) -> Iterator[str]:
        """Dropped whole: what is deleted from one that stays is still on the server's disk. The first object makes the server
        find room for a new bucket, which takes it up to a second.
        """
        client, name = connect(self.direct), f"handover-{time.monotonic_ns()}"
        client.create_bucket(Bucket=name)
        try:
            client.put_object(Bucket=name, Key=_FIRST, Body=bytes(_FIRST_BYTES))
            client.delete_object(Bucket=name, Key=_FIRST)
            yield name
        finally:
            client.delete_bucket(Bucket=name)

    def _order(self, subject: str, size: Size, bucket: str, folder: str) -> Order:
        rows = size.bytes // size.files // BYTES_A_ROW
        template = self.folder / f"{rows}.parquet"
        if not template.exists():
            make_template(template, rows)
        return Order(
            subject=subject, folder=folder, template=str(template), files=size.files, rows=rows * size.files,
            endpoint=self.far.endpoint or "", bucket=bucket, region=self.far.region or "", spawned=time.time(),
        )  # fmt: skip


def _run(order: Order) -> Done:
    """Raises: SetupError with the end of what the process said."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.handover.one", order.to_json()],
        check=False, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise SetupError(
            "a hand-off failed", where=order.subject, got=f"exit code {done.returncode}",
            details=done.stderr.splitlines()[-_LINES:], next_step="mend what it says",
        )  # fmt: skip
    return Done.of_json(done.stdout.splitlines()[-1])


@contextmanager
def prepared(profile: Profile) -> Iterator[Place]:
    """Raises: SetupError, ServerFailed."""
    with TemporaryDirectory(prefix="handover-") as name, buckets(Path(name) / "weed", [_CHECKED]) as (direct,):
        at = urlsplit(direct.endpoint or "")
        with emulator.before((at.hostname or "", at.port or 0), profile) as far:
            yield Place(Path(name), direct, Bucket(_CHECKED, "", far.endpoint, direct.region))


def require_profile(place: Place, profile: Profile) -> check.Measured:
    """What the store is like. Raises: SetupError when that is not what its profile says."""
    found = _measured(place)
    if faults := found.faults(profile):
        raise SetupError(
            "the store is not what its profile says, so that nothing can be measured with it",
            where=profile.name, details=faults, next_step="run again when the machine is quiet",
        )  # fmt: skip
    return found


def _measured(place: Place) -> check.Measured:
    """Objects are put past the profile, and asked for through it."""
    client, signer = connect(place.direct), connect(place.far)
    sizes = {"small": check.SMALL, **{f"big-{number}": check.BIG for number in range(_BIGS)}}
    for key, size in sizes.items():
        client.put_object(Bucket=_CHECKED, Key=key, Body=os.urandom(size))
    found = check.measure([_signed(signer, "small")], [_signed(signer, key) for key in sizes if key != "small"])
    for key in sizes:
        client.delete_object(Bucket=_CHECKED, Key=key)
    return found


def _signed(signer: "S3Client", key: str) -> str:
    asked = {"Bucket": _CHECKED, "Key": key}
    return str(signer.generate_presigned_url("get_object", Params=asked, ExpiresIn=_SIGNED_S))
