"""A cache of this machine: started, looked at, found again, ended; what it writes down is nobody else's and no secret."""

import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from framework.cache.alluxio import AlluxioCache
from framework.cache.cluster import down, known, up
from framework.cache.looking import ailing, used
from framework.cache.parts import Wanted
from framework.errors import CacheUnavailable
from framework.servers.identities import Identity, fresh_keys
from framework.servers.seaweed import running as seaweed_running
from framework.storage.posix import DirectoryStore
from framework.storage.s3client import Bucket
from tests.servers.alluxio import MEMORY, Alluxio, running
from tests.servers.buckets import quick_store
from tests.servers.seaweed import REGION, Seaweed
from tests.waiting import comes

ROOT = Path(__file__).parents[3]


def leaders(home: Path) -> list[int]:
    return [pid for pid, _ in json.loads((home / "processes.json").read_text())]


def test_it_is_well_and_has_room(alluxio: Alluxio) -> None:
    assert ailing(alluxio.cluster) == ()
    held, room = used(alluxio.cluster) or (0, 0)
    assert 0 <= held <= room == MEMORY


def test_what_it_writes_down_is_its_users_alone_and_no_secret(alluxio: Alluxio, seaweed: Seaweed) -> None:
    home = Path(alluxio.cluster.home)
    places = (home, Path(alluxio.cluster.tier))
    files = [path for place in places for path in place.rglob("*")]

    assert {stat.S_IMODE(place.stat().st_mode) for place in places} == {0o700}
    secrets = (seaweed.admin.secret.encode(), seaweed.admin.access.encode())
    assert [path for path in files if path.is_file() and any(one in path.read_bytes() for one in secrets)] == []
    told = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in leaders(home))
    assert not any(one in told for one in secrets)
    # The witness: they are where only this user and root can look.
    environment = Path(f"/proc/{leaders(home)[0]}/environ").read_bytes()
    assert all(one in environment for one in secrets)


def test_it_listens_to_this_machine_only(alluxio: Alluxio) -> None:
    pids = set(leaders(Path(alluxio.cluster.home)))

    found = listeners(pids)

    assert len(found) >= 5
    assert {address for address, _ in found} == {"127.0.0.1"}


def listeners(pids: set[int]) -> list[tuple[str, int]]:
    """Address and port of every listening socket of these processes, as the kernel has them."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(link.readlink()))
            except FileNotFoundError:
                continue
    found = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                raw, port = words[1].split(":")
                swapped = b"".join(bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8))
                found.append((socket.inet_ntop(family, swapped), int(port, 16)))
    return found


def test_nobody_writes_to_the_store_through_it(alluxio: Alluxio) -> None:
    """The cache is never the record: its mount of the team's store is read-only."""
    from alluxio import Client
    from alluxio.exceptions import AlluxioError
    from alluxio.option import CreateFile, Mount
    from alluxio.wire import WRITE_TYPE_CACHE_THROUGH

    host, _, port = alluxio.cluster.proxy.removeprefix("http://").partition(":")
    client, through = Client(host, int(port), 20), CreateFile(write_type=WRITE_TYPE_CACHE_THROUGH)

    with pytest.raises(AlluxioError), client.open("/files/planted", "w", through) as file:
        file.write(b"x")
    assert not (Path(alluxio.directory.root) / "planted").exists()

    # The witness: a mount that may be written to.
    (Path(alluxio.directory.root).parent / "open").mkdir(exist_ok=True)
    client.mount("/open", f"{Path(alluxio.directory.root).parent}/open", Mount(read_only=False))
    with client.open("/open/planted", "w", through) as file:
        file.write(b"x")
    assert (Path(alluxio.directory.root).parent / "open" / "planted").read_bytes() == b"x"
    client.unmount("/open")


def test_a_file_replaced_behind_it_is_served_as_it_was(alluxio: Alluxio) -> None:
    """Why only attempts are read through it, whose files are written once under names that are used once."""
    store, cache = alluxio.directory, alluxio.cache(alluxio.directory)
    store.put_if_absent("/flights/stale", b"old bytes")
    cache.warm(store, ["/flights/stale"], within_s=30)
    assert comes(lambda: cache.status(store, "/flights/stale")[0].hot == 9)

    store.local("/flights/stale").write_bytes(b"new bytes")

    assert content(alluxio, "/files/flights/stale") == b"old bytes"
    # What an attempt does instead.
    store.put_if_absent("/flights/fresh", b"new bytes")
    assert content(alluxio, "/files/flights/fresh") == b"new bytes"


def content(alluxio: Alluxio, path: str) -> bytes:
    from urllib.request import urlopen

    with urlopen(f"{alluxio.cluster.proxy}/api/v1/paths/{path}/download-file", timeout=20) as answer:
        data: bytes = answer.read()
        return data


@pytest.mark.e2e
def test_up_is_once_and_down_leaves_nothing(tmp_path: Path) -> None:
    store, home = DirectoryStore(tmp_path / "store"), tmp_path / "home"
    wanted = Wanted("flights", store, home, MEMORY, dies_with_us=True)
    try:
        first = up(wanted, os.environ, notice=print)
        pids = leaders(home)

        assert up(wanted, os.environ, notice=print) == first == known(home)
        assert leaders(home) == pids

        assert down(home)
        assert not any(Path(f"/proc/{pid}/cmdline").exists() and alive(pid) for pid in pids)
        assert not Path(first.tier).exists()
        assert known(home) is None
        assert not down(home)
    finally:
        down(home)


def alive(pid: int) -> bool:
    return b"\nState:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()


@pytest.mark.e2e
@pytest.mark.parametrize("part", [0, 1, 2], ids=["master", "worker", "proxy"])
def test_up_mends_what_a_kill_has_left(tmp_path: Path, part: int) -> None:
    store = DirectoryStore(tmp_path / "store")
    store.put_if_absent("/flights/a", b"some bytes")
    with running("flights", store) as cluster:
        home = Path(cluster.home)
        os.kill(leaders(home)[part], signal.SIGKILL)
        assert comes(lambda: ailing(cluster) != ())

        again = up(Wanted("flights", store, home, MEMORY, dies_with_us=True), os.environ, notice=print)

        assert ailing(again) == ()
        cache = AlluxioCache(again.address, store.access)
        assert cache.warm(store, ["/flights/a"], within_s=30) == 10
        assert comes(lambda: cache.status(store, "/flights/a")[0].hot == 10)


@pytest.mark.e2e
def test_two_teams_have_two_and_neither_reads_the_others_bucket(tmp_path: Path) -> None:
    mine, theirs = (
        Identity(team, fresh_keys(team), tuple(f"{verb}:{team}-data" for verb in ("Read", "Write", "List")))
        for team in ("flights", "insights")
    )
    admin = Identity("admin", fresh_keys("admin"), ("Admin", "Read", "Write", "List"))
    with seaweed_running(tmp_path / "weed", (admin, mine, theirs)) as server, pytest.MonkeyPatch.context() as patch:
        server.make_buckets(["flights-data", "insights-data"], admin.keys)
        for name, value in admin.keys.environment().items():
            patch.setenv(name, value)
        stores = {
            team: quick_store(Bucket(f"{team}-data", "", server.endpoint, REGION)) for team in ("flights", "insights")
        }
        for team, store in stores.items():
            store.put_if_absent(f"/{team}/secret", team.encode())

        # To mount the root of a bucket nothing is asked of it; whatever is asked later is refused.
        with (
            pytest.raises(CacheUnavailable),
            running("flights", stores["insights"], mine.keys.environment()) as intruder,
        ):
            AlluxioCache(intruder.address, stores["insights"].access).warm(
                stores["insights"], ["/insights/secret"], within_s=30
            )

        # The witness: with its own keys each mounts its own, side by side on one machine.
        with (
            running("flights", stores["flights"], mine.keys.environment()) as one,
            running("insights", stores["insights"], theirs.keys.environment()) as other,
        ):
            assert one.master != other.master
            for cluster, team in ((one, "flights"), (other, "insights")):
                cache = AlluxioCache(cluster.address, stores[team].access)
                assert cache.warm(stores[team], [f"/{team}/secret"], within_s=30) == len(team)
                foreign = "insights" if team == "flights" else "flights"
                assert not cache.resolve(stores[foreign], f"/{foreign}/secret").cached
