"""The actions of a Delta log that a table of ours holds, as records, and a commit as the bytes of its log entry. Pure.

What is read was written by another process, perhaps by another program: what this version does not know is refused,
because a reader that passes over a deletion vector or a renamed column reads wrong rows.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote

from framework.errors import InputCorrupt
from framework.storage.paths import TABLE_RUNS

RUN_COLUMN: Final = "_run"
ENGINE: Final = "teamspark"
_LINES: Final = "numActions"
_MIN_READER, _MIN_WRITER = 1, 2
_FEATURES_READER, _FEATURES_WRITER = 3, 7
_NTZ: Final = "timestampNtz"
_NTZ_TYPE: Final = '"timestamp_ntz"'
# What the older form of protocol implies has to be named in the newer one: a column without nulls is an invariant.
_KNOWN_FEATURES: Final = frozenset({_NTZ, "appendOnly", "invariants"})

# `_runs/<run>[/map-<n>]/<attempt>/...`: the share of the run key, and what its attempt wrote.
_PLACE: Final = re.compile(rf"({TABLE_RUNS}/([^/]+)(?:/map-(\d+))?)/a\d{{4,}}-[0-9a-f]{{8}}/.+")


@dataclass(frozen=True, slots=True)
class AddFile:
    """A data file of the table. ``path`` is relative to it, un-escaped. ``stats``: Delta's JSON; None: nobody counted."""

    path: str
    bytes: int
    modified_ms: int = 0
    stats: str | None = None

    @property
    def share(self) -> str:
        """The part of the path that belongs to one run key."""
        return _placed(self.path)[1]

    @property
    def run(self) -> str:
        """The segment of the run whose rows these are."""
        return _placed(self.path)[2]

    @property
    def map_index(self) -> int | None:
        index = _placed(self.path)[3]
        return None if index is None else int(index)

    @property
    def rows(self) -> int | None:
        found = json.loads(self.stats).get("numRecords") if self.stats else None
        return None if found is None else int(found)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": _escaped(self.path),
            "partitionValues": {RUN_COLUMN: self.run},
            "size": self.bytes,
            "modificationTime": self.modified_ms,
            "dataChange": True,
            "stats": self.stats,
        }


def stats_json(rows: int | None) -> str | None:
    """What Delta shall know of a file: how many rows it has."""
    return None if rows is None else json.dumps({"numRecords": rows})


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """A file that left the table. It stays in the store for as long as retention says."""

    path: str
    bytes: int
    removed_ms: int

    def to_json(self) -> dict[str, Any]:
        return {
            "path": _escaped(self.path),
            "deletionTimestamp": self.removed_ms,
            "dataChange": True,
            "extendedFileMetadata": True,
            "partitionValues": {RUN_COLUMN: _placed(self.path)[2]},
            "size": self.bytes,
        }


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a reader and a writer of the table must know; ``features`` are those of the newest form of protocol."""

    reader: int = _MIN_READER
    writer: int = _MIN_WRITER
    features: frozenset[str] = frozenset()

    @classmethod
    def for_types(cls, types: Iterable[Any]) -> "Protocol":
        """The least that tables with columns of these types need: a moment without a zone is a feature of its own."""
        if _NTZ_TYPE in json.dumps(list(types)):
            return cls(_FEATURES_READER, _FEATURES_WRITER, _KNOWN_FEATURES)
        return cls()

    def to_json(self) -> dict[str, Any]:
        versions = {"minReaderVersion": self.reader, "minWriterVersion": self.writer}
        if not self.features:
            return versions
        return versions | {"readerFeatures": sorted(self.features & {_NTZ}), "writerFeatures": sorted(self.features)}


@dataclass(frozen=True, slots=True)
class TableMeta:
    """``schema``: Spark's StructType as JSON, the run's column last."""

    id: str
    schema: Mapping[str, Any]
    created_ms: int = 0
    configuration: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps(self.schema, separators=(",", ":")),
            "partitionColumns": [RUN_COLUMN],
            "configuration": dict(self.configuration),
            "createdTime": self.created_ms,
        }


@dataclass(frozen=True, slots=True)
class Txn:
    """``version`` is the number of the attempt of run key ``app`` whose rows the table has."""

    app: str
    version: int

    def to_json(self) -> dict[str, Any]:
        return {"appId": self.app, "version": self.version}


@dataclass(frozen=True, slots=True)
class Commit:
    """One entry of the log. ``info`` is for people, but for a count in it, which tells a whole entry from a torn one."""

    adds: tuple[AddFile, ...] = ()
    removes: tuple[RemoveFile, ...] = ()
    txns: tuple[Txn, ...] = ()
    meta: TableMeta | None = None
    protocol: Protocol | None = None
    info: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def commit_bytes(commit: Commit) -> bytes:
    """The bytes of the entry: an action a line, what it is about first."""
    lines: list[tuple[str, Mapping[str, Any]]] = [("protocol", commit.protocol.to_json())] if commit.protocol else []
    lines += [("metaData", commit.meta.to_json())] if commit.meta else []
    lines += [("txn", one.to_json()) for one in commit.txns]
    lines += [("remove", one.to_json()) for one in commit.removes]
    lines += [("add", one.to_json()) for one in commit.adds]
    files = {"numAddedFiles": str(len(commit.adds)), "numRemovedFiles": str(len(commit.removes))}
    metrics = {**commit.info.get("operationMetrics", {}), **files, _LINES: str(len(lines) + 1)}
    lines.insert(0, ("commitInfo", {**commit.info, "operationMetrics": metrics}))
    return "".join(f"{json.dumps({kind: body}, separators=(',', ':'))}\n" for kind, body in lines).encode()


def parse_commit(data: bytes, *, where: str) -> Commit:
    """The commit in the bytes of a log entry. Raises: InputCorrupt for one that is torn, or that nobody here wrote."""
    try:
        found = [next(iter(json.loads(line).items())) for line in data.decode().split("\n") if line]
        commit = commit_of(found)
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise torn(where, f"{type(error).__name__}: {error}" if data else "an empty file") from error
    told = commit.info.get("operationMetrics")
    written = told.get(_LINES, len(found)) if isinstance(told, dict) else len(found)
    if not found or str(written) != str(len(found)):
        raise torn(where, f"{len(found)} actions of {written}")
    return commit


def torn(where: str, got: str) -> InputCorrupt:
    return InputCorrupt(
        "an entry of a table's log is torn, or not one that this version can read",
        where=where,
        got=got,
        expected="a Delta commit: an action in JSON a line, as it was written",
        next_step="restore this file from a backup or an older version of the object: it was whole when it was written",
    )


def commit_of(found: Iterable[tuple[str, Any]]) -> Commit:
    """The actions ``found``, by kind. Raises: ValueError, KeyError, TypeError for one that this version does not know."""
    by_kind: dict[str, list[Any]] = {}
    for kind, body in found:
        by_kind.setdefault(kind, []).append(body)
    unknown = by_kind.keys() - {"commitInfo", "protocol", "metaData", "txn", "remove", "add"}
    if unknown:
        raise ValueError(f"unknown action {', '.join(sorted(unknown))}")
    meta, protocol = by_kind.get("metaData"), by_kind.get("protocol")
    return Commit(
        tuple(map(add_of, by_kind.get("add", ()))),
        tuple(map(remove_of, by_kind.get("remove", ()))),
        tuple(Txn(_text(one["appId"]), _number(one["version"])) for one in by_kind.get("txn", ())),
        meta_of(meta[-1]) if meta else None,
        protocol_of(protocol[-1]) if protocol else None,
        _fields(next(iter(by_kind.get("commitInfo", ())), {})),
    )


def add_of(body: Mapping[str, Any]) -> AddFile:
    """Raises: KeyError, ValueError for a file that this version cannot read as it is."""
    if body.get("deletionVector") is not None:
        raise ValueError("a deletion vector")
    stats = body.get("stats")
    added = AddFile(
        _path(body),
        _number(body["size"]),
        _number(body.get("modificationTime") or 0),
        None if stats is None else _text(stats),
    )
    if added.rows is not None and added.rows < 0:
        raise ValueError(f"{added.rows} rows")
    values = dict(body["partitionValues"])
    if values != {RUN_COLUMN: added.run}:
        raise ValueError(f"a file of run {added.run} with the partition {values}")
    return added


def remove_of(body: Mapping[str, Any]) -> RemoveFile:
    """Raises: KeyError, ValueError, TypeError."""
    return RemoveFile(_path(body), _number(body.get("size") or 0), _number(body.get("deletionTimestamp") or 0))


def meta_of(body: Mapping[str, Any]) -> TableMeta:
    """Raises: KeyError, ValueError for a table that is not partitioned as ours are."""
    if list(body["partitionColumns"]) != [RUN_COLUMN]:
        raise ValueError(f"a table with the partition columns {body['partitionColumns']}")
    configuration = dict(body.get("configuration") or {})
    mapping = configuration.get("delta.columnMapping.mode", "none")
    if mapping != "none":
        raise ValueError(f"column mapping {mapping}")
    schema = _fields(json.loads(body["schemaString"]))
    for column in schema["fields"]:
        if not isinstance(column["type"], str | dict):
            raise TypeError(f"a column of type {column['type']}")
        _text(column["name"]), _fields(column["metadata"]), bool(column["nullable"])
    return TableMeta(_text(body["id"]), schema, _number(body.get("createdTime") or 0), configuration)


def protocol_of(body: Mapping[str, Any]) -> Protocol:
    """Raises: KeyError, ValueError for a protocol that asks for more than is known here."""
    features = frozenset(body.get("readerFeatures") or ()) | frozenset(body.get("writerFeatures") or ())
    found = Protocol(_number(body["minReaderVersion"]), _number(body["minWriterVersion"]), features)
    known = (found.reader, found.writer) in {(_MIN_READER, _MIN_WRITER), (_FEATURES_READER, _FEATURES_WRITER)}
    if not known or features - _KNOWN_FEATURES:
        raise ValueError(f"reader {found.reader}, writer {found.writer}, features {sorted(features)}")
    return found


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} where a number belongs")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where a text belongs")
    return value


def _fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} where fields belong")
    return value


def _path(body: Mapping[str, Any]) -> str:
    path = unquote(_text(body["path"]))
    _placed(path)
    return path


def _placed(path: str) -> re.Match[str]:
    found = _PLACE.fullmatch(path)
    if found is None or ".." in path.split("/"):
        raise ValueError(f"a file that no run published: {path}")
    return found


def _escaped(path: str) -> str:
    return quote(path, safe="/!")
