"""The trial of who may commit: its judge finds losses, and the product's writers have none."""

import json
from pathlib import Path

import pytest

from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.s3client import Bucket
from framework.tables.actions import Commit, RemoveFile, Txn, commit_bytes
from framework.tables.commit import commit
from framework.tables.log import TableLog
from tests.framework.tables.trial import KINDS, RESULTS, Acknowledged, Place, entries_of, judge, trial, works


def written(count: int) -> tuple[Store, list[Acknowledged]]:
    """The log of one writer, and what it was told."""
    store, told = MemoryStore(), list[Acknowledged]()
    for wanted in works(1, count):
        commit(TableLog(store, _place()), wanted)
        told.append((wanted.app, wanted.attempt, wanted.files[0].path))
    return store, told


def _place() -> str:
    from framework.storage.paths import table_path
    from tests.framework.tables.runs import OUTPUT, TASK

    return table_path(TASK, OUTPUT)


def test_the_judge_passes_what_is_whole() -> None:
    store, told = written(10)

    found = judge(entries_of(store), told)
    assert found.sound
    assert (found.acknowledged, found.versions) == (10, 10)


def test_the_judge_finds_each_kind_of_loss() -> None:
    store, told = written(10)
    whole = entries_of(store)
    again = commit_bytes(Commit(txns=(Txn(*told[2][:2]),)))
    first, second = told[3], told[4]  # two attempts of one run
    back = commit_bytes(Commit(removes=(RemoveFile(second[2], 1, 0),)))

    replaced = {**whole, 2: whole[1]}
    assert judge(replaced, told).lost
    assert judge(replaced, told).twice
    assert judge({version: data for version, data in whole.items() if version != 5}, told).gaps == 1
    assert judge({**whole, 10: again}, told).twice == 1
    assert judge({**whole, 10: back}, told).lost == 1
    assert judge({**whole, 10: whole[3]}, told).regressed == 1
    assert judge(whole, told[:-1]).strangers == 1
    assert first[0] == second[0]


@pytest.mark.timeout(200)
def test_seven_processes_lose_nothing(tmp_path: Path) -> None:
    row = trial("teamspark", Place(str(tmp_path / "store")), writers=7, commits=70)

    assert row["sound"], row
    assert (row["acknowledged"], row["versions"], row["failed_writers"]) == (70, 71, 0)


def test_the_committed_results_are_of_whole_trials() -> None:
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))

    assert {row["kind"] for row in rows} == set(KINDS)
    assert all(
        row["acknowledged"] == (200 if (row["store"], row["kind"]) == ("s3", "deltalake") else 1000) for row in rows
    )
    assert not any(row["failed_writers"] for row in rows)
    assert {row["kind"] for row in rows if row["sound"]} == {"teamspark", "deltalake"}
    assert {row["kind"] for row in rows if not row["sound"]} == {"naive"}
    ours = {(row["store"], row["writers"]) for row in rows if row["kind"] == "teamspark"}
    assert ours >= {("directory", 2), ("directory", 8), ("s3", 2), ("s3", 8)}


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("writers", [2, 8])
def test_a_thousand_commits_lose_nothing_and_the_naive_way_does(tmp_path: Path, writers: int) -> None:
    ours = trial("teamspark", Place(str(tmp_path / "ours")), writers=writers, commits=1000)
    naive = trial("naive", Place(str(tmp_path / "naive")), writers=writers, commits=1000)

    assert ours["sound"], ours
    assert naive["lost"] > 0, naive


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("writers", [2, 8])
def test_a_thousand_commits_in_a_bucket_lose_nothing(s3_place: Bucket, writers: int) -> None:
    assert s3_place.endpoint is not None
    row = trial("teamspark", Place(s3_place.prefix, s3_place.name, s3_place.endpoint), writers=writers, commits=1000)

    assert row["sound"], row
    assert row["acknowledged"] == 1000
