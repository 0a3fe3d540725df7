"""A cache that is not there, or hangs: the store's own place within seconds, and errors that say so."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.cache.alluxio import Address, AlluxioCache, canonical
from framework.cache.base import LOOK_S
from framework.errors import CacheUnavailable
from framework.storage.base import Access
from framework.storage.posix import DirectoryStore
from framework.storage.s3client import Bucket
from tests.servers.buckets import quick_store

QUICK_S = 3 * LOOK_S - 0.5  # three verbs that each wait would take longer


@pytest.fixture(params=["closed", "silent", "no Alluxio"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Nobody listens; somebody listens and never answers; somebody answers something else."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        if request.param != "closed":
            one.listen(16)
        if request.param == "no Alluxio":
            from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
            from threading import Thread

            class Other(BaseHTTPRequestHandler):
                def do_POST(self) -> None:
                    self.send_response(200)
                    self.send_header("Content-Length", "5")
                    self.end_headers()
                    self.wfile.write(b"hello")

                def log_message(self, *args: object) -> None:
                    pass

            with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
                Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
                yield server.server_port
                server.shutdown()
            return
        yield int(one.getsockname()[1])


def test_a_run_is_told_the_stores_own_place_and_why(port: int, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    cache = AlluxioCache(Address("127.0.0.1:1", f"http://127.0.0.1:{port}"), store.access)
    began = time.monotonic()

    told = [cache.resolve(store, f"/flights/{name}") for name in ("a", "b", "c")]

    assert time.monotonic() - began < QUICK_S  # asked once, not three times
    assert [one.uri for one in told] == [store.uri(f"/flights/{name}") for name in ("a", "b", "c")]
    assert not any(one.cached for one in told)
    assert "is not used" in (told[0].why or "")


def test_every_other_verb_raises_at_once(port: int, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    cache = AlluxioCache(Address("127.0.0.1:1", f"http://127.0.0.1:{port}"), store.access)
    began = time.monotonic()

    for verb in (
        lambda: cache.status(store, "/flights"),
        lambda: cache.probe(store, "/flights/a"),
        lambda: cache.warm(store, ["/flights/a"], within_s=100),
        lambda: cache.pin(store, ["/flights/a"]),
        lambda: cache.unpin(store, ["/flights/a"]),
        lambda: cache.free(store, ["/flights/a"]),
    ):
        with pytest.raises(CacheUnavailable) as caught:
            verb()
        assert caught.value.retryable
    assert time.monotonic() - began < QUICK_S


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file:///data/store", "/data/store"),
        ("file:///data/store", "file:///data/store/"),
        ("s3a://bucket/prefix/", "s3://bucket/prefix"),
        ("s3a://bucket/", "s3://bucket"),
    ],
)
def test_a_place_has_one_spelling(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


def test_two_places_have_two() -> None:
    places = ["/data", "/data/store", "/data/store2", "s3://data", "s3://data/store", "s3://data/store2"]

    assert len({canonical(one) for one in places}) == len(places)


def mounted(access: Access) -> AlluxioCache:
    """A cache whose mounts are known without asking."""
    cache = AlluxioCache(Address("h:1", "http://h:2"), access)
    vars(cache)["_mounts"] = {"file:///data/store": "/store", "s3://bucket": "/bucket"}
    return cache


@pytest.mark.parametrize(
    ("root", "path", "wanted"),
    [
        ("/data/store", "/flights/a", "alluxio://h:1/store/flights/a"),
        ("/data/store/deeper", "/flights/a", "alluxio://h:1/store/deeper/flights/a"),
        ("/data/store2", "/flights/a", "file:///data/store2/flights/a"),
        ("/data", "/flights/a", "file:///data/flights/a"),
    ],
)
def test_a_store_is_before_a_mount_of_its_root_or_above(root: str, path: str, wanted: str) -> None:
    store = DirectoryStore(Path(root))

    assert mounted(store.access).resolve(store, path).uri == wanted


def test_a_bucket_of_the_same_name_elsewhere_is_another() -> None:
    here, there = (quick_store(Bucket("bucket", "", f"http://127.0.0.1:{port}", "us-east-1")) for port in (1, 2))
    cache = mounted(here.access)

    assert cache.resolve(here, "/a").uri == "alluxio://h:1/bucket/a"
    assert cache.resolve(there, "/a").uri == "s3a://bucket/a"
