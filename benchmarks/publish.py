"""How does publishing grow with the number of files, when the data is the same?

Measured from the last byte written to the manifest read back: listing, sizes, flush, one synced put. Both variants hold
the same bytes, because to flush fresh bytes is the disk's work in either; what grows is due to the number of files.
Asked twice: of little data, which a flush pays for by the file, and of more, which it pays for by the byte.

Beside each stands the limit, plain Python that knows no protocol: one scan of the folder, one look at each file, one
flush of the file system, one synced file of the manifest's size. A ratio that the limit exceeds too is the disk's.
Nothing is dirty when a variant begins to write, so that none pays for what another left behind.
"""

import ctypes
import os
import secrets
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.pairs import Answer, Run, run_pairs
from framework.identity import Epoch, RunKey
from framework.manifest import Manifest, OutputEntry, counted
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Attempt, RunLog, list_attempt

SMALL_ROUNDS, ROUNDS = 7, 25
FILES: Final = (10, 1000)
TOTALS_MIB: Final = (4, 64)
BOUND: Final = 1.5

ENTRY_BYTES: Final = 75
"""What a manifest says of one file."""


def ask(*, small: bool) -> tuple[Answer, ...]:
    """Publishing and its limit, each for many files over few, and the one over the other for many."""
    rounds = SMALL_ROUNDS if small else ROUNDS
    return tuple(answer for total_mib in TOTALS_MIB for answer in _ask(total_mib, rounds))


def _ask(total_mib: int, rounds: int) -> tuple[Answer, ...]:
    with TemporaryDirectory() as folder:
        variants: dict[str, Run] = {
            f"{name} {count} files": partial(way, Path(folder), count, total_mib << 20)
            for name, way in (("publish", _publish), ("disk alone", _limit))
            for count in FILES
        }
        seconds = run_pairs(variants, rounds)
    few, many, limit_few, limit_many = variants
    notes = tuple(f"{name}: {statistics.median(times) * 1000:.1f} ms" for name, times in seconds.items())

    def answer(question: str, base: str, variant: str, **more: Any) -> Answer:
        return Answer(f"{total_mib} MiB: {question}", base, {name: seconds[name] for name in (base, variant)}, **more)

    return (
        answer("seconds to publish 1,000 files, over 10 files", few, many, bounds={many: BOUND}, notes=notes),
        answer("seconds of the disk alone for 1,000 files, over 10 files", limit_few, limit_many),
        answer("seconds to publish 1,000 files, over the disk alone for as many", limit_many, many),
    )


def _publish(root: Path, count: int, total: int) -> float:
    store = DirectoryStore(root)
    log, attempt = claimed(store)
    with _written(store.local(attempt.output_dir()), count, total):
        started = time.monotonic()
        publish(store, log, attempt, [1] * count)
        return time.monotonic() - started


def claimed(store: Store) -> tuple[RunLog, Attempt]:
    """The first attempt of a new run."""
    log = RunLog(store, RunKey("flights", "flights.daily", "ingest", f"key-{secrets.token_hex(8)}"))
    return log, log.claim(Epoch("one", 1, 1), clear_number=0, who="benchmark", seen=None)


def publish(store: Store, log: RunLog, attempt: Attempt, rows: Sequence[int]) -> None:
    """What a run does when all is written and checked; ``rows`` of each file, in the order of their names."""
    files = counted(list_attempt(store, attempt), rows)
    total = sum(file.bytes for file in files)
    output = OutputEntry(name="default", schema_={}, rows=sum(rows), bytes=total, files=files)
    log.publish(attempt, _manifest(attempt, output))


def _limit(root: Path, count: int, total: int) -> float:
    folder = root / secrets.token_hex(8)
    with _written(folder, count, total):
        started = time.monotonic()
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with os.scandir(number) as found:
            sizes = [item.stat(follow_symlinks=False).st_size for item in found]
        ctypes.CDLL(None).syncfs(number)
        _put_synced(number, b"x" * ENTRY_BYTES * len(sizes))
        os.close(number)
        return time.monotonic() - started


@contextmanager
def _written(folder: Path, count: int, total: int) -> Iterator[None]:
    """``total`` fresh bytes in ``count`` files of one size; they are removed afterwards."""
    os.sync()
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"part-{number:05d}.parquet").write_bytes(b"x" * (total // count))
    yield
    shutil.rmtree(folder)


def _put_synced(folder: int, data: bytes) -> None:
    with os.fdopen(os.open("manifest", os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=folder), "wb", buffering=0) as file:
        file.write(data)
        os.fsync(file.fileno())
    os.fsync(folder)


def _manifest(attempt: Attempt, output: OutputEntry) -> Manifest:
    return Manifest(
        key=attempt.key,
        attempt=attempt.number,
        token=attempt.token,
        epoch=attempt.claim.epoch,
        clear_number=0,
        job="jobs.flights.ingest:IngestFlights",
        contract="0",
        outputs=(output,),
    )
