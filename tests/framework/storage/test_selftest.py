import secrets
from datetime import date
from pathlib import Path

import pytest

from framework.errors import SetupError
from framework.storage.base import SlotTaken
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog
from framework.storage.selftest import require_tested, self_test
from tests.framework.storage.tries import KEY, Try


class RenamingStore(DirectoryStore):
    """A store that replaces: rename is atomic, but everybody wins."""

    def put_if_absent(self, path: str, data: bytes) -> None:
        target = self.local(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".tmp-{secrets.token_hex(4)}")
        temporary.write_bytes(data)
        temporary.replace(target)


class LookingStore(RenamingStore):
    """A store that looks first: two racers both find the slot free."""

    def put_if_absent(self, path: str, data: bytes) -> None:
        if self.local(path).exists():
            raise SlotTaken(path)
        super().put_if_absent(path, data)


class ForgettingStore(DirectoryStore):
    """A store that answers before it keeps."""

    def put_if_absent(self, path: str, data: bytes) -> None:
        pass


def test_a_directory_is_tested_each_time_and_nothing_is_left_there(tmp_path: Path) -> None:
    require_tested(DirectoryStore(tmp_path), "flights", date(2013, 1, 1))

    assert [one for one in tmp_path.rglob("*") if one.is_file()] == []
    with pytest.raises(SetupError):
        require_tested(RenamingStore(tmp_path), "flights", date(2013, 1, 1))


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (RenamingStore, "racing writers were told|holds"),
        (LookingStore, "racing writers"),
        (ForgettingStore, "racing|holds"),
    ],
)
def test_a_store_that_cannot_decide_is_refused(tmp_path: Path, store: type[DirectoryStore], words: str) -> None:
    with pytest.raises(SetupError, match=words) as told:
        self_test(store(tmp_path), "flights")

    assert "does not keep put-if-absent" in str(told.value)
    assert str(tmp_path) in str(told.value)


def test_witness_without_the_self_test_two_tries_get_one_number(tmp_path: Path) -> None:
    store = RenamingStore(tmp_path)

    class Late(RenamingStore):
        """Looked for claims before the other one put its own."""

        def read(self, path: str) -> bytes | None:
            return super().read(path) if written else None

        def put_if_absent(self, path: str, data: bytes) -> None:
            super().put_if_absent(path, data)
            written.append(path)

    written: list[str] = []
    first = RunLog(store, KEY).claim(Try.of(1).epoch, clear_number=0, who="first", seen=frozenset())
    second = RunLog(Late(tmp_path), KEY).claim(Try.of(2).epoch, clear_number=0, who="second", seen=frozenset())

    assert (first.number, second.number) == (1, 1)
