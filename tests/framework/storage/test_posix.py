import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framework.errors import PathError, SetupError, StoreUnavailable, TeamsparkError
from framework.storage import descriptors
from framework.storage.base import SlotTaken
from framework.storage.oserrors import translated
from framework.storage.posix import DirectoryStore

# Puts files of a kilobyte until the store says no, and tells what it said.
FILL = """
import json, os, sys
from pathlib import Path
from framework.errors import TeamsparkError
from framework.storage.oserrors import translated
from framework.storage.posix import DirectoryStore
store = DirectoryStore(Path(sys.argv[1]))
if len(sys.argv) > 2:
    os.setuid(int(sys.argv[2]))
try:
    for number in range(1000):
        store.put_if_absent(f"/flights/run/{number}", bytes(1000))
except TeamsparkError as error:
    whole = len(sys.argv) > 2 or all(entry.bytes == 1000 for entry in store.list("/flights"))
    print(json.dumps({"error": type(error).__name__, "message": str(error), "put": number, "whole": whole}))
"""


def fill(*arguments: str, before: str = "") -> dict[str, object]:
    script = f"{before}\nexec {sys.executable} -c '{FILL}' {' '.join(arguments)}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


mounts = pytest.mark.skipif(not can_mount(), reason="this kernel lets nobody mount a small file system")


@mounts
def test_a_full_store_says_so_and_holds_no_half_file(tmp_path: Path) -> None:
    told = fill(str(tmp_path), before=f"mount -t tmpfs -o size=64k none {tmp_path}")

    assert told["error"] == "StoreUnavailable"
    assert "the store is full" in str(told["message"])
    assert "No space left" in str(told["message"])
    assert told["whole"]
    assert int(str(told["put"])) > 0


@mounts
def test_a_read_only_store_says_so(tmp_path: Path) -> None:
    told = fill(str(tmp_path), before=f"mount -t tmpfs -o ro none {tmp_path}")

    assert told["error"] == "SetupError"
    assert "read-only" in str(told["message"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_store_of_somebody_else_is_a_setup_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    command = [sys.executable, "-c", FILL, str(tmp_path), "65534"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    told = json.loads(done.stdout)
    assert told["error"] == "SetupError"
    assert "give this user read and write permission" in told["message"]


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        ("ENOSPC", StoreUnavailable, "full"),
        ("EDQUOT", StoreUnavailable, "full"),
        ("EROFS", SetupError, "read-only"),
        ("EACCES", SetupError, "permission"),
        ("EPERM", SetupError, "permission"),
        ("ENAMETOOLONG", PathError, "long"),
        ("EOPNOTSUPP", SetupError, "hard links"),
        ("ESTALE", StoreUnavailable, "run again"),
        ("EIO", StoreUnavailable, "run again"),
    ],
)
def test_each_fault_of_a_file_system_has_its_words(number: str, error: type[TeamsparkError], words: str) -> None:
    import errno

    fault = OSError(getattr(errno, number), os.strerror(getattr(errno, number)))

    with pytest.raises(error, match=words) as told, translated("/flights/x"):
        raise fault
    assert told.value.__cause__ is fault
    assert "/flights/x" in str(told.value)


@pytest.mark.parametrize("one_call", [True, False])
def test_settle_syncs_what_others_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_call: bool) -> None:
    if not one_call:
        monkeypatch.setattr(descriptors, "syncfs", lambda: None)
    store = DirectoryStore(tmp_path)
    for name in ("a/1", "a/2", "b/c/3"):
        (tmp_path / "flights" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "flights" / name).write_bytes(b"rows")

    store.settle((f"/flights/{name}", 4) for name in ("a/1", "b/c/3", "a/2"))
    with pytest.raises(StoreUnavailable, match=r"gone or changed(.|\n)*/flights/a/2(.|\n)*4 bytes"):
        store.settle([("/flights/a/1", 4), ("/flights/a/2", 5)])
    with pytest.raises(StoreUnavailable, match="nothing"):
        store.settle([("/flights/a/none", 4)])
    with pytest.raises(StoreUnavailable):
        store.settle([("/flights/no/folder", 4)])


def test_settle_asks_by_name_what_no_scan_shows(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put_if_absent("/flights/.put-0123456789abcdef", b"rows")

    assert store.list("/flights") == ()
    store.settle([("/flights/.put-0123456789abcdef", 4)])


def test_settle_takes_files_of_the_root_too(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put_if_absent("/x", b"rows")

    store.settle([("/x", 4)])
    with pytest.raises(StoreUnavailable, match="/y"):
        store.settle([("/y", 4)])
    with pytest.raises(PathError):
        store.settle([("/", 4)])


@pytest.fixture
def planted(tmp_path: Path) -> DirectoryStore:
    """A store in which ``/flights/link`` and ``/flights/file`` lead to another team's data."""
    (tmp_path / "insights").mkdir()
    (tmp_path / "insights" / "secret").write_text("secret")
    (tmp_path / "store" / "flights").mkdir(parents=True)
    (tmp_path / "store" / "flights" / "link").symlink_to(tmp_path / "insights")
    (tmp_path / "store" / "flights" / "file").symlink_to(tmp_path / "insights" / "secret")
    return DirectoryStore(tmp_path / "store")


def test_no_verb_follows_a_link(planted: DirectoryStore, tmp_path: Path) -> None:
    for attack in (
        lambda: planted.put_if_absent("/flights/link/mine", b"x"),
        lambda: planted.read("/flights/link/secret"),
        lambda: planted.read("/flights/file"),
        lambda: planted.stat("/flights/link/secret"),
        lambda: planted.stat("/flights/file"),
        lambda: planted.list("/flights/link"),
        lambda: planted.list("/flights"),
        lambda: planted.folders("/flights/link"),
        lambda: planted.settle([("/flights/file", 6)]),
        lambda: planted.settle([("/flights/link/secret", 6)]),
        lambda: planted.delete(["/flights/link/secret"]),
    ):
        with pytest.raises(SetupError, match="symbolic link"):
            attack()
    assert planted.folders("/flights") == ()
    assert [path.name for path in (tmp_path / "insights").iterdir()] == ["secret"]


def test_witness_plain_paths_follow_the_links(planted: DirectoryStore) -> None:
    assert (planted.local("/flights/link/secret")).read_text() == "secret"
    assert (planted.local("/flights/file")).read_text() == "secret"


def test_a_slot_that_is_a_link_is_taken_and_not_written_through(planted: DirectoryStore, tmp_path: Path) -> None:
    with pytest.raises(SlotTaken):
        planted.put_if_absent("/flights/file", b"mine")

    assert (tmp_path / "insights" / "secret").read_text() == "secret"


def test_deleting_a_link_leaves_what_it_leads_to(planted: DirectoryStore, tmp_path: Path) -> None:
    planted.delete(["/flights/file"])

    assert (tmp_path / "insights" / "secret").read_text() == "secret"
    assert not planted.local("/flights/file").is_symlink()


def test_the_root_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")

    DirectoryStore(tmp_path / "root").put_if_absent("/flights/x", b"x")

    assert (tmp_path / "real" / "flights" / "x").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["a*", "[a]", "{a,b}", "a%20b", "a?b", "a#b", "a\\b"])
def test_a_root_that_spark_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SetupError, match="pattern or an escape"):
        DirectoryStore(tmp_path / name)


def test_a_put_leaves_no_temporary_file_won_or_lost(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put_if_absent("/flights/x", b"x")
    with pytest.raises(SlotTaken):
        store.put_if_absent("/flights/x", b"y")

    assert [path.name for path in (tmp_path / "flights").iterdir()] == ["x"]


def test_the_leftover_of_a_killed_writer_is_not_listed(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put_if_absent("/flights/x", b"x")
    (tmp_path / "flights" / ".put-0123456789abcdef").write_bytes(b"half")

    assert [entry.path for entry in store.list("/flights")] == ["/flights/x"]


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put_if_absent("/flights/x", b"x")

    with pytest.raises(SetupError, match="no plain file or folder"):
        store.put_if_absent("/flights/x/y", b"y")
    with pytest.raises(SetupError):
        store.read("/flights")


def test_a_pipe_is_no_file_and_nobody_waits_for_it(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put_if_absent("/flights/x", b"x")
    os.mkfifo(tmp_path / "flights" / "pipe")

    with pytest.raises(SetupError):
        store.read("/flights/pipe")


MOUNTED = """
import os, sys
from pathlib import Path
from framework.storage import descriptors
from framework.storage.posix import DirectoryStore
root, flushed, call = Path(sys.argv[1]), [], descriptors.syncfs()
descriptors.syncfs = lambda: lambda folder: (flushed.append(os.fstat(folder).st_dev), call(folder))
paths = ["/flights/a", "/flights/b", "/insights/a"]
for path in paths:
    (root / path[1:]).write_bytes(b"x")
DirectoryStore(root).settle([(path, 1) for path in paths])
print(flushed == [(root / team).stat().st_dev for team in ("flights", "insights")])
"""


def test_every_file_system_below_the_root_is_flushed_once(tmp_path: Path) -> None:
    (tmp_path / "flights").mkdir()
    (tmp_path / "insights").mkdir()
    (tmp_path / "program.py").write_text(MOUNTED)
    script = f"mount -t tmpfs tmpfs {tmp_path}/insights && exec {sys.executable} {tmp_path}/program.py {tmp_path}"

    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)

    assert done.stdout == "True\n", done.stderr
