"""Delta's own programs read what runs commit: deltalake and delta-spark count the rows that we count, version by version."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from framework.schema.model import schema_spec
from framework.storage.base import Store
from framework.storage.posix import DirectoryStore
from framework.storage.s3client import Bucket
from framework.tables.commit import commit_output
from tests.framework.tables.runs import (
    OUTPUT,
    claim,
    day,
    held,
    in_order,
    publish,
    published,
    rows,
    table,
)
from tests.framework.tables.test_commit import Wider
from tests.servers.seaweed import REGION

ROOT = Path(__file__).parents[3]
COLUMNS = ("carrier", "n", "note")


def fill(store: Store) -> None:
    """Ten versions: days out of order, second attempts, mapped indices, no rows, a new column."""
    for number in (3, 1, 2):
        commit_output(store, published(store, day(number), parts=2), OUTPUT)
    commit_output(store, published(store, day(1), 2), OUTPUT)
    for index in (1, 0):
        commit_output(store, published(store, day(4, index), map_count=2), OUTPUT)
    commit_output(store, publish(store, claim(store, day(2), 2), []), OUTPUT)
    wide = [{"carrier": "AA", "n": 1, "note": "ä", "late": 2.5}]
    commit_output(store, publish(store, claim(store, day(5)), wide, spec=schema_spec(Wider)), OUTPUT)
    commit_output(store, published(store, day(6)), OUTPUT)
    commit_output(store, published(store, day(6), 2), OUTPUT)


def counts(store: Store) -> dict[str, int]:
    """Rows of each version, by our own reading."""
    log = table(store)
    latest = log.latest()
    assert latest is not None
    return {str(v): sum(file.rows or 0 for file in log.at(v).up_to(None)) for v in range(latest.version + 1)}


def options(place: Bucket) -> dict[str, str]:
    assert place.endpoint is not None
    return {"AWS_ENDPOINT_URL": place.endpoint, "AWS_REGION": REGION, "AWS_ALLOW_HTTP": "true"}


def as_deltalake_sees(uri: str, storage: Mapping[str, str]) -> tuple[dict[str, int], list[dict[str, Any]]]:
    from deltalake import DeltaTable

    newest = DeltaTable(uri, storage_options=dict(storage))
    seen = {}
    for version in range(newest.version() + 1):
        newest.load_as_version(version)
        seen[str(version)] = newest.to_pyarrow_table().num_rows
    return seen, newest.to_pyarrow_table().to_pylist()


@pytest.mark.parametrize("where", ["directory", "s3"])
def test_deltalake_reads_every_version(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    store: Store = DirectoryStore(tmp_path / "store") if where == "directory" else request.getfixturevalue("s3_store")
    fill(store)
    uri, storage = store.uri(table(store).place).replace("s3a:", "s3:"), dict[str, str]()
    if where == "s3":
        storage = options(request.getfixturevalue("s3_place"))

    seen, found = as_deltalake_sees(uri, storage)

    assert seen == counts(store)
    ours = [{"note": None, "late": None, **row} for row in held(store)]
    assert in_order([{name: row[name] for name in (*COLUMNS, "late")} for row in found]) == in_order(ours)
    up_to = [row for row in found if row["_run"] <= day(3).run]
    assert in_order([{name: row[name] for name in COLUMNS} for row in up_to]) == in_order(
        [*rows(day(1), 2), *rows(day(3), 1)]
    )
