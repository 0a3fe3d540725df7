"""What is killed: the real publish code with a small Parquet writer, and three ways that people publish without it."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from framework.datafile import Readable
from framework.errors import InputChanged, InputCorrupt
from framework.identity import Epoch, RunKey
from framework.manifest import Manifest, OutputEntry
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Attempt, Published, RunLog, check_files, list_attempt
from tests.kill.harness import Torn
from tests.kill.steps import Sink

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
OUTPUTS = ("default", "rejects")
PARTS = 2
ROWS = 100


def tables(generation: int) -> Iterator[tuple[str, int, pa.Table]]:
    """The rows of a version: the same whenever they are computed."""
    for output in OUTPUTS:
        for part in range(PARTS):
            numbers = range(part * ROWS, (part + 1) * ROWS)
            columns = {
                "n": pa.array(numbers, pa.int64()),
                "carrier": [f"{output} {generation} {n % 7}" for n in numbers],
                "delay": [n * generation / 8 for n in numbers],
            }
            yield output, part, pa.table(columns)


def write(table: pa.Table, path: Path) -> None:
    with path.open("wb") as file:
        pq.write_table(table, Sink(file), compression="none", write_page_checksum=True)


def digest(paths: Mapping[str, Sequence[Readable]]) -> str:
    """Content of all outputs, whatever the layout of their files. Raises: Torn."""
    found = sha256()
    try:
        for output, files in sorted(paths.items()):
            found.update(output.encode())
            parts = [pq.read_table(path, page_checksum_verification=True, use_threads=False) for path in files]
            rows = pa.concat_tables(parts).combine_chunks()
            for batch in rows.to_batches():
                found.update(batch.serialize())
    except (OSError, pa.ArrowException) as error:
        raise Torn(f"{type(error).__name__} {error}"[:200]) from error
    return found.hexdigest()


class Protocol:
    """The product: claim, write, list, compare, publish."""

    def store(self, place: Path) -> Store:
        return DirectoryStore(place)

    def write(self, place: Path, mine: Attempt, generation: int) -> None:
        """All files of an attempt, as Spark leaves them."""
        for output, part, table in tables(generation):
            folder = DirectoryStore(place).local(mine.output_dir(output))
            folder.mkdir(parents=True, exist_ok=True)
            write(table, folder / f"part-{part}.parquet")

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        store = self.store(place)
        log = RunLog(store, KEY)
        epoch = Epoch("sweep", 2 * generation + attempt, 1)
        if log.resume(epoch, clear_number=generation, who="sweep") is not None:
            return
        mine = log.claim(epoch, clear_number=generation, who="sweep", seen=log.seen())
        self.write(place, mine, generation)
        log.publish(mine, self._manifest(store, mine, generation))

    def _manifest(self, store: Store, mine: Attempt, generation: int) -> Manifest:
        return Manifest(
            key=KEY,
            attempt=mine.number,
            token=mine.token,
            epoch=mine.claim.epoch,
            clear_number=generation,
            job="jobs.flights.delays:Delays",
            contract="0",
            outputs=tuple(self._output(store, mine, name) for name in OUTPUTS),
        )

    def _output(self, store: Store, mine: Attempt, name: str) -> OutputEntry:
        files = []
        for file in list_attempt(store, mine, name):
            rows = pq.read_metadata(store.readable(f"{mine.directory}/{file.path}")).num_rows
            files.append(file.model_copy(update={"rows": rows}))
        assert sum(file.rows or 0 for file in files) == PARTS * ROWS, "the listing lags: not all that was written"
        return OutputEntry(
            name=name, schema_={}, rows=PARTS * ROWS, bytes=sum(file.bytes for file in files), files=tuple(files)
        )

    def look(self, place: Path) -> str | None:
        store = self.store(place)
        log = RunLog(store, KEY)
        newest = log.newest()
        return None if newest is None else self._content(store, log, newest)

    def _content(self, store: Store, log: RunLog, newest: Published) -> str:
        try:
            for name in OUTPUTS:
                check_files(store, newest, name)
            log.ensure_live(newest)
        except (InputCorrupt, InputChanged) as error:
            raise Torn(str(error)) from error
        return digest({name: [store.readable(path) for path in newest.paths(name)] for name in OUTPUTS})


class _Naive:
    """Readers take what is in ``out``: there is nothing else to go by."""

    def look(self, place: Path) -> str | None:
        if not (place / "out").exists():
            return None
        try:
            paths = {name: sorted((place / "out" / name).glob("part-*.parquet")) for name in OUTPUTS}
        except FileNotFoundError as error:
            raise Torn("a folder vanished while it was listed") from error
        if not all(paths.values()):
            raise Torn("an output without files")
        return digest(paths)

    def _write(self, folder: Path, generation: int) -> None:
        for output, part, table in tables(generation):
            (folder / output).mkdir(parents=True, exist_ok=True)
            write(table, folder / output / f"part-{part}.parquet")


class InPlace(_Naive):
    """Writes over what is there."""

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        self._write(place / "out", generation)


class RenamedFolder(_Naive):
    """Writes beside, removes the old folder, renames: two steps where one is needed."""

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        beside = place / f"beside-{generation}-{attempt}"
        self._write(beside, generation)
        if (place / "out").exists():
            shutil.rmtree(place / "out")
        beside.rename(place / "out")


class RenamedFiles(_Naive):
    """As committers do it without a manifest: each file is whole, all together are not."""

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        beside = place / f"beside-{generation}-{attempt}"
        self._write(beside, generation)
        for name in OUTPUTS:
            (place / "out" / name).mkdir(parents=True, exist_ok=True)
            for part in sorted((beside / name).iterdir()):
                part.replace(place / "out" / name / part.name)
