"""A machine that starts, steps, kills, clears and re-creates tries as a server may, while readers look and gc sweeps.

The same machine drives the real protocol, one store call at a time, and two naive ones; it must find them out.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from framework.errors import InputChanged, InputCorrupt
from framework.identity import Epoch
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.publish import Published, check_files
from tests.contracts.faults import LaggingStore, LostReplyStore, lose_in_turn
from tests.framework.storage.stage import Actor
from tests.framework.storage.tries import OUTPUTS, Try, content_of, quick_log, run_try, write_and_publish

MOODS: dict[str, Callable[[Store], Store]] = {
    "plain": lambda store: store,
    "lagging": LaggingStore,
    "lossy": lambda store: LostReplyStore(store, lose_in_turn("taken", None, "silence", "request")),
}


# What the server may do next, the usual more often than the rare.
HOW = ("retry", "retry", "retry", "relaunch", "clear", "anew")


class Ways(Protocol):
    """A protocol under test: how a try is made and how a reader reads."""

    def start(self, this: Try, mood: str) -> Actor: ...

    def look(self) -> bytes | None:
        """The whole content; None when there is nothing. Raises: AssertionError when it is torn."""


class RealWays:
    """The product's code."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def start(self, this: Try, mood: str) -> Actor:
        return Actor(lambda store: run_try(store, this), MOODS[mood](self.store))

    def look(self) -> bytes | None:
        newest = quick_log(self.store).newest()
        return None if newest is None else content_of(self.store, newest)


class UnorderedWays(RealWays):
    """The product's code without epochs: numbers follow whoever comes to claim."""

    def start(self, this: Try, mood: str) -> Actor:
        alone = Try(Epoch(this.content.decode(), 1, 1), content=this.content)
        return Actor(lambda store: write_and_publish(store, alone, seen=None), MOODS[mood](self.store))


class Folder:
    """A file system with an atomic rename and nothing else."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def write(self, path: str, data: bytes) -> None:
        self.files[path] = data

    def remove(self, folder: str) -> None:
        self.files = {path: data for path, data in self.files.items() if not path.startswith(folder)}

    def rename(self, folder: str, target: str) -> None:
        self.files = {path.replace(folder, target, 1): data for path, data in self.files.items()}


class GatedFolder:
    def __init__(self, inner: Folder, pause: Callable[[str], None]) -> None:
        self.inner, self.pause = inner, pause

    def __getattr__(self, verb: str) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            self.pause(verb)
            getattr(self.inner, verb)(*arguments)

        return call


class RenamingWays:
    """What most jobs do: write beside, remove the old, rename into its place."""

    def __init__(self) -> None:
        self.folder = Folder()

    def start(self, this: Try, mood: str) -> Actor:
        def work(folder: Folder) -> None:
            beside = f"tmp-{this.content.decode()}/"
            for name in OUTPUTS:
                folder.write(f"{beside}{name}", this.content)
            folder.remove("out/")
            folder.rename(beside, "out/")

        return Actor(work, self.folder, GatedFolder)

    def look(self) -> bytes | None:
        found = {self.folder.files.get(f"out/{name}") for name in OUTPUTS}
        assert len(found) == 1, "torn: contents of several tries"
        return found.pop()


class Machine(RuleBasedStateMachine):
    """The server: it orders tries. ``order`` maps what a try writes to its place in that order."""

    ways: ClassVar[Callable[[], Ways]] = RealWays

    def __init__(self) -> None:
        super().__init__()
        self.protocol = type(self).ways()
        self.order: dict[bytes, int] = {}
        self.cast: list[tuple[Try, Actor]] = []
        self.incarnation, self.number, self.launch, self.clears = 1, 0, 1, 0
        self.last: int | None = None
        self.floor: int | None = None

    def teardown(self) -> None:
        for _, actor in self.cast:
            actor.kill()

    @property
    def alive(self) -> list[Actor]:
        """Newest first: the lower the number drawn, the newer the try."""
        return [actor for _, actor in reversed(self.cast) if not actor.over]

    @initialize(moods=st.lists(st.sampled_from(list(MOODS)), min_size=2, max_size=2))
    def two_tries_to_begin_with(self, moods: list[str]) -> None:
        for mood in moods:
            self.the_server_starts_a_try("retry", mood)

    @precondition(lambda self: len(self.alive) < 3)
    @rule(how=st.sampled_from(HOW), mood=st.sampled_from(list(MOODS)))
    def the_server_starts_a_try(self, how: str, mood: str) -> None:
        if how == "anew" and self.number:
            self.the_run_is_made_anew()
        if how == "relaunch" and self.number:
            self.launch += 1
        else:
            self.number, self.launch = self.number + 1, 1
        self.clears += how == "clear"
        name = f"{self.incarnation}-{self.number}-{self.launch}"
        this = Try(Epoch(str(self.incarnation), self.number, self.launch), self.clears, name.encode())
        self.order[this.content] = len(self.order)
        self.cast.append((this, self.protocol.start(this, mood)))

    def the_run_is_made_anew(self) -> None:
        """Deleted and made again: a new incarnation. A driver of the old one that has not planned yet, which may go
        first, is the documented limit: here each gets as far as its first put."""
        for actor in self.alive:
            while actor.next_call and not actor.next_call.startswith(("put", "write")):
                actor.step()
        self.incarnation, self.number, self.launch, self.clears = self.incarnation + 1, 0, 1, 0

    @precondition(lambda self: self.alive)
    @rule(
        which=st.integers(0, 2),
        steps=st.one_of(st.integers(1, 15), st.just(99)),
        end=st.sampled_from(["", "", "", "kill"]),
    )
    def a_try_goes_on(self, which: int, steps: int, end: str) -> None:
        actor = self.alive[which % len(self.alive)]
        while steps and actor.step():
            steps -= 1
            self.readers_see_whole_and_never_older()
        if end == "kill":
            actor.kill()

    @invariant()
    def readers_see_whole_and_never_older(self) -> None:
        content = self.protocol.look()
        if content is None:
            assert self.last is None, "regressed: what was published is gone"
            return
        place = self.order[content]
        assert place >= max(self.last or 0, self.floor or 0), "regressed: an older try displaced a newer one"
        self.last = place


class RealMachine(Machine):
    """More of the world, for the real protocol: gc, readers that pin, what tries are told."""

    protocol: RealWays

    def __init__(self) -> None:
        super().__init__()
        self.pinned: list[Published] = []
        self.retired = 0

    @rule(which=st.integers(0, 3))
    def a_reader_reads_what_it_pinned_and_pins_anew(self, which: int) -> None:
        log = quick_log(self.protocol.store)
        for pinned in self.pinned[-1 - which : -which or None]:
            try:
                for name in OUTPUTS:
                    check_files(self.protocol.store, pinned, name)
            except InputCorrupt:
                with pytest.raises(InputChanged):
                    log.ensure_live(pinned)
        newest = log.newest()
        self.pinned += [] if newest is None else [newest]

    @rule(how=st.sampled_from(["close", "retire", "delete"]), which=st.integers(0, 2))
    def gc_acts(self, how: str, which: int) -> None:
        store = self.protocol.store
        log = quick_log(store)
        attempts = log.state().attempts
        published = [one.number for one in attempts if one.published and not one.retired]
        if how == "close" and attempts:
            log.tombstone(attempts[-1 - which % len(attempts)].number, who="gc")
        elif how == "retire" and published:
            self._retire(published[-1 - which % len(published)])
        elif how == "delete":
            gone = [f"/a{one.number:04d}-" for one in attempts if one.tombstoned or one.retired]
            store.delete(entry.path for entry in store.list("/") if any(name in entry.path for name in gone))

    def _retire(self, number: int) -> None:
        log = quick_log(self.protocol.store)
        log.retire(number, who="gc")
        self.retired = max(self.retired, number)
        if log.newest() is None:
            # Retired by decree: nothing is what a reader must see now, until something newer is published.
            self.floor, self.last = self.last, None

    @invariant()
    def a_hint_finds_it_however_late_the_listing(self) -> None:
        newest = quick_log(self.protocol.store).newest()
        if newest is not None:
            late = LaggingStore(self.protocol.store, looks=lambda _: 10**9)
            assert quick_log(late).newest(at_least=newest.number) == newest

    @invariant()
    def what_a_try_was_told_holds(self) -> None:
        log = quick_log(self.protocol.store)
        newest = log.newest()
        for this, actor in self.cast:
            if isinstance(actor.result, Published) and actor.result.number > self.retired:
                assert log.published(actor.result.number) == actor.result
                assert newest is not None
                assert newest == actor.result or self._place(newest) > self.order[this.content]

    def _place(self, published: Published) -> int:
        return self.order[content_of(self.protocol.store, published)]


class Unordered(Machine):
    ways = UnorderedWays


class Renaming(Machine):
    ways = RenamingWays


def budget(examples: int, *phases: Phase) -> settings:
    """Bounded and the same every time; nothing is remembered between runs."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        stateful_step_count=40,
        phases=phases or (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )


@pytest.mark.parametrize("examples", [40, pytest.param(1000, marks=pytest.mark.long)])
@pytest.mark.timeout(1800)
def test_the_protocol_holds_whatever_happens(examples: int) -> None:
    run_state_machine_as_test(RealMachine, settings=budget(examples, Phase.generate, Phase.shrink))


@pytest.mark.parametrize(
    ("naive", "words"), [(Unordered, "an older try displaced"), (Renaming, "is gone|an older try displaced|torn")]
)
def test_witness_the_machine_finds_the_naive_protocols_out(naive: type[Machine], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        run_state_machine_as_test(naive, settings=budget(120))
