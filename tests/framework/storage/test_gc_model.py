"""gc at any moment, one store call at a time, beside tries that write and publish, readers that pin, and zombies.

The clock is the test's. The same machine drives two naive ways to collect, and must find them out.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from framework.errors import InputChanged, Superseded, TeamsparkError
from framework.identity import Epoch
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Published
from framework.storage.retention import RunFacts, Step, steps_of
from framework.storage.sweep import carry_out, run_keys, store_now, survey
from tests.framework.storage.clocks import DAY_S, Clocked
from tests.framework.storage.stage import Actor
from tests.framework.storage.test_model import MOODS, budget
from tests.framework.storage.tries import KEY, OUTPUTS, Try, content_of, manifest_of, quick_log, write
from tests.servers.buckets import quick_store

if TYPE_CHECKING:
    from framework.storage.s3client import Bucket

GRACE_S = 7 * DAY_S
Planner = Callable[[RunFacts], tuple[Step, ...]]

with_grace: Planner = partial(steps_of, grace_s=GRACE_S)


def without_grace(run: RunFacts) -> tuple[Step, ...]:
    """Closes after a while, and deletes at once."""
    return tuple(replace(step, due=0.0) if step.action == "delete" else step for step in steps_of(run, GRACE_S))


def without_tombstones(run: RunFacts) -> tuple[Step, ...]:
    """What most clean-ups do: files that nobody has published for long are removed."""
    return tuple(replace(step, action="delete") if step.action == "tombstone" else step for step in with_grace(run))


def collect(store: Store, plan: Planner = with_grace, now: Callable[[], float] | None = None) -> None:
    """All that is due. ``now``: another clock than the store's."""
    moment = store_now(store, KEY.task) if now is None else now()
    for key in run_keys(store, KEY.task):
        for step in plan(survey(store, key, holds=lambda _: False)):
            if step.due <= moment:
                carry_out(store, key, step, who="gc")


def produce(store: Store, this: Try, keep: str | None) -> Published:
    """Claim, write, publish."""
    log = quick_log(store)
    attempt = log.claim(this.epoch, clear_number=this.clear_number, who="a test", seen=log.seen())
    write(store, attempt, this.content)
    manifest = manifest_of(attempt, this.content)
    outputs = tuple(one.model_copy(update={"keep": keep}) for one in manifest.outputs)
    return log.publish(attempt, manifest.model_copy(update={"outputs": outputs}))


def a_try(number: int) -> Try:
    """Each after a clear, so that none has been done already."""
    return Try(Epoch("one", number, 1), clear_number=number, content=f"try {number}".encode())


@dataclass(frozen=True)
class Reader:
    """Pins the newest and reads it file by file. It has the grace period, from its first look on."""

    clock: Clocked

    def read(self, store: Store) -> str:
        began, log = self.clock.now, quick_log(store)
        pinned = log.newest()
        if pinned is None:
            return "nothing"
        for name in OUTPUTS:
            for path in pinned.paths(name):
                if store.read(path) is None:
                    return self._missing(path, pinned, began)
        return "whole"

    def _missing(self, path: str, pinned: Published, began: float) -> str:
        days = (self.clock.now - began) / DAY_S
        if days < 7:
            return f"torn: {path} is missing to a reader of {days} days"
        try:
            quick_log(self.clock).ensure_live(pinned)
        except InputChanged:
            return "told that it is late"
        return f"torn: {path} is missing, and the reader was told that all is well"


def whole(store: Store, published: Published) -> bool:
    return all(store.stat(path) for name in OUTPUTS for path in published.paths(name))


class Collected(RuleBasedStateMachine):
    """Tries, readers and gcs, each let go on by a few calls; now and then days pass, or one of them dies."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Clocked(self.place())
        self.tries: list[Actor] = []
        self.others: list[Actor] = []
        self.visible: dict[int, tuple[Published, float]] = {}

    def teardown(self) -> None:
        for actor in (*self.tries, *self.others):
            actor.kill()
        self.folder.cleanup()

    def place(self) -> Store:
        return MemoryStore()

    def plan(self, run: RunFacts) -> tuple[Step, ...]:
        return with_grace(run)

    @property
    def alive(self) -> list[Actor]:
        return [actor for actor in (*self.tries, *self.others) if not actor.over]

    @precondition(lambda self: len(self.alive) < 6)
    @rule(keep=st.sampled_from([None, None, "P3D"]), mood=st.sampled_from(list(MOODS)))
    def a_try_starts(self, keep: str | None, mood: str) -> None:
        this = a_try(len(self.tries) + 1)
        self.tries.append(Actor(lambda store: produce(store, this, keep), MOODS[mood](self.store)))

    @precondition(lambda self: len(self.tries) < 8)
    @rule(keep=st.sampled_from([None, None, "P3D"]))
    def a_try_runs_at_once(self, keep: str | None) -> None:
        self.a_try_starts(keep, "plain")
        self.tries[-1].run()

    @precondition(lambda self: len(self.alive) < 6)
    @rule()
    def a_reader_starts(self) -> None:
        self.others.append(Actor(Reader(self.store).read, self.store))

    @precondition(lambda self: len(self.alive) < 6)
    @rule(mood=st.sampled_from(list(MOODS)))
    def a_gc_starts(self, mood: str) -> None:
        self.others.append(Actor(lambda store: collect(store, self.plan), MOODS[mood](self.store)))

    @rule(days=st.sampled_from([0, 2, 8]), mood=st.sampled_from(list(MOODS)))
    def days_pass_and_gc_runs_at_once(self, days: int, mood: str) -> None:
        self.days_pass(days)
        try:
            collect(MOODS[mood](self.store), self.plan)
        except TeamsparkError as error:
            assert error.retryable, error

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, 5), steps=st.one_of(st.integers(1, 15), st.just(99)), dies=st.sampled_from([0, 0, 0, 1]))
    def one_goes_on(self, which: int, steps: int, dies: int) -> None:
        actor = self.alive[which % len(self.alive)]
        while steps and actor.step():
            steps -= 1
            self.what_may_be_read_is_there()
        if dies:
            actor.kill()

    @rule(days=st.sampled_from([0.1, 2, 3, 8]))
    def days_pass(self, days: float) -> None:
        self.store.pass_days(days)

    @invariant()
    def what_may_be_read_is_there(self) -> None:
        newest = quick_log(self.store).newest()
        if newest is not None:
            assert newest.number >= max(self.visible, default=0), "an older attempt is shown after a newer one"
            assert newest.number in self.visible or content_of(self.store, newest)
            self.visible[newest.number] = (newest, self.store.now)
        for number, (published, seen) in self.visible.items():
            if self.store.now - seen < GRACE_S:
                assert whole(self.store, published), f"torn: attempt {number} could be read and lacks a file"

    @invariant()
    def nobody_was_told_wrong(self) -> None:
        for actor in self.others:
            assert not str(actor.result).startswith("torn"), actor.result
            assert actor.error is None or actor.error.retryable
        for actor in self.tries:
            if isinstance(actor.result, Published):
                assert quick_log(self.store).published(actor.result.number) == actor.result
            assert actor.error is None or actor.error.retryable


class OnDisk(Collected):
    def place(self) -> Store:
        return DirectoryStore(Path(self.folder.name))


def in_bucket(place: "Bucket") -> type[Collected]:
    """Each example in a prefix of its own."""
    numbers = count()

    class InBucket(Collected):
        def place(self) -> Store:
            return quick_store(replace(place, prefix=f"{place.prefix}/{next(numbers)}"))

    return InBucket


class WithoutGrace(Collected):
    def plan(self, run: RunFacts) -> tuple[Step, ...]:
        return without_grace(run)


@pytest.mark.parametrize(
    ("machine", "examples"),
    [
        (Collected, 15),
        (OnDisk, 4),
        *(pytest.param(machine, 200, marks=pytest.mark.long) for machine in (Collected, OnDisk)),
    ],
)
@pytest.mark.timeout(1800)
def test_gc_at_any_moment_takes_nothing_that_may_be_read(machine: type[Collected], examples: int) -> None:
    run_state_machine_as_test(machine, settings=budget(examples, Phase.generate))


@pytest.mark.e2e
@pytest.mark.parametrize("examples", [4, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.timeout(1800)
def test_gc_in_a_bucket_takes_nothing_that_may_be_read(s3_place: "Bucket", examples: int) -> None:
    run_state_machine_as_test(in_bucket(s3_place), settings=budget(examples, Phase.generate))


def test_witness_without_grace_readers_meet_missing_files() -> None:
    with pytest.raises(AssertionError, match="torn"):
        run_state_machine_as_test(WithoutGrace, settings=budget(100))


@pytest.fixture(params=["memory", "directory"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Clocked]:
    """A new store at each call."""
    numbers = count()

    def make() -> Clocked:
        return Clocked(MemoryStore() if request.param == "memory" else DirectoryStore(tmp_path / str(next(numbers))))

    return make


@pytest.fixture
def store(fresh: Callable[[], Clocked]) -> Clocked:
    return fresh()


def zombies(fresh: Callable[[], Clocked], plan: Planner) -> dict[str, str]:
    """A try sleeps before one of its calls for a month, in which gc runs every week. By call, what came of it."""
    told: dict[str, str] = {}
    for calls in count():
        store = fresh()
        first = produce(store, a_try(1), None)
        zombie = Actor(partial(produce, this=a_try(2), keep=None), store)
        for _ in range(calls):
            zombie.step()
        asleep_before = f"{calls} {zombie.next_call}"
        for _ in range(4):
            store.pass_days(8)
            collect(store, plan)
        zombie.run()
        told[asleep_before] = _fate(store, zombie, first)
        if zombie.calls[calls:] == []:
            return told
    raise AssertionError


def _fate(store: Clocked, zombie: Actor, first: Published) -> str:
    newest = quick_log(store).newest()
    assert newest is not None
    if not whole(store, newest):
        return "torn"
    assert newest == (first if zombie.error else zombie.result)
    return type(zombie.error).__name__ if zombie.error else "published"


def test_a_zombie_paused_anywhere_publishes_whole_or_is_told(fresh: Callable[[], Clocked]) -> None:
    told = zombies(fresh, with_grace)

    assert set(told.values()) == {"published", "Superseded", "StoreUnavailable"}
    (late,) = (fate for call, fate in told.items() if "put" in call and call.endswith("0002.published"))
    assert late == "Superseded", "closed behind its back, it learns it from its slot"


def test_witness_a_zombie_publishes_missing_files_where_its_data_is_only_deleted(fresh: Callable[[], Clocked]) -> None:
    told = zombies(fresh, without_tombstones)

    torn = [call for call, fate in told.items() if fate == "torn"]
    assert [call.split()[1] for call in torn] == ["put"]
    assert torn[0].endswith("0002.published")


def history(store: Clocked) -> None:
    """Superseded, abandoned, retired and outlived attempts, some long ago."""
    produce(store, a_try(1), None)
    quick_log(store).claim(a_try(2).epoch, clear_number=2, who="a test", seen=None)
    store.pass_days(8)
    collect(store)
    produce(store, a_try(3), None)
    attempt = quick_log(store).claim(a_try(4).epoch, clear_number=4, who="a test", seen=None)
    write(store, attempt, b"left behind")
    store.pass_days(8)
    collect(store)
    produce(store, a_try(5), "P3D")
    store.pass_days(8)


def test_a_gc_that_dies_anywhere_is_finished_by_the_next() -> None:
    whole_: list[str] = []
    for calls in count():
        store = Clocked(MemoryStore())
        history(store)
        victim = Actor(collect, store)
        still = all(victim.step() for _ in range(calls))
        victim.kill()
        collect(store)
        found = [entry.path for entry in store.list("/")]
        whole_ = whole_ or [path.split("-")[0] for path in found]
        assert [path.split("-")[0] for path in found if "/_gc/" not in path] == whole_
        if not still:
            assert victim.error is None
            break
    assert calls > 30
    store.pass_days(2)
    store_now(store, KEY.task)
    assert not [entry for entry in store.list("/") if "/_gc/" in entry.path], "probes of the dead are cleared away"


def test_two_gcs_take_turns_at_every_call() -> None:
    for ahead in range(0, 40, 3):
        store = Clocked(MemoryStore())
        history(store)
        one, other = Actor(collect, store), Actor(collect, store)
        for _ in range(ahead):
            one.step()
        while not (one.over and other.over):
            one.step()
            other.step()

        assert one.error is None
        assert other.error is None
        assert quick_log(store).newest() is None
        assert [a.retired for a in quick_log(store).state().attempts if a.published] == [True, True, True]


def test_only_the_stores_clock_counts(store: Clocked) -> None:
    """Local clock a month ahead of the store's, or behind: nothing goes that was retired a day ago."""
    first = produce(store, a_try(1), None)
    produce(store, a_try(2), None)
    collect(store)
    store.pass_days(1)

    collect(store)
    assert whole(store, first)

    store.pass_days(6)
    collect(store)
    assert not whole(store, first)


def test_witness_a_local_clock_that_is_ahead_deletes_too_early(store: Clocked) -> None:
    first = produce(store, a_try(1), None)
    produce(store, a_try(2), None)
    collect(store)
    store.pass_days(1)

    collect(store, now=lambda: store.now + 30 * DAY_S)

    assert not whole(store, first)


@pytest.mark.parametrize(("days", "late"), [(5, "whole"), (7, "told that it is late")])
def test_a_reader_has_the_grace_period_and_is_told_when_it_is_over(
    fresh: Callable[[], Clocked], days: int, late: str
) -> None:
    """It sleeps before each of its calls, while a newer attempt is published and the one that it pinned goes."""
    told = []
    for calls in count():
        store = fresh()
        produce(store, a_try(1), None)
        reader = Actor(Reader(store).read, store)
        for _ in range(calls):
            reader.step()
        if reader.over:
            break
        produce(store, a_try(2), None)
        collect(store)
        store.pass_days(days)
        collect(store)
        reader.run()
        told.append(reader.result)

    assert told[0] == "whole", "it had not looked yet"
    assert len(told) > 3
    assert set(told[1:]) == {late}


def test_a_publisher_that_was_closed_is_told_so(store: Clocked) -> None:
    late: Any = Actor(lambda s: produce(s, a_try(1), None), store)
    while not late.next_call.endswith("0001.published"):
        late.step()
    store.pass_days(8)
    collect(store)
    late.run()

    assert isinstance(late.error, Superseded)
    assert quick_log(store).newest() is None
