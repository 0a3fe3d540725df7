"""A table at one version as one Parquet file beside its log, so that nobody has to read every entry there ever was.

It saves requests and decides nothing: one that is missing or cannot be read is passed over, and the entries are read.
"""

import io
from collections.abc import Iterator
from typing import Any, Final

from framework.datafile import Readable
from framework.tables.actions import Txn, commit_of
from framework.tables.snapshot import Snapshot, based_on

EVERY: Final = 20
"""Entries between two of them: the most that a reader has to ask for one by one."""

# As long as Delta keeps the names of removed files for tools that clean up.
_REMEMBERED_MS: Final = 7 * 24 * 60 * 60 * 1000
_COLUMNS: Final = ("protocol", "metaData", "txn", "remove", "add")


def due(snapshot: Snapshot, version: int) -> bool:
    """Whether the one who has just committed ``version`` to ``snapshot`` is to write one."""
    return version - max(snapshot.checkpoint, 0) >= EVERY


def checkpoint_bytes(snapshot: Snapshot, *, now_ms: int) -> bytes:
    """The file of ``snapshot``. Removed files are told of for a week."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(_rows(snapshot, now_ms)), _schema()), out)
    return out.getvalue()


def read_checkpoint(file: Readable, version: int) -> Snapshot:
    """Raises: OSError, ValueError (pyarrow's errors are), KeyError, TypeError for what is no checkpoint of such a table."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        present = [name for name in _COLUMNS if name in parquet.schema_arrow.names]
        table = parquet.read(columns=present)
    bodies = {name: table.column(name).drop_null().to_pylist(maps_as_pydicts="strict") for name in present}
    return based_on(commit_of((kind, body) for kind in present for body in bodies[kind]), version)


def _rows(snapshot: Snapshot, now_ms: int) -> Iterator[dict[str, dict[str, Any]]]:
    yield {"protocol": snapshot.protocol.to_json()}
    yield {"metaData": snapshot.meta.to_json()}
    yield from ({"txn": Txn(app, attempt).to_json()} for app, attempt in sorted(snapshot.txns.items()))
    for gone in snapshot.removed.values():
        if gone.removed_ms > now_ms - _REMEMBERED_MS:
            yield {"remove": gone.to_json() | {"dataChange": False}}
    yield from ({"add": file.to_json() | {"dataChange": False}} for file in snapshot.up_to(None))


def _schema() -> Any:
    import pyarrow as pa

    texts, names = pa.map_(pa.string(), pa.string()), pa.list_(pa.string())
    file = [
        ("path", pa.string()),
        ("partitionValues", texts),
        ("size", pa.int64()),
        ("dataChange", pa.bool_()),
    ]
    columns = {
        "txn": [("appId", pa.string()), ("version", pa.int64()), ("lastUpdated", pa.int64())],
        "add": [*file, ("modificationTime", pa.int64()), ("stats", pa.string())],
        "remove": [*file, ("deletionTimestamp", pa.int64()), ("extendedFileMetadata", pa.bool_())],
        "metaData": [
            ("id", pa.string()),
            ("name", pa.string()),
            ("description", pa.string()),
            ("format", pa.struct([("provider", pa.string()), ("options", texts)])),
            ("schemaString", pa.string()),
            ("partitionColumns", names),
            ("configuration", texts),
            ("createdTime", pa.int64()),
        ],
        "protocol": [
            ("minReaderVersion", pa.int32()),
            ("minWriterVersion", pa.int32()),
            ("readerFeatures", names),
            ("writerFeatures", names),
        ],
    }
    return pa.schema([(kind, pa.struct(fields)) for kind, fields in columns.items()])
