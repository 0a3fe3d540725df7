"""How does publishing grow with the number of files? One request, whatever the number: listing and sync remain."""

import secrets
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.pairs import Answer, run_pairs
from framework.identity import Epoch, RunKey
from framework.manifest import Manifest, OutputEntry
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog, list_attempt

SMALL_ROUNDS, ROUNDS = 7, 25
FILES = (10, 1000)
BYTES = 4096


def ask(*, small: bool) -> tuple[Answer, ...]:
    """Seconds from the last file written to the manifest read back."""
    with TemporaryDirectory() as folder:
        store = DirectoryStore(Path(folder))
        variants = {f"{count} files": lambda count=count: _publish(store, count) for count in FILES}
        seconds = run_pairs(variants, SMALL_ROUNDS if small else ROUNDS)
    base, many = variants
    return (Answer("seconds to publish 1,000 files, over 10 files", base, seconds, {many: 1.5}),)


def _publish(store: DirectoryStore, count: int) -> float:
    key = RunKey("flights", "flights.daily", "ingest", f"key-{secrets.token_hex(8)}")
    log = RunLog(store, key)
    attempt = log.claim(Epoch("one", 1, 1), clear_number=0, who="benchmark", seen=None)
    folder = store.local(attempt.output_dir())
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"part-{number:05d}.parquet").write_bytes(b"x" * BYTES)
    started = time.monotonic()
    files = tuple(file.model_copy(update={"rows": 1}) for file in list_attempt(store, attempt))
    output = OutputEntry(name="default", schema_={}, rows=count, bytes=count * BYTES, files=files)
    log.publish(
        attempt,
        Manifest(
            key=key,
            attempt=attempt.number,
            token=attempt.token,
            epoch=attempt.claim.epoch,
            clear_number=0,
            job="jobs.flights.ingest:IngestFlights",
            contract="0",
            outputs=(output,),
        ),
    )
    return time.monotonic() - started
