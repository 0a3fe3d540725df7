"""The courier: every destination of every output, only by the highest attempt, again without recomputing, no secret told."""

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from framework import Frame, Job, Run, Schema
from framework.config import DestinationEntry, JobConfig, RunResult
from framework.connections import Connection, Connections
from framework.destinations import kinds
from framework.destinations.base import Delivery, Destination, Outside, Verdict
from framework.destinations.files import folder_of, foremost
from framework.errors import DeliveryFailed, PolicyError, SetupError, TeamsparkError
from framework.job import contract_of
from framework.schema.spec import SchemaSpec
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog
from tests.framework.destinations.made import KEY, config, courier, publish, sums, teams
from tests.framework.destinations.victims import victims
from tests.servers.seaweed import REGION, Seaweed


class Row(Schema):
    name: str
    total: int | None


class Numbers(Job):
    def transform(self, run: Run) -> Frame[Row]:
        raise AssertionError


OUT = {"type": "path", "data": {"path": "out"}}


def keys_of(server: Seaweed, *, secret: str | None = None, **options: str) -> Connections:
    told = {"endpoint_url": server.endpoint, "region_name": REGION, **options}
    one = Connection(kind="aws", user=server.admin.access, password=secret or server.admin.secret, options=told)
    return Connections(connections={"partner": one})


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def test_the_seeds_form_is_delivered_with_the_connections_keys(
    tmp_path: Path, store: DirectoryStore, seaweed: Seaweed, s3_bucket: str
) -> None:
    """No key is in the environment, and no `writes` in the team file: the connection permits it."""
    seed = {"output": {"default": {"destinations": [
        {"type": "s3", "data": {"bucket": s3_bucket, "path": f"exports/{tmp_path.name}", "aws_conn_id": "partner"}}
    ]}}}  # fmt: skip
    (entry,) = JobConfig.parse(seed, where="job_config").output["default"].destinations
    post = courier(store, tmp_path, entry.model_dump(), connections=keys_of(seaweed))
    published = publish(store, sums("one"))

    (told,) = post.deliver(published)
    (again,) = post.deliver(published)

    assert told == f"default to s3://{s3_bucket}/exports/{tmp_path.name}: delivered"
    assert again.endswith(": already there")
    listed = seaweed.client().list_objects_v2(Bucket=s3_bucket, Prefix=f"exports/{tmp_path.name}/{KEY.run}/")
    names = [one["Key"].rpartition("/")[2] for one in listed["Contents"]]
    assert names == ["_teamspark.0001.json", "part-00000.parquet", "part-00001.parquet"]


def test_one_permitted_by_the_team_file_needs_no_connection(
    tmp_path: Path, store: DirectoryStore, s3_place: Any
) -> None:
    where = {"bucket": s3_place.name, "path": f"/{s3_place.prefix}/out/", "endpoint": s3_place.endpoint}
    entry = {"type": "s3", "data": {**where, "region": REGION}}
    allowed = [f"s3://{s3_place.name}/{s3_place.prefix}/*"]

    published = publish(store, sums("one"))
    (told,) = courier(store, tmp_path, entry, writes=allowed).deliver(published)

    assert told.endswith("/out: delivered")
    with pytest.raises(PolicyError, match="may not deliver to this place"):
        courier(store, tmp_path, entry).deliver(published)


@pytest.mark.parametrize("path", ["out", "out/deeper", "../elsewhere", "link"])
def test_a_directory_has_to_be_permitted_links_and_dots_too(tmp_path: Path, store: DirectoryStore, path: str) -> None:
    (tmp_path / "permitted").mkdir()
    (tmp_path / "link").symlink_to(tmp_path.parent)
    entry = {"type": "path", "data": {"path": path}}
    published = publish(store, sums("one"))

    with pytest.raises(PolicyError, match="may not deliver"):
        courier(store, tmp_path, entry, writes=["permitted/*"]).deliver(published)
    (told,) = courier(store, tmp_path, entry, writes=[str((tmp_path / path).resolve())]).deliver(published)
    assert told.endswith(": delivered")


def test_only_the_highest_published_attempt_is_delivered(tmp_path: Path, store: DirectoryStore) -> None:
    one, two = publish(store, sums("one")), publish(store, sums("two"), try_number=2)
    post = courier(store, tmp_path, OUT, writes=["out"])

    (told,) = post.deliver(one)

    assert told.endswith("not delivered, attempt 2 is newer")
    assert not (tmp_path / "out").exists()
    assert post.deliver(two)[0].endswith(": delivered")


def test_each_is_tried_and_all_that_failed_are_told_at_once(
    tmp_path: Path, store: DirectoryStore, seaweed: Seaweed, s3_bucket: str
) -> None:
    bad = {"type": "s3", "data": {"bucket": s3_bucket, "path": "x", "aws_conn_id": "nobody"}}
    denied = {"type": "path", "data": {"path": "elsewhere"}}
    post = courier(store, tmp_path, bad, denied, OUT, connections=keys_of(seaweed), writes=["out"])

    with pytest.raises(TeamsparkError) as stop:
        post.deliver(publish(store, sums("one")))

    told = str(stop.value)
    assert not stop.value.retryable
    assert "a connection was not handed over" in told
    assert "nobody" in told
    assert "may not deliver" in told
    assert foremost(DirectoryStore(tmp_path / "out"), folder_of(KEY)) is not None


def test_mistakes_are_told_before_anything_is_computed(
    tmp_path: Path, store: DirectoryStore, seaweed: Seaweed, s3_bucket: str
) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    wrong_keys = {"type": "s3", "data": {"bucket": s3_bucket, "path": "x", "aws_conn_id": "partner"}}
    denied = {"type": "path", "data": {"path": "elsewhere"}}
    post = courier(store, tmp_path, wrong_keys, denied, connections=keys_of(seaweed, secret=secret))

    with pytest.raises(TeamsparkError) as stop:
        post.rehearse(contract_of(Numbers))

    told = str(stop.value)
    assert "the store refuses the signature" in told or "denies access" in told
    assert "may not deliver" in told
    assert "connection 'partner'" in told
    assert secret not in told


def test_a_missing_bucket_is_told_with_the_destination(tmp_path: Path, store: DirectoryStore, seaweed: Seaweed) -> None:
    entry = {"type": "s3", "data": {"bucket": "no-such-bucket-here", "path": "x", "aws_conn_id": "partner"}}

    with pytest.raises(SetupError, match="no such bucket") as stop:
        courier(store, tmp_path, entry, connections=keys_of(seaweed)).rehearse(contract_of(Numbers))

    assert "s3://no-such-bucket-here/x" in str(stop.value)
    assert "team file" not in str(stop.value)


def test_what_time_may_mend_is_no_reason_not_to_compute(
    tmp_path: Path, store: DirectoryStore, seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.storage.s3objects.PAUSES_S", ())
    away = {
        "type": "s3",
        "data": {"bucket": "bucket", "path": "x", "aws_conn_id": "partner", "endpoint": "http://127.0.0.1:9"},
    }
    post = courier(store, tmp_path, away, connections=keys_of(seaweed))

    post.rehearse(contract_of(Numbers))

    with pytest.raises(TeamsparkError) as stop:
        post.deliver(publish(store, sums("one")))
    assert stop.value.retryable


# Own kinds.


class Odd:
    """A kind that somebody else wrote."""

    place = "odd://somewhere"
    took: list[str] = []  # noqa: RUF012 the test's own notebook

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails

    def mistakes(self, data: Mapping[str, Any]) -> Iterator[str]:
        if "topic" not in data:
            yield "topic: missing"

    def connections(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        return ("odd",)

    def open(self, data: Mapping[str, Any], outside: Outside) -> Destination:
        outside.connections.get("odd", kind="odd", where=self.place)
        return self

    def rehearse(self, schema: SchemaSpec) -> None:
        pass

    def deliver(self, delivery: Delivery) -> Verdict:
        if self.fails:
            raise self.fails
        self.took.append(f"{delivery.output} {delivery.rows}")
        return "delivered"


class Point:
    """An installed package's entry point."""

    def __init__(self, name: str, kind: Any) -> None:
        self.name, self._kind = name, kind

    def load(self) -> Any:
        return self._kind


def installed(monkeypatch: pytest.MonkeyPatch, **points: Any) -> None:
    def entry_points(*, group: str, name: str | None = None) -> list[Point]:
        assert group == "teamspark.destinations"
        return [Point(one, kind) for one, kind in points.items() if name in (None, one)]

    monkeypatch.setattr(kinds, "entry_points", entry_points)


SECRET = "hunter2-hunter2"
ODD = Connections(connections={"odd": Connection(kind="odd", password=SECRET, options={"token": "tok-tok-tok"})})


def test_an_installed_kind_takes_part(tmp_path: Path, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, odd=Odd())
    entry: dict[str, Any] = {"type": "odd", "data": {"topic": "a"}}
    entries = {"default": (DestinationEntry(**entry), DestinationEntry(type="odd"), DestinationEntry(type="old"))}

    (told,) = courier(store, tmp_path, entry, connections=ODD).deliver(publish(store, sums("one")))

    assert told == "default to odd://somewhere: delivered"
    assert Odd.took == ["default 6"]
    assert list(kinds.mistakes(entries)) == [
        "output.default.destinations.1.data.topic: missing",
        "output.default.destinations.2.type: no destination 'old' (did you mean 'odd'?); there are odd, path, postgres, s3",
    ]


def test_an_installed_kind_cannot_stand_in_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, s3=Odd())

    assert kinds.kind_of("s3") is kinds.OURS["s3"]


def test_what_foreign_code_raises_is_an_error_of_ours_without_secrets(
    tmp_path: Path, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, odd=Odd(RuntimeError(f"cannot open odd://me:{SECRET}@host, tok-tok-tok is old")))
    entry = {"type": "odd", "data": {"topic": "a"}}

    with pytest.raises(DeliveryFailed) as stop:
        courier(store, tmp_path, entry, connections=ODD).deliver(publish(store, sums("one")))

    assert stop.value.retryable
    assert "RuntimeError" in str(stop.value)
    assert SECRET not in str(stop.value)
    assert "tok-tok-tok" not in str(stop.value)


def test_unmasked_it_would_be_told() -> None:
    """The witness: nothing but the connections knows that this is a secret."""
    assert "tok-tok-tok" in str(DeliveryFailed("no", got="tok-tok-tok is old"))


# A run that is killed after publishing, and the next try.

RESUMING = """
import os, signal, sys
from pathlib import Path
from framework.config import ExportedConfig
from framework.job import contract_of
from framework.plan import PlanRequest
from framework.runner import RunOptions, execute
from framework.storage import posix
from framework.world import World
from tests.framework.destinations.test_deliver import Numbers

place = Path(sys.argv[1])
calls = 0
def counted(method):
    def call(self, *arguments):
        global calls
        if self.root.endswith("/out"):
            if calls == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1
        return method(self, *arguments)
    return call
for name in ("list", "put_file", "settle", "put_if_absent", "read"):
    setattr(posix.DirectoryStore, name, counted(getattr(posix.DirectoryStore, name)))
def computes(extra):
    raise AssertionError("this try computes")
def resume():
    config = ExportedConfig.parse_json((place / "config.json").read_bytes(), where="config")
    options = RunOptions(session=computes, who="test")
    result = execute(PlanRequest(config, contract_of(Numbers)), Numbers(), World.of(place), options)
    (place / "result.json").write_bytes(result.json_bytes())
for line in sys.stdin:
    kill_at = int(line)
    if not os.fork():
        resume()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def test_a_kill_anywhere_between_publish_and_the_marker_is_made_good_without_computing(
    tmp_path: Path, store: DirectoryStore
) -> None:
    """Every call that the delivery makes is killed once; the next try is the one that has to finish."""
    teams(tmp_path, writes=["out"])
    publish(store, sums("one", parts=3))
    (tmp_path / "config.json").write_bytes(config(tmp_path, OUT).json_bytes())
    out = DirectoryStore(tmp_path / "out")
    halves = 0

    with victims(RESUMING, tmp_path) as killed_at:
        for kill_at in range(20):
            code = killed_at(kill_at)
            marker = foremost(out, folder_of(KEY))
            if code == 0:
                break
            assert code == -signal.SIGKILL
            halves += marker is None and bool(out.list("/"))

    assert code == 0
    assert kill_at > 5
    assert halves >= 2
    result = RunResult.parse_json((tmp_path / "result.json").read_bytes(), where="result")
    assert result.verdict == "resumed"
    assert marker is not None
    assert {entry.path.rpartition("/")[2] for entry in out.list("/")} == {
        "_teamspark.0001.json", "part-00000.parquet", "part-00001.parquet", "part-00002.parquet"
    }  # fmt: skip
    assert len(RunLog(store, KEY).state().attempts) == 1
