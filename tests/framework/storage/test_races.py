"""Tries that overtake each other, stand still at any step, lose replies and see late listings.

The order that counts is the server's: a try it started later is newer, whatever the processes do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from random import Random

import pytest

from framework.errors import Superseded, TeamsparkError
from framework.identity import Epoch
from framework.storage import publish
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Published, RunLog
from tests.contracts.faults import LaggingStore, LostReplyStore, lose_in_turn
from tests.framework.storage.stage import Actor
from tests.framework.storage.tries import KEY, Try, claims, content_of, quick_log, run_try, write_and_publish

Mood = Callable[[Store], Store]

MOODS: dict[str, Mood] = {
    "plain": lambda store: store,
    "lagging": LaggingStore,
    "lossy": lambda store: LostReplyStore(store, lose_in_turn("taken", None, "silence", "request")),
    "both": lambda store: LaggingStore(LostReplyStore(store, lose_in_turn("silence", "taken"))),
}


def start(shared: Store, this: Try, mood: Mood) -> Actor:
    return Actor(lambda store: run_try(store, this), mood(shared))


@dataclass
class Reader:
    """Looks again and again, and remembers: what it sees must be whole and may never go back."""

    store: Store
    seen: list[Published] = field(default_factory=list)

    def look(self) -> None:
        found = quick_log(self.store).newest()
        if found is None:
            assert not self.seen, "regressed: what was published is gone"
            return
        epoch = found.manifest.epoch
        assert content_of(self.store, found) == f"{epoch.incarnation} {epoch.try_number}.{epoch.launch}".encode()
        if self.seen:
            last = self.seen[-1]
            assert found.number >= last.number, "regressed: a lower number"
            assert not last.manifest.epoch.newer_than(epoch), "regressed: an older try displaced a newer one"
        self.seen.append(found)

    def believes(self, actor: Actor, this: Try) -> None:
        """A try that was told it won did win, and nothing older is read ever after."""
        if actor.result is not None:
            own = quick_log(self.store).published(actor.result.number)
            assert own == actor.result
            newest = self.seen[-1]
            assert newest == actor.result or newest.manifest.epoch.newer_than(this.epoch)


def no_rule(*_: object, **__: object) -> None:
    """Stands in for the epoch rule where a witness shows what it is for."""


def steps_of_a_try(mood: Mood) -> int:
    store = MemoryStore()
    run_try(store, Try.of(1))
    actor = start(store, Try(Try.of(2).epoch, clear_number=1), mood)
    actor.run()
    return len(actor.calls)


STEPS = {name: steps_of_a_try(mood) for name, mood in MOODS.items()}


@pytest.mark.parametrize(
    ("kind", "mood", "pause"),
    [("memory", mood, pause) for mood, steps in STEPS.items() for pause in range(steps + 1)]
    + [("directory", "plain", pause) for pause in range(STEPS["plain"] + 1)],
)
def test_a_zombie_paused_at_any_step_never_displaces_the_newer_try(
    tmp_path: Path, kind: str, mood: str, pause: int
) -> None:
    shared: Store = MemoryStore() if kind == "memory" else DirectoryStore(tmp_path)
    old, new = Try.of(1), Try.of(2)
    reader = Reader(shared)
    zombie = start(shared, old, MOODS[mood])
    for _ in range(pause):
        zombie.step()
    reader.look()

    winner = start(shared, new, MOODS[mood])
    winner.run()
    reader.look()
    zombie.run()
    reader.look()

    assert winner.result is not None
    assert quick_log(shared).newest() == winner.result
    reader.believes(winner, new)
    reader.believes(zombie, old)
    if pause == 0:
        assert isinstance(zombie.error, Superseded)


def test_the_pauses_cover_every_kind_of_step() -> None:
    actor = start(MemoryStore(), Try.of(1), MOODS["plain"])
    assert actor.next_call == f"read {quick_log(MemoryStore())._slot(1, 'claim')}", "the first pause is before any look"
    actor.run()

    slots = [call.rpartition("/")[2] for call in actor.calls if call.startswith("put")]
    assert slots == ["0001.claim", "part-0", "part-0", "0001.published"]


def test_witness_without_the_epoch_rule_the_older_try_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same attack, paused before the claim, with the guard off."""
    monkeypatch.setattr(publish, "why_stop", no_rule)
    shared = MemoryStore()
    zombie = Actor(lambda store: write_and_publish(store, Try.of(1), seen=frozenset()), shared)

    run_try(shared, Try.of(2))
    zombie.run()

    newest = quick_log(shared).newest()
    assert newest is not None
    assert newest.manifest.epoch == Try.of(1).epoch
    with pytest.raises(AssertionError, match="older try displaced"):
        reader = Reader(shared, seen=[quick_log(shared).published(1) or newest])
        reader.look()


@dataclass
class Race:
    """Up to four tries of one incarnation, let go in an order drawn from ``seed``."""

    seed: int
    shared: Store
    reader: Reader = field(init=False)
    tries: list[Try] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader = Reader(self.shared)

    def run(self) -> None:
        draw = Random(self.seed)
        epochs = [(1, 1), (1, 2), (2, 1), (3, 1)][: draw.randint(2, 4)]
        while epochs or any(not actor.over for actor in self.actors):
            alive = [actor for actor in self.actors if not actor.over]
            if epochs and (not alive or draw.random() < 0.15):
                self.tries.append(Try.of(*epochs.pop(0)))
                mood = MOODS[draw.choice(list(MOODS))]
                self.actors.append(start(self.shared, self.tries[-1], mood))
            elif draw.random() < 0.02:
                draw.choice(alive).kill()
            else:
                for _ in range(draw.choice([1, 1, 3, 9])):
                    draw.choice(alive).step()
            self.reader.look()

    def check(self) -> None:
        order = claims(self.shared)
        assert all(not earlier.newer_than(later) for earlier, later in pairwise(order)), (
            "numbers are not in server order"
        )
        for this, actor in zip(self.tries, self.actors, strict=True):
            self.reader.believes(actor, this)
        last = self.actors[-1]
        assert not isinstance(last.error, Superseded), "the newest try gives way to nobody"
        newest = quick_log(self.shared).newest()
        assert last.result is None or newest == last.result, "what the newest try reports is what is read"


@pytest.mark.parametrize("block", range(10))
def test_five_hundred_races_without_a_regress(block: int) -> None:
    finished = 0
    for seed in range(50 * block, 50 * block + 50):
        race = Race(seed, MemoryStore())
        race.run()
        race.check()
        finished += race.actors[-1].result is not None

    assert finished > 30, "most races must end with something published, else they show little"


def test_races_in_a_directory(tmp_path: Path) -> None:
    for seed in range(1000, 1025):
        race = Race(seed, DirectoryStore(tmp_path / str(seed)))
        race.run()
        race.check()


def only_look(log: RunLog, epoch: Epoch, *, clear_number: int, who: str) -> Published | None:
    """Stands in for ``resume``, without its fence."""
    return log.finished(epoch, clear_number)


@pytest.mark.parametrize(
    ("owner", "guard", "off", "races"),
    [(publish, "why_stop", no_rule, 50), (RunLog, "resume", only_look, 200)],
    ids=["without the epoch rule", "without the fence of a resume"],
)
def test_witness_the_races_find_a_missing_guard(
    monkeypatch: pytest.MonkeyPatch, owner: object, guard: str, off: object, races: int
) -> None:
    monkeypatch.setattr(owner, guard, off)
    wrong = 0
    for seed in range(races):
        race = Race(seed, MemoryStore())
        try:
            race.run()
            race.check()
        except AssertionError:
            wrong += 1
        finally:
            for actor in race.actors:
                actor.kill()

    assert wrong > 3


def losing(slot: str, ways: Iterator[str | None]) -> Callable[[str], str | None]:
    """The next of ``ways`` for each put of that kind of slot."""
    return lambda path: next(ways, None) if path.endswith(f".{slot}") else None


@pytest.mark.parametrize("way", ["taken", "silence", "request"])
@pytest.mark.parametrize("slot", ["claim", "published"])
def test_a_lost_reply_never_makes_the_winner_a_loser(slot: str, way: str) -> None:
    """200 times for each slot: stored but refused, stored but silent, and never arrived."""
    for number in range(67):
        shared = MemoryStore()
        lossy = LostReplyStore(shared, losing(slot, iter([way])))

        published = run_try(lossy, Try.of(number + 1))

        assert lossy.lost[way] == 1
        assert [entry.path[-14:] for entry in shared.list("/") if ".published" in entry.path] == ["0001.published"]
        assert quick_log(shared).newest() == published
        assert len(claims(shared)) == 1, "no number was burnt"


@pytest.mark.parametrize("slot", ["claim", "published"])
def test_two_racing_tries_with_lost_replies_share_nothing(slot: str) -> None:
    for seed in range(100):
        shared = MemoryStore()
        draw = Random(seed)
        answers = (draw.choice(["taken", "silence", "request", None]) for _ in count())
        mood = partial(LostReplyStore, lose=losing(slot, answers))
        actors = [start(shared, Try.of(1), mood), start(shared, Try.of(2), mood)]
        while alive := [actor for actor in actors if not actor.over]:
            draw.choice(alive).step()

        results = [actor.result for actor in actors if actor.result is not None]
        numbers = [result.number for result in results]
        for result in results:
            assert quick_log(shared).published(result.number) == result
        assert actors[1].result is not None or not isinstance(actors[1].error, Superseded)
        assert len(set(numbers)) == len(numbers) or results[0] == results[1]


def test_witness_without_the_read_back_the_winner_believes_it_lost() -> None:
    """What a writer that trusts replies would conclude from the same answer."""
    shared = MemoryStore()
    lossy = LostReplyStore(shared, lose_in_turn("taken"))
    with pytest.raises(Exception, match="slot"):
        lossy.put_if_absent("/flights/slot", b"mine")

    assert shared.read("/flights/slot") == b"mine"


def test_another_incarnation_that_came_after_the_plan_stops_me() -> None:
    """A driver of a deleted DAG run, planned before the new run claimed, gives way."""
    shared = MemoryStore()
    planned = quick_log(shared).seen()
    fresh = run_try(shared, Try.of(1, incarnation="two"))

    with pytest.raises(Superseded, match="another incarnation") as told:
        write_and_publish(shared, Try.of(9, incarnation="one"), seen=planned)

    assert told.value.retryable
    assert quick_log(shared).newest() == fresh


def test_another_incarnation_that_was_there_before_the_plan_does_not() -> None:
    """The run was deleted and made anew: the new one's first try follows the old one's last."""
    shared = MemoryStore()
    run_try(shared, Try.of(9, incarnation="one"))

    second = run_try(shared, Try.of(1, incarnation="two"))

    assert quick_log(shared).newest() == second
    assert second.number == 2


def test_limit_a_driver_of_a_deleted_run_that_has_not_even_planned_goes_first() -> None:
    """Documented: nothing in the store tells that its incarnation is the older one."""
    shared = MemoryStore()
    stale = start(shared, Try.of(1, incarnation="one"), MOODS["plain"])
    run_try(shared, Try.of(1, incarnation="two"))

    stale.run()

    newest = quick_log(shared).newest()
    assert newest is not None
    assert newest.manifest.epoch.incarnation == "one"


def test_two_laptop_calls_at_once_both_finish() -> None:
    shared = MemoryStore()
    first = Actor(lambda s: write_and_publish(s, Try.of(1, incarnation="a"), seen=None), shared)
    second = Actor(lambda s: write_and_publish(s, Try.of(1, incarnation="b"), seen=None), shared)
    while not (first.over and second.over):
        first.step()
        second.step()

    assert {first.result.number, second.result.number} == {1, 2}
    newest = quick_log(shared).newest()
    assert newest is not None
    assert newest.number == 2


def test_a_retry_after_publish_computes_nothing() -> None:
    shared = MemoryStore()
    first = run_try(shared, Try.of(1))

    again = run_try(shared, Try.of(2))

    assert again == first
    assert [entry for entry in shared.list("/") if "/a0002" in entry.path] == []


def test_a_clear_makes_a_new_attempt() -> None:
    shared = MemoryStore()
    run_try(shared, Try.of(1))

    second = run_try(shared, Try(Try.of(2).epoch, clear_number=1, content=b"anew"))

    assert second.number == 2
    assert quick_log(shared).newest() == second


@pytest.mark.parametrize("pause", range(STEPS["plain"]))
def test_what_a_resuming_try_reports_stays_the_newest(pause: int) -> None:
    """Try 1 publishes and is lost sight of; try 2 stalls anywhere; try 3 resumes try 1's attempt; try 2 wakes."""
    shared = MemoryStore()
    late = start(shared, Try.of(1), MOODS["plain"])
    while late.next_call and not late.next_call.endswith(".published"):
        late.step()
    zombie = start(shared, Try.of(2), MOODS["plain"])
    for _ in range(pause):
        zombie.step()
    late.run()

    final = run_try(shared, Try.of(3))
    zombie.run()

    assert quick_log(shared).newest() == final


def test_witness_without_the_fence_the_replaced_try_publishes_over_it() -> None:
    """The same with a look only: ``finished`` instead of ``resume``."""
    shared = MemoryStore()
    late = start(shared, Try.of(1), MOODS["plain"])
    while late.next_call and not late.next_call.endswith(".published"):
        late.step()
    zombie = Actor(lambda store: write_and_publish(store, Try.of(2), seen=frozenset()), shared)
    late.run()

    final = quick_log(shared).finished(Try.of(3).epoch, 0)
    zombie.run()

    newest = quick_log(shared).newest()
    assert newest is not None
    assert newest != final
    assert newest.manifest.epoch == Try.of(2).epoch


def test_a_resume_gives_way_to_a_newer_try_and_to_a_new_incarnation() -> None:
    for newer in (Try.of(3), Try.of(1, incarnation="two")):
        shared = MemoryStore()
        run_try(shared, Try.of(1))
        quick_log(shared).claim(newer.epoch, clear_number=0, who="newer", seen=None)

        with pytest.raises(Superseded):
            run_try(shared, Try.of(2))
        assert quick_log(shared).state().attempts[1].tombstoned is False


def test_a_silent_store_is_a_retryable_error_that_says_so() -> None:
    deaf = LostReplyStore(MemoryStore(), lose_in_turn("request"))

    with pytest.raises(TeamsparkError, match="neither took") as told:
        run_try(deaf, Try.of(1))
    assert told.value.retryable
    assert str(KEY.team) in str(told.value)
