"""A store in a bucket on a real server, reached through a proxy that loses, cuts, delays and refuses."""

import io
import random
import secrets
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from framework.errors import SetupError, StoreUnavailable, TeamsparkError
from framework.storage.base import SlotTaken, Store
from framework.storage.s3 import S3Store
from framework.storage.s3client import Bucket, connect
from framework.storage.s3errors import refusal
from framework.storage.s3file import TAIL_BYTES, S3File
from framework.storage.selftest import require_tested, self_test
from tests.framework.storage.tries import (
    KEY,
    Try,
    claims,
    content_of,
    quick_log,
    run_try,
    write_and_publish,
)
from tests.servers.buckets import quick_store, without_digest
from tests.servers.faults import PASSING, Proxy, Request, Schedule, before, seeded, untouched
from tests.servers.seaweed import REGION, Seaweed
from tests.waiting import until

TODAY = date(2013, 1, 1)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def running(seaweed: Seaweed) -> Iterator[Proxy]:
    with before(seaweed.address, keys=seaweed.admin) as proxy:
        yield proxy


@pytest.fixture
def proxy(running: Proxy) -> Proxy:
    """Without faults yet."""
    running.schedule = untouched
    running.met.clear()
    return running


@pytest.fixture
def faulty(proxy: Proxy, s3_place: Bucket) -> S3Store:
    """The same place as ``s3_store``, through the proxy."""
    return quick_store(replace(s3_place, endpoint=proxy.endpoint))


def each_time(fault: str, wanted: Callable[[Request], bool] = lambda _: True) -> Schedule:
    return lambda request: fault if wanted(request) else None


def first_times(fault: str, count: int, wanted: Callable[[Request], bool] = lambda _: True) -> Schedule:
    left = [count]

    def chosen(request: Request) -> str | None:
        if left[0] == 0 or not wanted(request):
            return None
        left[0] -= 1
        return fault

    return chosen


# What a lost reply may not do.


def test_a_lost_reply_to_a_put_is_sent_once_and_reported(faulty: S3Store, s3_store: S3Store, proxy: Proxy) -> None:
    seen: list[str] = []

    def dropped(request: Request) -> str | None:
        seen.append(request.method)
        return "drop reply" if request.claims_a_slot else None

    proxy.schedule = dropped

    with pytest.raises(StoreUnavailable):
        faulty.put_if_absent("/flights/slot", b"mine")

    assert seen == ["PUT"]
    assert s3_store.read("/flights/slot") == b"mine"


def test_witness_a_client_that_repeats_a_put_by_itself_makes_a_loser_of_the_winner(
    proxy: Proxy, s3_place: Bucket, seaweed: Seaweed
) -> None:
    import boto3
    from botocore.config import Config

    naive = boto3.session.Session().client(
        "s3",
        endpoint_url=proxy.endpoint,
        region_name=REGION,
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}, s3={"addressing_style": "path"}),
    )
    proxy.schedule = first_times("drop reply", 1, lambda request: request.claims_a_slot)

    with pytest.raises(ClientError, match="PreconditionFailed"):
        naive.put_object(Bucket=s3_place.name, Key=f"{s3_place.prefix}/slot", Body=b"mine", IfNoneMatch="*")


def headers_only(request: Any, **_: Any) -> None:
    """The server gets the head of a request, and never its body: its sender is dead."""
    url = urlsplit(request.url)
    lines = [f"{request.method} {url.path} HTTP/1.1", f"Host: {url.netloc}"]
    lines += [f"{name}: {_text(value)}" for name, value in request.headers.items() if name != "Host"]
    with socket.create_connection((str(url.hostname), url.port or 80)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):  # until the server has seen the end
            connection.recv(1000)
    raise ConnectionClosedError(endpoint_url=request.url)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_a_writer_that_dies_before_the_body_leaves_no_slot(s3_store: S3Store, s3_place: Bucket) -> None:
    client = connect(s3_place)
    client.meta.events.register("before-send.s3.PutObject", headers_only)

    with pytest.raises(StoreUnavailable):
        S3Store(s3_place, connect=lambda _: client).put_if_absent("/flights/slot", b"mine")

    assert s3_store.read("/flights/slot") is None
    s3_store.put_if_absent("/flights/slot", b"mine")


def test_witness_without_a_digest_it_leaves_an_empty_one(s3_store: S3Store, s3_place: Bucket) -> None:
    client = without_digest(s3_place)
    client.meta.events.register("before-send.s3.PutObject", headers_only)

    with pytest.raises(ConnectionClosedError):
        client.put_object(Bucket=s3_place.name, Key=f"{s3_place.prefix}/flights/slot", Body=b"mine", IfNoneMatch="*")

    until(lambda: s3_store.stat("/flights/slot"))  # the store learns of the lost connection after we do
    assert s3_store.read("/flights/slot") == b""


def test_two_hundred_lost_replies_leave_one_manifest_each(faulty: S3Store, s3_store: S3Store, proxy: Proxy) -> None:
    proxy.schedule = each_time("drop reply", lambda request: request.claims_a_slot and "/_log/" in request.path)

    keys = [replace(KEY, run=f"key-{number}") for number in range(100)]

    with ThreadPoolExecutor(4) as pool:
        published = list(pool.map(lambda key: write_and_publish(faulty, Try.of(1), seen=frozenset(), key=key), keys))

    assert proxy.met["drop reply"] == 200
    control = {entry.path.rpartition("/")[2] for entry in s3_store.list("/flights") if "/_log/" in entry.path}
    assert control == {"0001.claim", "0001.published"}
    assert [quick_log(s3_store, key).newest() for key in keys] == published


def test_five_hundred_faults_end_in_whole_outputs_or_in_words(faulty: S3Store, s3_store: S3Store, proxy: Proxy) -> None:
    """A try succeeds or says that the store was not there; whatever is published is whole, and the newest try's."""
    proxy.schedule = seeded(2013, 0.4, PASSING, most=500)
    refused = number = 0

    while proxy.met.total() < 500:
        number += 1
        assert number < 500
        key = replace(KEY, run=f"key-{number}")
        try:
            published = run_try(faulty, Try.of(1), key=key)
        except StoreUnavailable:
            refused += 1
            published = run_try(s3_store, Try.of(2), key=key)
        assert quick_log(s3_store, key).newest() == published
        assert content_of(s3_store, published)
        assert len(claims(s3_store, key)) <= 2

    assert set(proxy.met) == set(PASSING)
    assert refused < number / 2


def test_a_read_that_is_cut_is_read_again(faulty: S3Store, s3_store: S3Store, proxy: Proxy) -> None:
    data = secrets.token_bytes(200_000)
    s3_store.put_if_absent("/flights/big", data)
    proxy.schedule = first_times("cut body", 2)

    assert faulty.read("/flights/big") == data
    assert proxy.met["cut body"] == 2


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("verb", ["read", "stat", "list", "folders", "settle", "delete", "readable"])
def test_every_question_survives_what_passes(
    faulty: S3Store, s3_store: S3Store, proxy: Proxy, verb: str, fault: str
) -> None:
    s3_store.put_if_absent("/flights/a/x", b"12345")
    asked: dict[str, Callable[[Store], object]] = {
        "read": lambda store: store.read("/flights/a/x"),
        "stat": lambda store: store.stat("/flights/a/x"),
        "list": lambda store: store.list("/flights"),
        "folders": lambda store: store.folders("/flights"),
        "settle": lambda store: store.settle([("/flights/a/x", 5)]),
        "readable": lambda store: store.readable("/flights/a/x").read(),  # type: ignore[union-attr] # no path here
        "delete": lambda store: store.delete(["/flights/a/never-was"]),
    }
    wanted = asked[verb](s3_store)
    proxy.schedule = first_times(fault, 2)

    assert asked[verb](faulty) == wanted
    assert proxy.met[fault] > 0


# A store that does not keep its promise.


def test_a_server_that_ignores_if_none_match_is_refused(faulty: S3Store, proxy: Proxy) -> None:
    proxy.schedule = each_time("unconditional", lambda request: request.claims_a_slot)

    with pytest.raises(SetupError, match="does not keep put-if-absent") as told:
        require_tested(faulty, "flights", TODAY)

    assert "S3 with If-None-Match" in str(told.value)
    assert faulty.list("/flights/+selftest") == (), "nothing says that it has passed"


def test_a_server_is_tested_once_a_day(faulty: S3Store, proxy: Proxy) -> None:
    seen: Counter[str] = Counter()
    proxy.schedule = lambda request: seen.update([request.method])

    def asked(day: date) -> int:
        seen.clear()
        require_tested(faulty, "flights", day)
        return seen.total()

    first, again, tomorrow = asked(TODAY), asked(TODAY), asked(TODAY + timedelta(days=1))

    assert (first > 100, again, tomorrow > 100) == (True, 1, True)
    assert [one.path for one in faulty.list("/flights/+selftest")] == ["/flights/+selftest/passed-1-2013-01-02"]


def test_witness_on_such_a_server_two_tries_get_one_number(faulty: S3Store, proxy: Proxy) -> None:
    proxy.schedule = each_time("unconditional", lambda request: request.claims_a_slot)
    winners = []

    with ThreadPoolExecutor(4) as pool:
        for told in pool.map(partial(_take, faulty), range(4)):
            winners.append(told)

    assert winners.count(True) > 1


def _take(store: Store, number: int) -> bool:
    try:
        store.put_if_absent("/flights/slot", b"%d" % number)
    except SlotTaken:
        return False
    return True


def test_the_self_test_lives_with_conflicts_that_say_nothing(faulty: S3Store, proxy: Proxy) -> None:
    """S3 may answer racers with 409: neither won nor lost."""
    lots = random.Random(7)
    proxy.schedule = lambda request: "conflict" if request.claims_a_slot and lots.random() < 0.05 else None

    try:
        self_test(faulty, "flights")
    except StoreUnavailable as told:
        assert "another writer" in str(told)


# What is wrong is told in words.


def refused(store: Store, verb: Callable[[Store], object]) -> TeamsparkError:
    with pytest.raises(TeamsparkError) as told:
        verb(store)
    return told.value


VERBS: dict[str, Callable[[Store], object]] = {
    "put": lambda store: store.put_if_absent("/flights/x", b"x"),
    "read": lambda store: store.read("/flights/x"),
    "list": lambda store: store.list("/flights"),
    "folders": lambda store: store.folders("/flights"),
}


# A put is not asked: this server makes the bucket then.
@pytest.mark.parametrize("verb", ["read", "list", "folders"])
def test_a_missing_bucket_is_named(s3_place: Bucket, verb: str) -> None:
    told = refused(S3Store(replace(s3_place, name="flights-nowhere")), VERBS[verb])

    assert isinstance(told, SetupError)
    assert "no such bucket" in str(told)
    assert "s3://flights-nowhere" in str(told)


@pytest.mark.parametrize("verb", ["put", "list", "folders", "settle", "delete"])
def test_what_an_identity_may_not_do_is_told(
    s3_place: Bucket, s3_store: S3Store, seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    s3_store.put_if_absent("/flights/there", b"x")
    for name, value in seaweed.reader.environment().items():
        monkeypatch.setenv(name, value)
    reader = S3Store(s3_place)
    verbs = VERBS | {
        "settle": lambda store: store.settle([("/flights/there", 1)]),
        "delete": lambda store: store.delete(["/flights/there"]),
    }

    told = refused(reader, verbs[verb])

    assert isinstance(told, SetupError)
    assert "denies access" in str(told)
    assert reader.read("/flights/there") == b"x"
    assert s3_store.read("/flights/there") == b"x"


@pytest.mark.parametrize("verb", [*VERBS, "stat"])
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AWS_ACCESS_KEY_ID", "nobody", "does not know this access key"),
        ("AWS_SECRET_ACCESS_KEY", "guessed-secret", "does not belong to the access key"),
        ("AWS_SECRET_ACCESS_KEY", "", "no credentials"),
    ],
)
def test_wrong_keys_are_told_and_not_shown(
    s3_place: Bucket, monkeypatch: pytest.MonkeyPatch, verb: str, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    if not value:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    told = refused(S3Store(s3_place), (VERBS | {"stat": lambda store: store.stat("/flights/x")})[verb])

    assert isinstance(told, SetupError)
    assert words in str(told)
    assert not value or value not in str(told) or value == "nobody"


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("expired", StoreUnavailable, "credentials have expired"),
        ("skewed", SetupError, "clock"),
        ("elsewhere", SetupError, "another region"),
        ("slow down", StoreUnavailable, "fewer requests"),
        ("internal", StoreUnavailable, "did not answer as it should"),
        ("drop request", StoreUnavailable, "did not answer as it should"),
    ],
)
@pytest.mark.parametrize("verb", ["put", "read", "list"])
def test_what_the_server_says_decides_whether_a_retry_helps(
    faulty: S3Store, proxy: Proxy, verb: str, fault: str, kind: type[TeamsparkError], words: str
) -> None:
    proxy.schedule = each_time(fault)

    told = refused(faulty, VERBS[verb])

    assert type(told) is kind
    assert words in str(told)
    assert "flights/x" in str(told) or "/flights" in str(told)


@pytest.mark.parametrize("verb", ["put", "read", "list", "stat"])
def test_a_clock_that_is_wrong_is_told(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """The machine's clock is what botocore signs with."""
    late = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: late.replace(tzinfo=None))

    told = refused(s3_store, (VERBS | {"stat": lambda store: store.stat("/flights/x")})[verb])

    assert isinstance(told, SetupError)
    assert "clock" in str(told)
    assert "NTP" in str(told)


def test_uploads_that_were_never_completed_are_in_nobodys_sight(
    s3_store: S3Store, s3_place: Bucket, seaweed: Seaweed
) -> None:
    """A killed executor leaves parts behind: no reader lists them, and the folder they are to be in is not there."""
    client: Any = seaweed.client()
    whose = {"Bucket": s3_place.name, "Key": f"{s3_place.prefix}/flights/d/t/r/a0001-01234567/part-0"}
    upload = client.create_multipart_upload(**whose)["UploadId"]
    client.upload_part(**whose, UploadId=upload, PartNumber=1, Body=b"rows")

    assert s3_store.list("/") == ()
    assert s3_store.folders("/flights") == ()
    assert s3_store.read("/flights/d/t/r/a0001-01234567/part-0") is None


def test_a_server_that_is_not_there_is_named(s3_place: Bucket) -> None:
    told = refused(S3Store(replace(s3_place, endpoint="http://127.0.0.1:9"), pause=lambda _: None), VERBS["read"])

    assert isinstance(told, StoreUnavailable)
    assert "127.0.0.1:9" in str(told)


def test_patience_ends_at_the_deadline(faulty: S3Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.storage.s3objects.DEADLINE_S", 0.0)
    proxy.schedule = each_time("slow down")

    refused(faulty, VERBS["read"])

    assert proxy.met["slow down"] == 1


@pytest.mark.parametrize("code", ["Unheard", "", "TeapotError"])
def test_an_unknown_code_is_final_and_a_server_s_trouble_is_not(code: str) -> None:
    assert isinstance(refusal({"Code": code}, "here", status=500), StoreUnavailable)
    assert isinstance(refusal({"Code": code}, "here", status=400), SetupError if code else StoreUnavailable)


# Reading as a file.


def test_a_file_reads_as_its_bytes_do(s3_store: S3Store) -> None:
    data = random.Random(1).randbytes(3 * TAIL_BYTES + 17)
    s3_store.put_if_absent("/flights/data", data)
    file, plain, lots = s3_store.readable("/flights/data"), io.BytesIO(data), random.Random(2)

    for _ in range(60):
        place, size = lots.randrange(len(data) + 10), lots.choice([0, 1, 100, TAIL_BYTES, -1])
        assert file.seek(place) == plain.seek(place)
        assert file.read(size) == plain.read(size)
        assert file.tell() == plain.tell()
    assert file.seek(-3, io.SEEK_END) == plain.seek(-3, io.SEEK_END)
    assert file.seek(-1, io.SEEK_CUR) == plain.seek(-1, io.SEEK_CUR)
    assert file.readall() == plain.read()


def test_an_empty_object_is_an_empty_file(s3_store: S3Store) -> None:
    s3_store.put_if_absent("/flights/empty", b"")

    assert s3_store.readable("/flights/empty").read() == b""


def test_a_file_that_is_not_there_is_not_found(s3_store: S3Store) -> None:
    with pytest.raises(FileNotFoundError, match="s3://"):
        s3_store.readable("/flights/gone")


def test_a_footer_costs_one_request() -> None:
    data, asked = bytes(TAIL_BYTES * 4), []

    def fetch(what: str) -> tuple[bytes, int]:
        asked.append(what)
        return data[-TAIL_BYTES:], len(data)

    file = S3File(fetch)
    file.seek(-8, io.SEEK_END)
    file.read(8)
    file.seek(-5000, io.SEEK_END)
    file.read()

    assert asked == [f"bytes=-{TAIL_BYTES}"]


# Many, and odd names.


def _fill(store: Store, count: int) -> list[str]:
    paths = [f"/flights/many/part-{number:05d}" for number in range(count)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda path: store.put_if_absent(path, path.encode()), paths))
    return paths


@pytest.mark.parametrize("count", [101, 1000, pytest.param(10_000, marks=pytest.mark.long)])
def test_many_files_are_listed_settled_and_removed_exactly(s3_store: S3Store, count: int) -> None:
    paths = _fill(s3_store, count + 1)
    s3_store.put_if_absent("/flights/many/deep/x", b"x")

    listed = s3_store.list("/flights/many")
    s3_store.settle([(path, len(path)) for path in paths])
    s3_store.delete(paths)

    assert [entry.path for entry in listed] == sorted([*paths, "/flights/many/deep/x"])
    assert [entry.path for entry in s3_store.list("/flights/many")] == ["/flights/many/deep/x"]


def test_a_listing_is_walked_page_by_page(s3_store: S3Store, seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = _fill(s3_store, 25)
    pages = s3_store._objects.client.get_paginator("list_objects_v2")
    monkeypatch.setattr(
        s3_store._objects,
        "_pages",
        lambda below, delimiter: pages.paginate(
            Bucket=s3_store._bucket.name, Prefix=below, Delimiter=delimiter, PaginationConfig={"PageSize": 4}
        ),
    )

    assert [entry.path for entry in s3_store.list("/flights")] == paths
    assert s3_store.folders("/flights") == ("many",)


def test_modified_is_the_store_s_clock(s3_store: S3Store) -> None:
    s3_store.put_if_absent("/flights/x", b"x")

    entry = s3_store.stat("/flights/x")

    assert entry is not None
    assert abs(datetime.fromtimestamp(entry.modified, UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    assert s3_store.list("/flights")[0].modified == pytest.approx(entry.modified, abs=1)


def test_only_a_bucket_loads_boto3() -> None:
    code = (
        "import sys, framework.world, framework.storage.publish, framework.cli; "
        "print(*sorted(n for n in sys.modules if n.partition('.')[0] in ('boto3', 'botocore')))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
