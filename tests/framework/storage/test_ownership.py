"""Whose the files of a shared file system are: as the team file says, whatever the umask; or an error that says so."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from framework.errors import SetupError
from framework.storage.ownership import Ownership
from framework.storage.posix import DirectoryStore

RUN = "/flights/flights.daily/ingest/20130101T000000Z"
ATTEMPT = f"{RUN}/a0001-0123abcd"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


def modes(root: Path) -> dict[str, int]:
    return {path.relative_to(root).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}


def owners(root: Path) -> set[tuple[int, int]]:
    return {(path.stat().st_uid, path.stat().st_gid) for path in (root, *root.rglob("*"))}


def as_spark_would(root: Path) -> list[tuple[str, int]]:
    """Files of an attempt, made by another program with an umask of its own."""
    files = []
    for name in ("default/part-0.parquet", "default/day=1/part-1.parquet", "rejects/part-0.parquet"):
        file = root / ATTEMPT[1:] / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"rows")
        files.append((f"{ATTEMPT}/{name}", 4))
    return files


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_modes_are_the_team_files_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    root = tmp_path / "root"
    before = os.umask(umask)
    try:
        store = DirectoryStore(root, kind="efs", owned=Ownership(mode=0o750))
        store.put_if_absent(f"{RUN}/_log/0001.claim", b"{}")
        store.settle(as_spark_would(root))
    finally:
        os.umask(before)

    assert {path: mode for path, mode in modes(root).items() if mode not in (0o750, 0o640)} == {}
    assert modes(root)[f"{RUN[1:]}/_log/0001.claim"] == 0o640
    assert modes(root)["."] == modes(root)[f"{ATTEMPT[1:]}/default/day=1"] == 0o750


def test_without_a_word_of_it_everything_is_as_it_comes(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        store = DirectoryStore(tmp_path / "root", kind="efs", owned=Ownership())
        store.put_if_absent(f"{RUN}/_log/0001.claim", b"{}")
    finally:
        os.umask(before)

    assert modes(tmp_path / "root")["flights"] == 0o750


@as_root
def test_everything_belongs_to_the_team(tmp_path: Path) -> None:
    root = tmp_path / "root"
    store = DirectoryStore(root, kind="efs", owned=Ownership(uid=12345, gid=23456, mode=0o750))

    store.put_if_absent(f"{RUN}/_log/0001.claim", b"{}")
    store.settle(as_spark_would(root))

    assert owners(root) == {(12345, 23456)}
    assert set(modes(root).values()) == {0o750, 0o640}


STRANGER = """
import os, sys
from pathlib import Path
from framework.errors import SetupError
from framework.storage.ownership import Ownership
from framework.storage.posix import DirectoryStore
os.setgroups([])
os.setgid(54321)
os.setuid(54321)
store = DirectoryStore(Path(sys.argv[1]), kind="efs", owned=Ownership(uid=int(sys.argv[2]), gid=54321))
try:
    store.put_if_absent("/flights/x", b"1")
except SetupError as error:
    print(error)
print(store.read("/flights/x"))
"""


def stranger(place: Path, uid: int) -> str:
    """What a user who is not root has to say of a store that is ``uid``'s."""
    place.chmod(0o777)
    command = [sys.executable, "-c", STRANGER, str(place), str(uid)]
    return subprocess.run(command, cwd=Path.cwd(), capture_output=True, text=True, check=False).stdout


@as_root
def test_who_may_not_give_files_away_is_told_and_publishes_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory() as other:
        refused = stranger(Path(own), 12345)
        # Witness: the same user, writing as itself.
        taken = stranger(Path(other), 54321)

    assert "belongs to the wrong user or group" in refused
    assert "expected: uid 12345, gid 54321" in refused
    assert refused.endswith("None\n")
    assert taken == "b'1'\n"


@as_root
def test_a_link_in_place_of_a_written_file_gives_nothing_away(tmp_path: Path) -> None:
    """Who may write into a store must not have root give it a file outside."""
    root, secret = tmp_path / "root", tmp_path / "secret"
    secret.write_bytes(b"rows")
    store = DirectoryStore(root, kind="efs", owned=Ownership(uid=12345, mode=0o777))
    files = as_spark_would(root)
    file = root / files[0][0][1:]
    file.unlink()
    file.symlink_to(secret)

    with pytest.raises(SetupError, match="symbolic link"):
        store.settle(files)

    assert secret.stat().st_uid == 0
    # Witness: followed, the link would have done it.
    os.chown(file, 12345, -1)
    assert secret.stat().st_uid == 12345
