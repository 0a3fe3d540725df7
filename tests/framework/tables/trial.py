"""Who may commit to a table that many write to? Writers of three kinds race on one log; a count of sets tells the losses.

    python -m tests.framework.tables.trial --writers 8 --commits 1000

``deltalake`` commits actions by its own client, ``teamspark`` is the product's code, ``naive`` puts the version after the
highest that it sees, over whatever is there. Each writer is a process. Of five commits one is a second attempt that
removes its first one's file. What was acknowledged is compared with the entries as they lie in the store, which are read
here as plain JSON, by none of the libraries.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from framework.schema.model import schema_spec
from framework.storage.base import Store
from framework.storage.paths import run_path, table_path, table_share
from framework.storage.posix import DirectoryStore
from framework.tables.actions import AddFile, RemoveFile, Txn, commit_bytes, stats_json
from framework.tables.actions import Commit as Entry
from framework.tables.commit import commit
from framework.tables.log import TableLog
from framework.tables.proposal import Proposal
from tests.framework.tables.runs import OUTPUT, TASK, Delay, day

MODULE: Final = "tests.framework.tables.trial"
KINDS: Final = ("teamspark", "deltalake", "naive")
RESULTS: Final = Path(__file__).parent / "results" / "trial.json"
SPEC: Final = schema_spec(Delay)
GIVE_UP: Final = 400
LIMIT_S: Final = 3600.0

Acknowledged = tuple[str, int, str]
"""App, attempt and file of a commit of which its writer was told that it is there."""


@dataclass(frozen=True)
class Place:
    """Where a trial's table is: a directory, or a prefix of a bucket whose keys are in the environment."""

    root: str
    bucket: str = ""
    endpoint: str = ""

    def store(self) -> Store:
        return _store(self)

    @property
    def delta_uri(self) -> str:
        place = table_path(TASK, OUTPUT)
        return f"s3://{self.bucket}/{self.root}{place}" if self.bucket else f"{self.root}{place}"

    @property
    def delta_options(self) -> dict[str, str]:
        if not self.bucket:
            return {}
        plain = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
        return {**plain, "aws_conditional_put": "etag"}


@cache
def _store(place: Place) -> Store:
    """One for each process: a client of S3 costs a tenth of a second."""
    if not place.bucket:
        return DirectoryStore(Path(place.root))
    from framework.storage.s3 import S3Store
    from framework.storage.s3client import Bucket

    return S3Store(Bucket(place.bucket, place.root, place.endpoint, "us-east-1"))


def works(writer: int, commits: int) -> Iterator[Proposal]:
    """What one writer commits, in order: every fifth is the second attempt of the one before."""
    for number in range(commits):
        again = number % 5 == 4
        key, attempt = day(writer * 10_000 + number - again), 2 if again else 1
        path = f"{table_share(key)}/a{attempt:04d}-{writer:08x}/part-0.parquet"
        yield Proposal(run_path(key), table_share(key), attempt, (AddFile(path, 10, 0, stats_json(1)),), SPEC, str(key))


def by_teamspark(place: Place, wanted: Proposal) -> int:
    return commit(TableLog(place.store(), table_path(TASK, OUTPUT)), wanted).lost


def by_deltalake(place: Place, wanted: Proposal) -> int:
    """Remove, add and transaction in one commit; whoever is refused looks again, as the fence is the caller's."""
    from deltalake import CommitProperties, DeltaTable, Transaction
    from deltalake.exceptions import DeltaError
    from deltalake.transaction import AddAction, RemoveAction

    new = [AddAction(file.path, file.bytes, {"_run": file.run}, 0, True, file.stats or "") for file in wanted.files]
    properties = CommitProperties(
        app_transactions=[Transaction(wanted.app, wanted.attempt)], max_commit_retries=GIVE_UP
    )
    for lost in range(GIVE_UP):
        table = DeltaTable(place.delta_uri, storage_options=place.delta_options)
        if (table.transaction_version(wanted.app) or 0) >= wanted.attempt:
            return lost
        gone = [
            RemoveAction(path, True, 0, 10, {"_run": wanted.files[0].run})
            for path in table.get_add_actions(flatten=True).column("path").to_pylist()
            if path.startswith(f"{wanted.share}/")
        ]
        try:
            table.create_write_transaction(
                [*gone, *new], "append", table.schema(), ["_run"], commit_properties=properties
            )
        except DeltaError:
            continue
        return lost
    raise RuntimeError(f"{wanted.where}: refused {GIVE_UP} times")


def by_naive(place: Place, wanted: Proposal) -> int:
    """As a log is written that trusts what it sees: the next version, over whatever came there meanwhile."""
    store, log = place.store(), f"{table_path(TASK, OUTPUT)}/_delta_log"
    entries = {entry.path: store.read(entry.path) for entry in store.list(log) if entry.path.endswith(".json")}
    adds = [
        json.loads(line).get("add", {}).get("path") for data in entries.values() for line in (data or b"").splitlines()
    ]
    gone = tuple(RemoveFile(path, 10, 0) for path in adds if path and path.startswith(f"{wanted.share}/"))
    data = commit_bytes(Entry(wanted.files, gone, (Txn(wanted.app, wanted.attempt),)))
    _replace(place, f"{log}/{len(entries):020d}.json", data)
    return 0


def _replace(place: Place, path: str, data: bytes) -> None:
    if not place.bucket:
        half = Path(f"{place.root}{path}.{os.getpid()}")
        half.write_bytes(data)
        half.replace(f"{place.root}{path}")
        return
    from framework.storage.s3client import Bucket, connect

    client = connect(Bucket(place.bucket, "", place.endpoint, "us-east-1"))
    client.put_object(Bucket=place.bucket, Key=f"{place.root}{path}", Body=data)


BY: Final[Mapping[str, Callable[[Place, Proposal], int]]] = {
    "teamspark": by_teamspark,
    "deltalake": by_deltalake,
    "naive": by_naive,
}


def work(kind: str, place: Place, writer: int, commits: int, told: Path) -> None:
    """One writer: commits, and notes each commit only once it was acknowledged."""
    with told.open("w", encoding="utf-8") as notes:
        for wanted in works(writer, commits):
            lost = BY[kind](place, wanted)
            notes.write(json.dumps([wanted.app, wanted.attempt, wanted.files[0].path, lost]) + "\n")
            notes.flush()


@dataclass(frozen=True)
class Finding:
    """What the entries say against what was acknowledged. Nothing but ``acknowledged`` and ``versions`` may be there."""

    acknowledged: int
    versions: int
    gaps: int
    lost: int
    twice: int
    regressed: int
    strangers: int

    @property
    def sound(self) -> bool:
        return not (self.gaps or self.lost or self.twice or self.regressed or self.strangers)


def judge(entries: Mapping[int, bytes], acknowledged: list[Acknowledged]) -> Finding:
    """Every acknowledged commit is one entry, its file is added once, and the last attempt of each run is what is left."""
    actions = [
        (version, *next(iter(json.loads(line).items())))
        for version, data in sorted(entries.items())
        for line in data.splitlines()
    ]
    txns = Counter((body["appId"], body["version"]) for _, kind, body in actions if kind == "txn")
    added = Counter(body["path"] for _, kind, body in actions if kind == "add")
    live: set[str] = set()
    for _, kind, body in actions:
        if kind == "remove":
            live.discard(body["path"])
        elif kind == "add":
            live.add(body["path"])
    told = {(app, attempt) for app, attempt, _ in acknowledged}
    newest = {app: (attempt, path) for app, attempt, path in sorted(acknowledged)}
    return Finding(
        acknowledged=len(acknowledged),
        versions=len(entries),
        gaps=len(set(range(max(entries, default=-1) + 1)) - entries.keys()),
        lost=sum(not txns[one] for one in told) + sum(path not in live for _, path in newest.values()),
        twice=sum(count > 1 for count in (*txns.values(), *added.values())),
        regressed=sum(path in live and newest[app][1] != path for app, _, path in acknowledged),
        strangers=len(set(txns) - told - {("made", 1)}),
    )


def entries_of(store: Store) -> dict[int, bytes]:
    found = {}
    for entry in store.list(f"{table_path(TASK, OUTPUT)}/_delta_log"):
        name = entry.path.rpartition("/")[2]
        if name.endswith(".json") and name[:20].isdigit():
            found[int(name[:20])] = store.read(entry.path) or b""
    return found


def trial(kind: str, place: Place, *, writers: int, commits: int) -> dict[str, Any]:
    """So many ``commits`` by so many ``writers`` at once, and what became of them."""
    made = Proposal("made", "_runs/19000101T000000Z", 1, (), SPEC, "the trial")
    commit(TableLog(place.store(), table_path(TASK, OUTPUT)), made)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        processes = [_start(kind, place, n, commits // writers, Path(folder, str(n))) for n in range(writers)]
        codes = [process.wait(LIMIT_S) for process in processes]
        seconds = time.monotonic() - started
        lines = [json.loads(line) for n in range(writers) for line in Path(folder, str(n)).read_text().splitlines()]
    found = judge(entries_of(place.store()), [(app, attempt, path) for app, attempt, path, _ in lines])
    return {
        "kind": kind,
        "store": "s3" if place.bucket else "directory",
        "writers": writers,
        "failed_writers": sum(code != 0 for code in codes),
        "seconds": round(seconds, 1),
        "tries_lost": sum(lost for *_, lost in lines),
        "sound": found.sound,
        **{name: getattr(found, name) for name in Finding.__annotations__},
    }


def _start(kind: str, place: Place, writer: int, commits: int, told: Path) -> "subprocess.Popen[bytes]":
    what = json.dumps([kind, vars(place), writer, commits, str(told)])
    return subprocess.Popen([sys.executable, "-m", MODULE, "--work", what])


@contextmanager
def places(store: str) -> Iterator[Callable[[], Place]]:
    """New places of a kind of store, one after the other."""
    if store == "directory":
        with tempfile.TemporaryDirectory() as folder:
            numbers = iter(range(1000))
            yield lambda: Place(f"{folder}/{next(numbers)}")
        return
    from tests.servers.seaweed import running

    with running() as seaweed:
        os.environ.update(seaweed.admin.environment())
        bucket, numbers = seaweed.bucket(), iter(range(1000))
        yield lambda: Place(f"trial-{next(numbers)}", bucket, seaweed.endpoint)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--writers", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--stores", nargs="+", default=["directory", "s3"])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--work")
    asked = parser.parse_args()
    if asked.work:
        kind, place, writer, commits, told = json.loads(asked.work)
        work(kind, Place(**place), writer, commits, Path(told))
        return
    rows = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else []
    for store in asked.stores:
        with places(store) as new:
            for kind in asked.kinds:
                for writers in asked.writers:
                    row = trial(kind, new(), writers=writers, commits=asked.commits)
                    print(json.dumps(row), flush=True)
                    rows = [one for one in rows if _of(one) != _of(row)] + [row]
    asked.out.write_text(json.dumps(sorted(rows, key=_of), indent=1) + "\n", encoding="utf-8")


def _of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["store"], row["kind"], row["writers"]


if __name__ == "__main__":
    main()
