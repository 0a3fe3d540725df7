"""Entries as bytes: what is written is read, and no bytes at all make anything but a commit or an error that says so."""

import json
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import InputCorrupt
from framework.tables.actions import (
    AddFile,
    Commit,
    Protocol,
    RemoveFile,
    TableMeta,
    Txn,
    commit_bytes,
    parse_commit,
    stats_json,
)
from framework.tables.schemas import delta_schema, spec_of
from framework.tables.snapshot import replay
from tests.framework.tables.runs import SPEC

RUN = st.from_regex(r"2013010[1-9]T000000Z", fullmatch=True)
SHARE = st.builds(
    lambda run, at: f"_runs/{run}{'' if at is None else f'/map-{at}'}", RUN, st.none() | st.integers(0, 20)
)
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=12)
PATH = st.builds("{}/a0001-0123abcd/{}.parquet".format, SHARE, NAME)
SIZE = st.integers(0, 2**53)
ADD = st.builds(AddFile, PATH, SIZE, SIZE, st.none() | SIZE.map(stats_json))
REMOVE = st.builds(RemoveFile, PATH, SIZE, SIZE)
META = st.builds(TableMeta, st.text(), st.just(delta_schema(SPEC)), SIZE)
COMMIT = st.builds(
    Commit,
    st.lists(ADD, max_size=4).map(tuple),
    st.lists(REMOVE, max_size=4).map(tuple),
    st.lists(st.builds(Txn, st.text(), SIZE), max_size=3).map(tuple),
    st.none() | META,
    st.none() | st.sampled_from([Protocol(), Protocol(3, 7, frozenset({"timestampNtz"}))]),
    st.just({"engineInfo": "teamspark"}),
)
FIELDS = [
    *("path", "size", "partitionValues", "_run", "stats", "deletionVector", "appId", "version", "id", "schemaString"),
    *("partitionColumns", "configuration", "minReaderVersion", "minWriterVersion", "readerFeatures", "createdTime"),
    *("engineInfo", "operationMetrics", "deletionTimestamp", "modificationTime", "writerFeatures"),
]
KINDS = ["add", "remove", "txn", "metaData", "protocol", "commitInfo", "other"]
SCALAR = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUE = st.recursive(
    SCALAR
    | st.sampled_from(
        ["_runs/r/a0001-01234567/p", "{}", "[]", '{"fields":[]}', '{"fields":[{}]}', '{"numRecords":"x"}']
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=12,
)


@given(COMMIT)
def test_what_is_written_is_read(commit: Commit) -> None:
    read = parse_commit(commit_bytes(commit), where="a test")

    assert (read.adds, read.removes, read.txns) == (commit.adds, commit.removes, commit.txns)
    assert (read.meta, read.protocol) == (commit.meta, commit.protocol)
    assert commit_bytes(read) == commit_bytes(commit)


def read_or_refused(data: bytes) -> None:
    try:
        found = parse_commit(data, where="a test")
        state = replay(None, [(0, found)], where="a test")
    except InputCorrupt:
        return
    assert state is not None
    assert spec_of(state.meta.schema, name="x") is not None
    assert sum(file.rows or 0 for file in state.up_to(None)) >= 0


@given(st.lists(st.dictionaries(st.sampled_from(KINDS), VALUE, max_size=2), max_size=4))
def test_no_json_is_anything_but_a_commit_or_an_error(lines: list[Any]) -> None:
    read_or_refused("\n".join(map(json.dumps, lines)).encode())


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_nor_are_any_bytes(data: bytes) -> None:
    read_or_refused(data)


@given(COMMIT, st.data())
def test_nor_is_any_part_of_an_entry(commit: Commit, data: st.DataObject) -> None:
    whole = commit_bytes(commit)
    cut = data.draw(st.integers(0, len(whole) - 1))

    with nullcontext() if cut == len(whole) - 1 else pytest.raises(InputCorrupt):  # a last line break is no loss
        parse_commit(whole[:cut], where="a test")
