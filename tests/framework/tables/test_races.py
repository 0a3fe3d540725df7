"""Commits of many runs and attempts, one store call at a time: overtaken, killed, lied to; the table is what it has to be."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Protocol

import pytest

from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.publish import Published, RunLog
from framework.tables.actions import Commit, parse_commit
from framework.tables.commit import Committed, commit
from framework.tables.log import TableLog
from framework.tables.proposal import proposal_of
from tests.contracts.faults import LaggingStore, LostReplyStore, lose_in_turn
from tests.framework.storage.stage import Actor
from tests.framework.tables.runs import OUTPUT, day, held, in_order, published, rows, table
from tests.framework.tables.test_commit import unfenced

SEEDS = 60
KEYS = (day(0), day(1), day(2, 0), day(2, 1))
Mood = Callable[[Store], Store]


class Bring(Protocol):
    def __call__(self, store: Store, what: Published) -> object: ...


MOODS: dict[str, Mood] = {
    "plain": lambda store: store,
    "lagging": LaggingStore,
    "lossy": lambda store: LostReplyStore(store, lose_in_turn("taken", None, "silence", "request")),
}


def bring(store: Store, what: Published) -> Committed:
    return commit(TableLog(store, table(store).place), proposal_of(what, OUTPUT), pause=lambda _: None)


def bring_unfenced(store: Store, what: Published) -> None:
    """By the same slots, without asking which attempt the table has."""
    log = TableLog(store, table(store).place)
    while True:
        snapshot = log.latest()
        version = 0 if snapshot is None else snapshot.version + 1
        data = unfenced(snapshot, proposal_of(what, OUTPUT))
        if log.take(version, data, pause=lambda _: None) == data:
            return


def entries(store: MemoryStore) -> Iterator[Commit]:
    for entry in store.list(f"{table(store).place}/_delta_log"):
        if entry.path.endswith(".json"):
            yield parse_commit(store.read(entry.path) or b"", where=entry.path)


def problems(store: MemoryStore) -> Iterator[str]:
    """What no order of commits may lead to."""
    last: Counter[str] = Counter()
    added: Counter[str] = Counter()
    for commit_ in entries(store):
        for txn in commit_.txns:
            if txn.version <= last[txn.app]:
                yield f"regressed: {txn.app} from attempt {last[txn.app]} to {txn.version}"
            last[txn.app] = txn.version
        added.update(file.path for file in commit_.adds)
    yield from (f"twice: {path}" for path, count in added.items() if count > 1)
    newest = {key: RunLog(store, key).newest() for key in KEYS}
    wanted = [row for key, one in newest.items() if one is not None for row in rows(key, one.number)]
    if held(store) != in_order(wanted):
        yield "the table is not the newest attempt of each run"


def race(seed: int, mood: Mood, how: Bring) -> list[str]:
    """Three attempts of each key commit at once, some twice, a third of them dies; then the next try of each key comes."""
    draw, store = Random(seed), MemoryStore()
    work = [published(store, key, number, map_count=2) for key in KEYS for number in (1, 2, 3)]
    work += draw.sample(work, 3)
    shaky = mood(store)
    actors = [Actor(partial(how, what=what), shaky) for what in work]
    doomed = draw.sample(actors, len(actors) // 3)
    while alive := [actor for actor in actors if not actor.over]:
        actor = draw.choice(alive)
        if actor in doomed and draw.random() < 0.1:
            actor.kill()
        else:
            actor.step()
    for key in KEYS:
        newest = RunLog(store, key).newest()
        assert newest is not None
        how(shaky, what=newest)
    return list(problems(store))


@pytest.mark.parametrize("mood", list(MOODS))
def test_no_order_of_commits_loses_doubles_or_goes_back(mood: str) -> None:
    assert [found for seed in range(SEEDS) for found in race(seed, MOODS[mood], bring)] == []


def test_witness_without_the_fence_orders_are_found_that_go_back() -> None:
    found = [one for seed in range(5) for one in race(seed, MOODS["plain"], bring_unfenced)]

    assert any("regressed" in one for one in found), found
