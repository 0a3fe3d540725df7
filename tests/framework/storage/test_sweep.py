"""Retention on real stores: what a look finds, what a directory is left like, and a gc that is killed for good."""

import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from framework.errors import StoreUnavailable
from framework.identity import RunKey
from framework.storage.memory import MemoryStore
from framework.storage.paths import run_path, task_path
from framework.storage.posix import DirectoryStore
from framework.storage.retention import Step, steps_of
from framework.storage.sweep import PROBES, carry_out, run_keys, store_now, survey
from tests.contracts.faults import LostReplyStore
from tests.framework.storage.clocks import DAY_S, Clocked
from tests.framework.storage.test_gc_model import GRACE_S, a_try, collect, history, produce
from tests.framework.storage.tries import KEY, quick_log, write
from tests.kill.steps import Steps

PLACE = run_path(KEY)


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def abandoned(store: Clocked) -> str:
    """An attempt that wrote and left markers; its folder."""
    attempt = quick_log(store).claim(a_try(9).epoch, clear_number=9, who="a test", seen=None)
    write(store, attempt, b"left behind")
    for name in ("_SUCCESS", ".part-0.crc", "_temporary/0/part-9"):
        store.put_if_absent(f"{attempt.output_dir()}/{name}", b"x")
    return attempt.directory


def steps(store: Clocked) -> list[tuple[str, int | None, int]]:
    return [
        (step.action, step.attempt, len(step.files))
        for step in steps_of(survey(store, KEY, holds=lambda _: False), GRACE_S)
    ]


def test_everything_below_an_attempt_goes_and_its_log_stays(directory: DirectoryStore) -> None:
    store = Clocked(directory)
    first = produce(store, a_try(1), None)
    folder = abandoned(store)
    (directory.local(folder) / "default/_temporary/0/empty/for/ever").mkdir(parents=True)
    assert steps(store) == [("tombstone", 2, 5)]

    store.pass_days(7)
    collect(store)
    assert steps(store) == [("delete", 2, 5)]
    store.pass_days(6.9)
    collect(store)
    assert steps(store) == [("delete", 2, 5)]
    store.pass_days(0.1)
    collect(store)

    assert steps(store) == []
    assert not directory.local(folder).exists(), "no empty folders are left"
    assert quick_log(store).newest() == first
    names = sorted(path.name for path in directory.local(f"{PLACE}/_log").iterdir())
    assert names == ["0001.claim", "0001.published", "0002.claim", "0002.published"]


def test_what_a_zombie_writes_after_that_goes_with_the_next(directory: DirectoryStore) -> None:
    store = Clocked(directory)
    folder = abandoned(store)
    for _ in range(2):
        store.pass_days(8)
        collect(store)
    assert store.list(folder) == ()

    store.put_if_absent(f"{folder}/default/part-1", b"late")
    collect(store)

    assert store.list(folder) == ()


def test_a_folder_that_no_claim_names_waits_for_the_grace_period(directory: DirectoryStore) -> None:
    store = Clocked(directory)
    first = produce(store, a_try(1), None)
    store.put_if_absent(f"{PLACE}/a0007-0123abcd/default/part-0", b"whose?")
    for name in ("a7", "tmp", "a0001-XYZ", "map-x"):
        store.put_if_absent(f"{PLACE}/{name}/part-0", b"not of our making")

    collect(store)
    assert steps(store) == [("delete", None, 1)]
    store.pass_days(7)
    collect(store)

    assert steps(store) == []
    assert quick_log(store).newest() == first
    assert len([entry for entry in store.list(PLACE) if "/_log/" not in entry.path]) == 2 + 4


def test_a_claim_that_comes_while_gc_looks_is_no_stray() -> None:
    """Folders are listed before claims are read: whatever is written in between has its claim."""

    class Busy(Clocked):
        def folders(self, prefix: str) -> tuple[str, ...]:
            found = super().folders(prefix)
            produce(self.inner, a_try(1), None)
            return found

    assert survey(Busy(MemoryStore()), KEY, holds=lambda _: False).strays == ()


def test_all_runs_are_found_published_or_not_and_every_index() -> None:
    store = Clocked(MemoryStore())
    keys = [KEY, *(RunKey(KEY.team, KEY.dag_id, KEY.task_id, "20130102T000000Z", index) for index in (0, 2, 10))]
    for key in keys:
        quick_log(store, key).claim(a_try(1).epoch, clear_number=0, who="a test", seen=None)
    for name in ("_table/default/part", f"{PROBES}/left", "lost+found/x", "20130103T000000Z/other/x"):
        store.put_if_absent(f"{task_path(KEY.task)}/{name}", b"x")

    assert list(run_keys(store, KEY.task)) == keys


def test_the_stores_time_is_asked_of_the_store_and_leaves_no_trace(directory: DirectoryStore) -> None:
    skewed = Clocked(directory, now=5 * DAY_S)
    left = f"{task_path(KEY.task)}/{PROBES}/left"
    skewed.put_if_absent(left, b"by one who died")
    young = f"{task_path(KEY.task)}/{PROBES}/young"
    skewed.pass_days(2)
    skewed.put_if_absent(young, b"by one who is at it")

    assert store_now(skewed, KEY.task) == 7 * DAY_S
    assert [entry.path for entry in skewed.list("/")] == [young]


@pytest.mark.parametrize("how", ["taken", "silence"])
def test_a_lost_reply_loses_no_time(how: str) -> None:
    store = Clocked(MemoryStore(), now=5.0)

    assert store_now(LostReplyStore(store, lambda _: how), KEY.task) == 5.0
    assert store.list("/") == ()


def test_without_an_answer_nothing_is_known() -> None:
    with pytest.raises(StoreUnavailable, match="asks for its time"):
        store_now(LostReplyStore(MemoryStore(), lambda _: "request"), KEY.task)


def test_a_directorys_ages_are_the_systems_not_the_writers(directory: DirectoryStore) -> None:
    """A slot that is linked long after its bytes were written would look old by their time, and data would go at once."""
    directory.put_if_absent("/flights/slot", b"x")
    os.utime(directory.local("/flights/slot"), (1, 1))

    found = directory.stat("/flights/slot")

    assert found is not None
    assert found.modified > 1_000_000_000
    assert directory.local("/flights/slot").stat().st_mtime == 1, "witness: what a writer says"


def dies_at(step: int, work: Callable[[], None]) -> bool:
    """``work`` in a process that is killed at its n-th step in the file system; whether it was."""
    process = os.fork()
    if process == 0:
        try:
            Steps(step).arm()
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


def test_sigkill_anywhere_in_gc_is_finished_by_the_next(tmp_path: Path) -> None:
    first = Clocked(DirectoryStore(tmp_path / "first"))
    history(first)

    def again(name: str) -> Clocked:
        shutil.copytree(tmp_path / "first", tmp_path / name)
        return first.moved(DirectoryStore(tmp_path / name))

    def paths(store: Clocked) -> list[str]:
        return [entry.path for entry in store.list(PLACE)]

    whole = again("whole")
    collect(whole)
    assert len(paths(whole)) < len(paths(first))
    for step in range(1, 1000, 7):
        store = again(str(step))
        died = dies_at(step, partial(collect, store))
        collect(store)
        assert paths(store) == paths(whole), f"killed at step {step}"
        if not died:
            break
    assert step > 100, "the steps must cover looking, closing, retiring and deleting"


def test_a_step_that_has_become_needless_says_so() -> None:
    store = Clocked(MemoryStore())
    produce(store, a_try(1), None)

    assert not carry_out(store, KEY, Step("tombstone", 1, 0.0, "late"), who="gc")
    assert quick_log(store).newest() is not None
