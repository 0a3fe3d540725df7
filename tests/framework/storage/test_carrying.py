"""Whole files to and from every kind of store: all of them, whole, once, and on from where a kill left them."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from framework.errors import StoreUnavailable
from framework.storage.base import Depot
from framework.storage.carrying import Move, fetch, send
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from framework.storage.s3 import S3Store
from framework.storage.s3client import Bucket, connect
from framework.storage.s3transfer import PART_BYTES
from tests.servers.buckets import quick_store, without_digest
from tests.servers.faults import Request, before, seeded
from tests.servers.seaweed import Seaweed

FOLDER = "/flights/flights.daily/raw/20130101T000000Z/a0001-00000000/default"
SIZES = {"small": 10, "empty": 0, "deep/part": 2000, "large": 2 * PART_BYTES + 3}


@pytest.fixture(params=["directory", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Depot:
    match request.param:
        case "directory":
            return DirectoryStore(tmp_path / "store")
        case "memory":
            return MemoryStore()
    found: Depot = request.getfixturevalue("s3_store")
    return found


def moves(folder: Path, sizes: dict[str, int]) -> list[Move]:
    return [Move(f"{FOLDER}/{name}", folder / name, size) for name, size in sizes.items()]


def filled(folder: Path, sizes: dict[str, int] = SIZES) -> list[Move]:
    """Files that differ, and where they go."""
    made = moves(folder, sizes)
    for one in made:
        one.local.parent.mkdir(parents=True, exist_ok=True)
        one.local.write_bytes(content(one.path, one.bytes))
    return made


def content(path: str, size: int) -> bytes:
    word = path.encode()
    return (word * (size // len(word) + 1))[:size]


def test_what_is_sent_comes_back(store: Depot, tmp_path: Path) -> None:
    sent = filled(tmp_path / "from")

    send(store, sent)
    store.settle([(one.path, one.bytes) for one in sent])
    fetch(store, back := moves(tmp_path / "to", SIZES))

    assert {one.path: one.local.read_bytes() for one in back} == {
        one.path: content(one.path, one.bytes) for one in back
    }


def test_what_is_here_already_is_not_fetched_again(store: Depot, tmp_path: Path) -> None:
    send(store, filled(tmp_path / "from"))
    back = moves(tmp_path / "to", SIZES)
    fetch(store, back)
    times = {one.path: one.local.stat().st_mtime_ns for one in back}
    back[0].local.unlink()

    fetch(store, back)

    assert back[0].local.exists()
    assert {one.path: one.local.stat().st_mtime_ns for one in back[1:]} == {
        path: moment for path, moment in times.items() if path != back[0].path
    }


def test_a_file_that_is_not_what_was_published_is_refused(store: Depot, tmp_path: Path) -> None:
    send(store, filled(tmp_path / "from", {"small": 10}))

    with pytest.raises(StoreUnavailable, match="did not arrive as it was published"):
        fetch(store, moves(tmp_path / "to", {"small": 11}))


def test_a_file_that_is_gone_is_told(store: Depot, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="a published file is gone"):
        fetch(store, moves(tmp_path / "to", {"small": 10}))

    assert not (tmp_path / "to/small").exists()


@pytest.mark.parametrize("seed", range(3))
def test_through_a_server_that_fails_now_and_then_all_arrives(
    seaweed: Seaweed, s3_place: Bucket, tmp_path: Path, seed: int
) -> None:
    with before(seaweed.address, keys=seaweed.admin) as proxy:
        store = quick_store(replace(s3_place, endpoint=proxy.endpoint))
        proxy.schedule = seeded(seed, 0.3, ("cut body", "slow down", "drop reply"), most=6)
        sent = filled(tmp_path / "from")
        send(store, sent)
        fetch(store, back := moves(tmp_path / "to", SIZES))

    assert {one.path: one.local.read_bytes() for one in back} == {
        one.path: content(one.path, one.bytes) for one in back
    }
    assert proxy.met, "nothing failed: the test says nothing"


@pytest.mark.parametrize("digest", [True, False], ids=["digest", "witness"])
def test_bytes_that_change_on_their_way_to_a_bucket_are_sent_again(
    seaweed: Seaweed, s3_place: Bucket, s3_store: Depot, tmp_path: Path, *, digest: bool
) -> None:
    """A bit of each of the first requests; without a digest the server takes them for what was meant."""
    sent, seen = filled(tmp_path / "from"), count()

    def fault(request: Request) -> str | None:
        return "flip" if request.method == "PUT" and next(seen) < 4 else None

    with before(seaweed.address, keys=seaweed.admin) as proxy:
        place = replace(s3_place, endpoint=proxy.endpoint)
        client = connect(replace(place, prefix="")) if digest else without_digest(place)
        proxy.schedule = fault
        send(S3Store(place, connect=lambda _: client, pause=lambda _: None), sent)
    fetch(s3_store, back := moves(tmp_path / "to", SIZES))

    right = [one.local.read_bytes() == content(one.path, one.bytes) for one in back]
    assert proxy.met["flip"]
    assert all(right) is digest


def test_a_fetch_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """The process ends while one file is on its way: what had arrived is whole, and stays."""
    store = DirectoryStore(tmp_path / "store")
    send(store, filled(tmp_path / "from"))
    folder = tmp_path / "to"
    large = store.local(f"{FOLDER}/large")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    large.rename(tmp_path / "large")
    large.symlink_to(pipe)  # nobody writes: whoever reads it waits until it is killed
    program = (
        "import sys; from pathlib import Path; from framework.storage.carrying import Move, fetch;"
        "from framework.storage.posix import DirectoryStore\n"
        f"fetch(DirectoryStore(Path({str(tmp_path / 'store')!r})), [Move({FOLDER!r} + '/' + n, Path({str(folder)!r}) / n, s)"
        f" for n, s in {SIZES!r}.items()])"
    )
    child = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 60
    while not (folder / "deep/part").exists():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (folder / "large").exists()
    large.unlink()
    (tmp_path / "large").rename(large)
    kept = (folder / "deep/part").stat().st_mtime_ns

    fetch(store, back := moves(folder, SIZES))

    assert {one.path: one.local.read_bytes() for one in back} == {
        one.path: content(one.path, one.bytes) for one in back
    }
    assert (folder / "deep/part").stat().st_mtime_ns == kept
