"""What is killed: a run that publishes rows of a table and commits them; and a way that commits in two entries."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from framework.errors import InputCorrupt
from framework.identity import Epoch
from framework.storage.attempts import Attempt
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Published, RunLog
from framework.tables.actions import Commit, Txn, commit_bytes
from framework.tables.commit import commit_tables
from framework.tables.proposal import next_commit, proposal_of
from tests.framework.tables.runs import OUTPUT, day, in_order, publish, rows, table
from tests.kill.harness import Torn

KEY, NEIGHBOUR = day(1), day(2)
ROWS = 40


class TableRun:
    """The product: publish, then commit; the next try finishes what is left. Another day's rows are there before."""

    def store(self, place: Path) -> Store:
        return DirectoryStore(place)

    def produce(self, place: Path, generation: int, attempt: int) -> None:
        store = self.store(place)
        if generation == 1:
            self.bring(store, self.written(store, self.claimed(store, RunLog(store, NEIGHBOUR), 1, 1), 1))
        log = RunLog(store, KEY)
        done = log.resume(Epoch("sweep", 2 * generation + attempt, 1), clear_number=generation, who="sweep")
        if done is None:
            done = self.written(store, self.claimed(store, log, generation, attempt), generation)
        self.bring(store, done)

    def claimed(self, store: Store, log: RunLog, generation: int, attempt: int) -> Attempt:
        epoch = Epoch("sweep", 2 * generation + attempt, 1)
        return log.claim(epoch, clear_number=generation, who="sweep", seen=log.seen())

    def written(self, store: Store, mine: Attempt, generation: int) -> Published:
        return publish(store, mine, rows(mine.key, generation, ROWS), parts=3)

    def bring(self, store: Store, what: Published) -> None:
        commit_tables(store, what)

    def look(self, place: Path) -> str | None:
        """Both days' rows as a reader of the table gets them."""
        store = self.store(place)
        try:
            snapshot = table(store).latest()
            files = () if snapshot is None else snapshot.up_to(None)
            found = [pq.read_table(store.readable(f"{table(store).place}/{f.path}"), partitioning=None) for f in files]
        except (OSError, pa.ArrowException, InputCorrupt) as error:
            raise Torn(f"{type(error).__name__} {error}"[:200]) from error
        if not any(file.run == KEY.run for file in files):
            return None
        return str(in_order([row for one in found for row in one.to_pylist()]))


class InTwoEntries(TableRun):
    """As a script does it: delete the day's rows, then append the new ones."""

    def bring(self, store: Store, what: Published) -> None:
        log = table(store)
        snapshot, wanted = log.latest(), proposal_of(what, OUTPUT)
        entry = next_commit(snapshot, wanted, new_id="0", now_ms=0)
        if isinstance(entry, str):
            return
        version = 0 if snapshot is None else snapshot.version + 1
        gone = Commit(removes=entry.removes, meta=entry.meta, protocol=entry.protocol)
        log.take(version, commit_bytes(gone), pause=lambda _: None)
        new = Commit(adds=entry.adds, txns=(Txn(wanted.app, wanted.attempt),))
        log.take(version + 1, commit_bytes(new), pause=lambda _: None)
