"""What a published attempt wants of a table, and whether it may have it: a pure decision on a snapshot.

A proposal touches the files of one run key only. So it never has to be made anew because another run committed
meanwhile: it takes the next version. What can stop it is its own kind: a newer attempt of the same key.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from framework.schema.spec import SchemaSpec
from framework.storage.attempts import Published
from framework.storage.paths import run_path, table_path, table_share
from framework.tables.actions import ENGINE, AddFile, Commit, Protocol, RemoveFile, TableMeta, Txn, stats_json
from framework.tables.schemas import delta_schema, evolved
from framework.tables.snapshot import Snapshot

# Foreign tools follow these: the log is the table's history, and the data is teamspark's to remove.
CONFIGURATION: Final[Mapping[str, str]] = MappingProxyType({"delta.enableExpiredLogCleanup": "false"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """``app``: the run key, as the log names it. ``share``: where its files are. ``where``: for people.

    ``map_count``: how many indices the task has in this run; None for a plain task.
    """

    app: str
    share: str
    attempt: int
    files: tuple[AddFile, ...]
    spec: SchemaSpec
    where: str
    map_count: int | None = None
    info: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


Settled = Literal["committed", "superseded"]
"""The table has this attempt's rows already; or a newer one's."""


def proposal_of(published: Published, output: str) -> Proposal:
    """What ``published`` wants of the table of its output. Raises: KeyError, InputCorrupt."""
    entry, key = published.output(output), published.key
    below = f"{table_path(key.task, output)}/"
    stats: tuple[str | None, ...] = entry.stats or tuple(stats_json(file.rows) for file in entry.files)
    files = tuple(
        AddFile(path.removeprefix(below), file.bytes, 0, told)
        for path, file, told in zip(published.paths(output), entry.files, stats, strict=True)
    )
    return Proposal(
        app=run_path(key),
        share=table_share(key),
        attempt=published.number,
        files=files,
        spec=SchemaSpec.from_json(entry.schema_),
        where=f"{key} attempt {published.number}, table '{output}'",
        map_count=published.manifest.map_count if key.map_index is not None else None,
        info={
            "operation": "WRITE",
            "operationParameters": {"mode": "Overwrite", "share": table_share(key), "digest": published.digest},
            "operationMetrics": {"numOutputRows": str(entry.rows)},
            "isBlindAppend": False,
        },
    )


def next_commit(snapshot: Snapshot | None, wanted: Proposal, *, new_id: str, now_ms: int) -> Commit | Settled:
    """The entry that brings ``wanted`` into the table, or that there is none to write.

    ``new_id`` names the entry, and a table that it makes. ``now_ms``: for people; it decides nothing.

    Raises: SchemaMismatch.
    """
    had = 0 if snapshot is None else snapshot.attempt_of(wanted.app)
    if had >= wanted.attempt:
        return "committed" if had == wanted.attempt else "superseded"
    meta, protocol = _columns(snapshot, wanted, new_id=new_id, now_ms=now_ms)
    return Commit(
        adds=tuple(AddFile(file.path, file.bytes, now_ms, file.stats) for file in wanted.files),
        removes=tuple(RemoveFile(file.path, file.bytes, now_ms) for file in _displaced(snapshot, wanted)),
        txns=(Txn(wanted.app, wanted.attempt),),
        meta=meta,
        protocol=protocol,
        info={"timestamp": now_ms, "engineInfo": ENGINE, "txnId": new_id, **wanted.info},
    )


def _displaced(snapshot: Snapshot | None, wanted: Proposal) -> Iterator[AddFile]:
    """The files that ``wanted`` takes the place of: the key's own, and those of indices that its run has no more."""
    of_the_run = f"{_run_of(wanted.share)}/"
    for path, file in () if snapshot is None else snapshot.files.items():
        if path.startswith(of_the_run) and (file.share == wanted.share or _surplus(file, wanted)):
            yield file


def _run_of(share: str) -> str:
    return "/".join(share.split("/")[:2])


def _surplus(file: AddFile, wanted: Proposal) -> bool:
    """A plain task has no index, a mapped one no rows outside its indices."""
    if wanted.share == _run_of(wanted.share) or file.map_index is None:
        return True
    return wanted.map_count is not None and file.map_index >= wanted.map_count


def _columns(
    snapshot: Snapshot | None, wanted: Proposal, *, new_id: str, now_ms: int
) -> tuple[TableMeta | None, Protocol | None]:
    """What has to be said of columns and protocol: nothing when the table has them already."""
    if snapshot is None:
        meta = TableMeta(new_id, delta_schema(wanted.spec), now_ms, CONFIGURATION)
        return meta, Protocol.for_types(column.type for column in wanted.spec.columns)
    current = snapshot.spec()
    becomes = evolved(current, wanted.spec, where=wanted.where)
    if becomes.names == current.names:
        return None, None
    held = snapshot.meta
    meta = TableMeta(held.id, delta_schema(becomes), held.created_ms, held.configuration)
    protocol = Protocol.for_types(column.type for column in becomes.columns)
    return meta, None if protocol.reader <= snapshot.protocol.reader else protocol
