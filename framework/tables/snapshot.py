"""A table as it is at one version: a fold over its commits. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from framework.errors import InputCorrupt
from framework.schema.spec import SchemaSpec
from framework.storage.paths import dated_run
from framework.tables.actions import AddFile, Commit, Protocol, RemoveFile, TableMeta
from framework.tables.schemas import spec_of


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``files`` by path; ``removed``: those that left; ``txns``: by app, the attempt whose rows the table has.

    ``checkpoint``: the version of the checkpoint that it was read from; -1 for none.
    """

    version: int
    protocol: Protocol
    meta: TableMeta
    files: Mapping[str, AddFile] = field(default_factory=lambda: MappingProxyType({}))
    removed: Mapping[str, RemoveFile] = field(default_factory=lambda: MappingProxyType({}))
    txns: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    checkpoint: int = -1

    def attempt_of(self, app: str) -> int:
        """The attempt of a run key whose rows the table has; 0 when it has none of any."""
        return self.txns.get(app, 0)

    def spec(self, name: str = "table") -> SchemaSpec:
        """The columns that consumers see."""
        return spec_of(self.meta.schema, name=name)

    def up_to(self, moment: datetime | None) -> tuple[AddFile, ...]:
        """The files of runs up to ``moment``, all when it is None; sorted by path."""
        return tuple(file for _, file in sorted(self.files.items()) if moment is None or _in_time(file.run, moment))


def _in_time(run: str, moment: datetime) -> bool:
    date = dated_run(run)
    return date is not None and date <= moment


def based_on(state: Commit, version: int) -> Snapshot:
    """The table whose whole state at ``version`` the actions of ``state`` are. Raises: ValueError when that is none."""
    if state.meta is None or state.protocol is None:
        raise ValueError("a state without columns")
    return Snapshot(
        version,
        state.protocol,
        state.meta,
        MappingProxyType({file.path: file for file in state.adds}),
        MappingProxyType({gone.path: gone for gone in state.removes}),
        MappingProxyType({txn.app: txn.version for txn in state.txns}),
        checkpoint=version,
    )


def replay(base: Snapshot | None, commits: Iterable[tuple[int, Commit]], *, where: str) -> Snapshot | None:
    """The table after ``commits``, which follow ``base``; None when there is neither.

    Raises: InputCorrupt for a log that begins without columns, or removes what is not there.
    """
    version = -1 if base is None else base.version
    protocol, meta = (None, None) if base is None else (base.protocol, base.meta)
    files, removed, txns = ({}, {}, {}) if base is None else (dict(base.files), dict(base.removed), dict(base.txns))
    for number, commit in commits:
        version, protocol, meta = number, commit.protocol or protocol, commit.meta or meta
        for gone in commit.removes:
            if files.pop(gone.path, None) is None:
                raise InputCorrupt("a table's log removes a file that is not in it", where=where, got=gone.path)
            removed[gone.path] = gone
        for file in commit.adds:
            files[file.path] = file
            removed.pop(file.path, None)
        txns.update({txn.app: txn.version for txn in commit.txns})
    if version < 0:
        return None
    if protocol is None or meta is None:
        raise InputCorrupt("a table's log does not begin with its columns", where=where)
    since = -1 if base is None else base.checkpoint
    seen = MappingProxyType(files), MappingProxyType(removed), MappingProxyType(txns)
    return Snapshot(version, protocol, meta, *seen, checkpoint=since)
