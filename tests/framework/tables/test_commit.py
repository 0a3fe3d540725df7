"""Rows of many runs in one table: none lost, none twice, none older than before; and what happens without the guards."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from framework.errors import SchemaMismatch, StoreUnavailable
from framework.identity import Epoch
from framework.schema.model import Schema, schema_spec
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Published, RunLog
from framework.storage.s3 import S3Store
from framework.storage.s3client import Bucket
from framework.tables.actions import commit_bytes
from framework.tables.commit import Committed, commit, commit_output, commit_tables
from framework.tables.log import TableLog
from framework.tables.proposal import Proposal, next_commit, proposal_of
from framework.tables.snapshot import Snapshot
from tests.contracts.faults import LaggingStore, LostReplyStore, Wrapped, lose_in_turn
from tests.framework.tables.runs import OUTPUT, claim, day, held, in_order, publish, published, rows, table
from tests.servers.buckets import quick_store
from tests.servers.faults import before
from tests.servers.seaweed import Seaweed

MOODS: dict[str, Callable[[Store], Store]] = {
    "plain": lambda store: store,
    "lagging": LaggingStore,
    "lossy": lambda store: LostReplyStore(store, lose_in_turn("taken", None, "silence", "request")),
}


# The seam is the same everywhere: faults in memory, the real thing on its own.
PLACES = [*(("memory", mood) for mood in MOODS), ("directory", "plain"), ("s3", "plain")]


@pytest.fixture(params=PLACES, ids="-".join)
def mood(request: pytest.FixtureRequest) -> tuple[str, str]:
    kind, name = request.param
    return kind, name


@pytest.fixture
def calm(mood: tuple[str, str], request: pytest.FixtureRequest) -> Store:
    """The store as it is: what is published is put here."""
    if mood[0] == "memory":
        return MemoryStore()
    if mood[0] == "directory":
        return DirectoryStore(request.getfixturevalue("tmp_path") / "store")
    store: Store = request.getfixturevalue("s3_store")
    return store


@pytest.fixture
def store(mood: tuple[str, str], calm: Store) -> Store:
    """The store in its mood, for commits."""
    return MOODS[mood[1]](calm)


def bring(store: Store, what: Published) -> Committed:
    return commit(TableLog.of(store, what.key.task, OUTPUT), proposal_of(what, OUTPUT), pause=lambda _: None)


def unfenced(snapshot: Snapshot | None, wanted: Proposal) -> bytes:
    """The entry of a writer that does not ask which attempt the table has."""
    blind = None if snapshot is None else replace(snapshot, txns=MappingProxyType({}))
    entry = next_commit(blind, wanted, new_id="0", now_ms=0)
    assert not isinstance(entry, str)
    return commit_bytes(entry)


def test_each_run_has_its_rows_whatever_the_order_of_days(calm: Store, store: Store) -> None:
    for number in (3, 1, 2):
        assert bring(store, published(calm, day(number), parts=2)).verdict == "committed"

    assert held(calm) == in_order([row for number in (1, 2, 3) for row in rows(day(number), 1)])
    assert table(calm).latest().version == 2  # type: ignore[union-attr] # three commits


def test_a_second_attempt_takes_the_place_of_the_first_and_of_nothing_else(calm: Store, store: Store) -> None:
    for number in (1, 2):
        bring(store, published(calm, day(number), parts=3))
    bring(store, published(calm, day(1), 2))

    assert held(calm) == in_order([*rows(day(1), 2), *rows(day(2), 1)])


def test_a_run_without_rows_takes_away_those_it_had(calm: Store, store: Store) -> None:
    bring(store, published(calm, day(1)))
    bring(store, published(calm, day(2)))
    empty = publish(calm, claim(calm, day(1), 2), [])

    assert bring(store, empty).verdict == "committed"
    assert held(calm) == in_order(rows(day(2), 1))


def test_a_table_may_begin_without_rows(calm: Store, store: Store) -> None:
    bring(store, publish(calm, claim(calm, day(1)), []))

    assert held(calm) == []
    assert table(calm).latest() is not None


def test_mapped_siblings_keep_apart(calm: Store, store: Store) -> None:
    for index in (2, 0, 1):
        bring(store, published(calm, day(1, index), map_count=3))
    bring(store, published(calm, day(1, 1), 2, map_count=3))

    assert held(calm) == in_order([*rows(day(1, 0), 1), *rows(day(1, 1), 2), *rows(day(1, 2), 1)])


def test_indices_that_a_run_has_no_more_leave_the_table(calm: Store) -> None:
    for index in range(3):
        bring(calm, published(calm, day(1, index), map_count=3))
    bring(calm, published(calm, day(2)))

    bring(calm, published(calm, day(1, 0), 2, map_count=2))
    assert held(calm) == in_order([*rows(day(1, 0), 2), *rows(day(1, 1), 1), *rows(day(2), 1)])

    bring(calm, published(calm, day(1)))
    assert held(calm) == in_order([*rows(day(1), 1), *rows(day(2), 1)])


def test_again_is_the_same_commit(calm: Store, store: Store) -> None:
    first = published(calm, day(1))
    bring(store, first)
    bring(store, published(calm, day(2)))

    assert bring(store, first).verdict == "committed"
    assert table(calm).latest().version == 1  # type: ignore[union-attr] # nothing was added


def test_killed_between_publish_and_commit_the_next_try_finishes(calm: Store, store: Store) -> None:
    published(calm, day(1))
    assert held(calm) == []

    done = RunLog(calm, day(1), pause=lambda _: None).resume(Epoch("one", 2, 1), clear_number=1, who="a retry")
    assert done is not None
    bring(store, done)

    assert held(calm) == in_order(rows(day(1), 1))


def test_an_older_attempt_that_wakes_late_changes_nothing(calm: Store, store: Store) -> None:
    older, newer = published(calm, day(1)), published(calm, day(1), 2)
    bring(store, newer)

    assert bring(store, older).verdict == "superseded"
    assert held(calm) == in_order(rows(day(1), 2))


def test_witness_without_the_fence_the_older_attempt_comes_back(calm: Store) -> None:
    older, newer = published(calm, day(1)), published(calm, day(1), 2)
    bring(calm, newer)

    log = table(calm)
    log.take(1, unfenced(log.latest(), proposal_of(older, OUTPUT)), pause=lambda _: None)

    assert held(calm) == in_order(rows(day(1), 1))


def test_an_older_date_is_no_older_attempt(calm: Store) -> None:
    for number in (5, 4):
        for attempt in (1, 2):
            assert bring(calm, published(calm, day(number), attempt)).verdict == "committed"

    assert held(calm) == in_order([*rows(day(4), 2), *rows(day(5), 2)])


def test_seven_days_at_once(calm: Store, store: Store) -> None:
    week = [published(calm, day(number), parts=2) for number in range(7)]

    with ThreadPoolExecutor(7) as pool:
        done = list(pool.map(lambda one: bring(store, one), week))

    assert sorted(one.version for one in done) == list(range(7))
    assert held(calm) == in_order([row for number in range(7) for row in rows(day(number), 1)])


class Replacing(Wrapped):
    """A store that lets the last writer of a name win."""

    def put_if_absent(self, path: str, data: bytes) -> None:
        assert isinstance(self.inner, MemoryStore)
        self.inner._files.pop(path, None)
        super().put_if_absent(path, data)


def test_witness_on_a_store_that_replaces_two_at_once_lose_one() -> None:
    calm = MemoryStore()
    first, second = (published(calm, day(number)) for number in (1, 2))
    stale = table(calm).latest()

    bring(calm, first)
    data = unfenced(stale, proposal_of(second, OUTPUT))
    assert TableLog(Replacing(calm), table(calm).place).take(0, data, pause=lambda _: None) == data

    assert held(calm) == in_order(rows(day(2), 1))  # and day 1, of which its writer was told that it is there, is gone


def test_every_table_of_an_attempt_is_committed_and_nothing_else(tmp_path: Any) -> None:
    store = DirectoryStore(tmp_path / "store")
    what = published(store, day(1))

    assert {name: one.verdict for name, one in commit_tables(store, what).items()} == {OUTPUT: "committed"}
    assert commit_output(store, what, OUTPUT).verdict == "committed"


def test_a_store_that_is_down_is_told_and_tried_again(calm: Store) -> None:
    what = published(calm, day(1))
    with pytest.raises(StoreUnavailable):
        bring(LostReplyStore(calm, lambda _: "request"), what)

    assert held(calm) == []
    assert bring(LostReplyStore(calm, lambda _: "silence"), what).verdict == "committed"
    assert held(calm) == in_order(rows(day(1), 1))


class Wider(Schema):
    carrier: str
    n: int
    note: str | None = None
    late: float | None = None


class Needy(Schema):
    carrier: str
    n: int
    note: str | None
    late: float


class Other(Schema):
    carrier: int | None
    n: int


def test_columns_that_may_be_null_are_added(calm: Store) -> None:
    bring(calm, published(calm, day(1)))
    wide = [{"carrier": "AA", "n": 1, "note": None, "late": 2.5}]
    bring(calm, publish(calm, claim(calm, day(2)), wide, spec=schema_spec(Wider)))
    bring(calm, published(calm, day(3)))  # a job of before, back-filling

    found = table(calm).latest()
    assert found is not None
    assert found.spec().names == ("carrier", "n", "note", "late")
    assert found.spec().column("late").nullable


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (Needy, ["late: new, and not `| None`; the rows that are there have no value"]),
        (Other, ["carrier: bigint, the table holds string"]),
    ],
)
def test_any_other_change_of_columns_is_refused_and_the_table_stays(schema: type[Schema], told: list[str]) -> None:
    store = MemoryStore()
    bring(store, published(store, day(1)))
    changed = publish(store, claim(store, day(2)), [], spec=schema_spec(schema))

    with pytest.raises(SchemaMismatch) as refused:
        bring(store, changed)

    assert list(refused.value.details) == told
    assert held(store) == in_order(rows(day(1), 1))


@pytest.mark.e2e
def test_two_hundred_lost_replies_at_commits_lose_nothing(
    seaweed: Seaweed, s3_store: S3Store, s3_place: Bucket
) -> None:
    """Every reply to a put into the log is dropped: four writers go on, and each finds its own entry or another's."""
    work = [published(s3_store, day(number)) for number in range(200)]
    with before(seaweed.address) as proxy:
        proxy.schedule = lambda request: (
            "drop reply" if request.claims_a_slot and "/_delta_log/" in request.path else None
        )
        faulty = quick_store(replace(s3_place, endpoint=proxy.endpoint))
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda what: bring(faulty, what).version, work))

        assert proxy.met["drop reply"] >= 200
    assert sorted(done) == list(range(200))
    assert held(s3_store) == in_order([row for number in range(200) for row in rows(day(number), 1)])
