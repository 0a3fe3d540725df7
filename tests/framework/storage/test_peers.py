"""Two sides of one store: both see one winner, or it is told; and what a machine that lags costs."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from framework.errors import SetupError, StoreUnavailable
from framework.storage.base import Entry, Store
from framework.storage.memory import MemoryStore
from framework.storage.peers import Found, Meeting, judge, meet
from framework.storage.posix import DirectoryStore


def both(here: Store, there: Store, meeting: Meeting) -> Found:
    """Two machines with a store each, which may be one."""
    other = threading.Thread(target=meet, args=(there, "there", meeting))
    other.start()
    meet(here, "here", meeting)
    other.join()
    return judge(here, meeting)


@pytest.mark.parametrize("make", [lambda _: MemoryStore(), DirectoryStore], ids=["memory", "directory"])
def test_two_machines_with_one_store_have_one_winner_a_round(tmp_path: Path, make: Callable[[Path], Store]) -> None:
    store = make(tmp_path)

    found = both(store, store, Meeting("t", "flights", rounds=20))

    assert found.won_here + found.won_there == 20
    assert found.name_lag_s < 5
    assert store.list("/flights/+selftest") == ()


def test_two_machines_in_a_bucket(s3_store: Store) -> None:
    found = both(s3_store, s3_store, Meeting("t", "flights", rounds=3))

    assert found.won_here + found.won_there == 3


class Both(MemoryStore):
    """A store that tells every racer for a slot that it has won, and keeps the last one's bytes."""

    def put_if_absent(self, path: str, data: bytes) -> None:
        if "slot" in path:
            self._files.pop(path, None)
        super().put_if_absent(path, data)


def test_a_store_that_lets_both_win_is_found_out() -> None:
    store = Both()

    with pytest.raises(SetupError, match="do not see one store") as stop:
        both(store, store, Meeting("t", "flights", rounds=2))

    assert "won=True" in str(stop.value)


class Cached(MemoryStore):
    """Another machine's view of ``shared``, whose slots it does not see: it has slots of its own."""

    def __init__(self, shared: MemoryStore) -> None:
        super().__init__()
        self._shared = shared

    def _of(self, path: str) -> MemoryStore:
        return self if "slot" in path else self._shared

    def put_if_absent(self, path: str, data: bytes) -> None:
        MemoryStore.put_if_absent(self._of(path), path, data)

    def read(self, path: str) -> bytes | None:
        return MemoryStore.read(self._of(path), path)

    def list(self, prefix: str) -> tuple[Entry, ...]:
        return self._shared.list(prefix)


def test_two_stores_that_pass_for_one_are_found_out() -> None:
    shared = MemoryStore()

    with pytest.raises(SetupError, match="do not see one store"):
        both(shared, Cached(shared), Meeting("t", "flights", rounds=2))


class Lagging(MemoryStore):
    """Listings show a file 0.3 s after it was put."""

    def __init__(self) -> None:
        super().__init__()
        self._put: dict[str, float] = {}

    def put_if_absent(self, path: str, data: bytes) -> None:
        super().put_if_absent(path, data)
        self._put[path] = time.monotonic()

    def list(self, prefix: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in super().list(prefix) if time.monotonic() - self._put[entry.path] > 0.3)


def test_how_far_listings_lag_is_told() -> None:
    store = Lagging()

    found = both(store, store, Meeting("t", "flights", rounds=3))

    assert 0.2 < found.list_lag_s < 5
    assert found.won_here + found.won_there == 3


class Unsure(MemoryStore):
    """Of a slot that is put the answer is lost."""

    def put_if_absent(self, path: str, data: bytes) -> None:
        super().put_if_absent(path, data)
        if "slot" in path:
            raise StoreUnavailable("no answer")


def test_a_lost_answer_is_no_second_winner() -> None:
    store = Unsure()

    found = both(store, store, Meeting("t", "flights", rounds=5))

    assert found.won_here + found.won_there == 5


@pytest.mark.parametrize(
    "meeting", [Meeting("t", "flights", patience_s=0.1), Meeting("t", "flights", alive=lambda: False)]
)
def test_a_machine_that_does_not_come_is_told(meeting: Meeting) -> None:
    with pytest.raises(StoreUnavailable, match="does not come"):
        meet(MemoryStore(), "here", meeting)
