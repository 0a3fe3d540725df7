"""A table as a machine: runs of any day publish and commit, die in between, wake late, bring columns; gc and readers beside them.

Everybody is let go on by a few store calls at a time. The same machine drives two naive ways, and must find them out.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from framework.errors import TeamsparkError
from framework.identity import RunKey
from framework.schema.model import schema_spec
from framework.schema.spec import SchemaSpec
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.paths import run_path, table_share
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Published, RunLog
from framework.tables.actions import AddFile
from framework.tables.commit import commit
from framework.tables.holding import holder
from framework.tables.log import TableLog
from framework.tables.proposal import proposal_of
from framework.tables.snapshot import Snapshot
from tests.framework.storage.clocks import Clocked
from tests.framework.storage.stage import Actor
from tests.framework.storage.test_model import MOODS, budget
from tests.framework.tables.runs import OUTPUT, SPEC, claim, day, held, in_order, publish, rows, table
from tests.framework.tables.test_commit import Wider
from tests.framework.tables.test_holding import GRACE_S, gc
from tests.framework.tables.test_races import bring_unfenced

# The days come in any order; the last two are indices of one mapped run.
KEYS = (day(5), day(3), day(1), day(2, 0), day(2, 1))
SPECS = (SPEC, schema_spec(Wider))


def bring(store: Store, what: Published) -> str:
    """As a driver does: not at all when a newer attempt is published."""
    newest = RunLog(store, what.key, pause=lambda _: None).newest()
    if newest is not None and newest.number > what.number:
        return "superseded"
    return commit(TableLog(store, table(store).place), proposal_of(what, OUTPUT), pause=lambda _: None).verdict


def finish(store: Store, key: RunKey, how: Callable[[Store, Published], object]) -> None:
    """The next try, which finds the highest published attempt and computes nothing."""
    newest = RunLog(store, key, pause=lambda _: None).newest()
    if newest is not None:
        how(store, newest)


class Tabled(RuleBasedStateMachine):
    """One table of five run keys."""

    where: ClassVar[str] = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory() if self.where == "directory" else None
        self.store = Clocked(self.inner())
        self.actors: list[Actor] = []
        self.tries = dict.fromkeys(KEYS, 0)
        self.attempts: dict[str, int] = {}
        self.pinned: dict[int, tuple[Snapshot, float]] = {}

    def inner(self) -> Store:
        return DirectoryStore(Path(self.folder.name)) if self.folder else MemoryStore()

    def bring(self, store: Store, what: Published) -> object:
        return bring(store, what)

    def holds(self, store: Store) -> Callable[[Published], bool]:
        return holder(store)

    def teardown(self) -> None:
        for actor in self.actors:
            actor.kill()
        self.rows_are_those_of_the_attempts()
        if self.folder:
            self.folder.cleanup()

    @property
    def alive(self) -> list[Actor]:
        return [actor for actor in self.actors if not actor.over]

    @precondition(lambda self: len(self.alive) < 6)
    @rule(
        key=st.sampled_from(KEYS),
        spec=st.sampled_from(SPECS),
        parts=st.integers(1, 2),
        mood=st.sampled_from(list(MOODS)),
    )
    def a_try_starts(self, key: RunKey, spec: SchemaSpec, parts: int, mood: str) -> None:
        self.tries[key] += 1
        number = self.tries[key]

        def work(store: Store) -> object:
            attempt = claim(store, key, number)
            content = rows(key, attempt.number)
            return self.bring(store, publish(store, attempt, content, spec=spec, parts=parts, map_count=2))

        self.actors.append(Actor(work, MOODS[mood](self.store)))

    @precondition(lambda self: len(self.alive) < 6)
    @rule(key=st.sampled_from(KEYS), spec=st.sampled_from(SPECS))
    def a_try_runs_at_once(self, key: RunKey, spec: SchemaSpec) -> None:
        self.a_try_starts(key, spec, 1, "plain")
        self.actors[-1].run()

    @precondition(lambda self: len(self.alive) < 6)
    @rule(key=st.sampled_from(KEYS), steps=st.integers(5, 30))
    def an_older_attempt_wakes(self, key: RunKey, steps: int) -> None:
        self.a_try_starts(key, SPEC, 1, "plain")
        old = self.actors[-1]
        for _ in range(steps):
            old.step()
        self.a_try_runs_at_once(key, SPEC)
        old.run()

    @precondition(lambda self: len(self.alive) < 6)
    @rule(key=st.sampled_from(KEYS))
    def one_dies_between_publish_and_commit(self, key: RunKey) -> None:
        self.a_try_starts(key, SPEC, 1, "plain")
        while "_delta_log" not in (self.actors[-1].next_call or "_delta_log"):
            self.actors[-1].step()
        self.actors[-1].kill()

    @precondition(lambda self: len(self.alive) < 6)
    @rule(key=st.sampled_from(KEYS), mood=st.sampled_from(list(MOODS)))
    def the_next_try_finishes(self, key: RunKey, mood: str) -> None:
        self.actors.append(Actor(lambda store: finish(store, key, self.bring), MOODS[mood](self.store)))

    @precondition(lambda self: len(self.alive) < 6)
    @rule(mood=st.sampled_from(list(MOODS)))
    def a_gc_starts(self, mood: str) -> None:
        self.actors.append(Actor(lambda store: gc(store, self.holds(store)), MOODS[mood](self.store)))

    @rule(days=st.sampled_from([0, 3, 8]))
    def days_pass_and_gc_runs_at_once(self, days: int) -> None:
        self.store.pass_days(days)
        gc(self.store, self.holds(self.store))

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, 5), steps=st.one_of(st.integers(1, 15), st.just(99)), dies=st.sampled_from([0, 0, 0, 1]))
    def one_goes_on(self, which: int, steps: int, dies: int) -> None:
        actor = self.alive[which % len(self.alive)]
        while steps and actor.step():
            steps -= 1
        if dies:
            actor.kill()

    @invariant()
    def what_readers_pinned_is_there(self) -> None:
        snapshot = table(self.store).latest()
        if snapshot is not None:
            self._forwards(snapshot)
            self.pinned[snapshot.version] = (snapshot, self.store.now)
        fresh = [one for one, seen in self.pinned.values() if self.store.now - seen < GRACE_S]
        for path in {path for one in fresh for path in one.files}:
            assert self.store.stat(f"{table(self.store).place}/{path}"), f"missing: {path}"

    def _forwards(self, snapshot: Snapshot) -> None:
        assert snapshot.version >= max(self.pinned, default=0), "the table went back"
        for app, attempt in snapshot.txns.items():
            assert attempt >= self.attempts.get(app, 0), f"regressed: {app} to {attempt}"
            self.attempts[app] = attempt
        for one, _ in self.pinned.values():
            assert set(one.spec().names) <= set(snapshot.spec().names), "a column is lost"
        numbers = {
            key: {_attempt(file) for file in snapshot.up_to(None) if file.share == table_share(key)} for key in KEYS
        }
        wanted = {key: {snapshot.attempt_of(run_path(key))} - {0} for key in KEYS}
        assert numbers == wanted, "rows of another attempt than the log says"

    def rows_are_those_of_the_attempts(self) -> None:
        snapshot = table(self.store).latest()
        attempts = {key: 0 if snapshot is None else snapshot.attempt_of(run_path(key)) for key in KEYS}
        wanted = [row for key, attempt in attempts.items() if attempt for row in rows(key, attempt)]
        try:
            plain = [{name: row[name] for name in SPEC.names} for row in held(self.store)]
        except FileNotFoundError as error:
            raise AssertionError(f"missing: {error}") from error
        assert in_order(plain) == in_order(wanted), "rows of another attempt than the log says"

    @invariant()
    def nobody_was_told_wrong(self) -> None:
        errors = [actor.error for actor in self.actors if isinstance(actor.error, TeamsparkError)]
        assert [error for error in errors if not error.retryable] == []


def _attempt(file: AddFile) -> int:
    return int(file.path.removeprefix(f"{file.share}/a").partition("-")[0])


class OnDisk(Tabled):
    where = "directory"


class Unfenced(Tabled):
    def bring(self, store: Store, what: Published) -> object:
        bring_unfenced(store, what)
        return None


class Unheld(Tabled):
    def holds(self, store: Store) -> Callable[[Published], bool]:
        return lambda _: False


@pytest.mark.parametrize(("machine", "examples"), [(Tabled, 30), (OnDisk, 5)])
def test_a_table_never_loses_doubles_or_goes_back(machine: type[Tabled], examples: int) -> None:
    run_state_machine_as_test(machine, settings=budget(examples))


@pytest.mark.parametrize(("machine", "words"), [(Unfenced, "regressed|went back|another attempt"), (Unheld, "missing")])
def test_witness_naive_ways_are_found_out(machine: type[Tabled], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        run_state_machine_as_test(machine, settings=budget(60))
