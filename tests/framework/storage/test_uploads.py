"""Uploads that nobody completed, and how a bucket is set up, asked of a real server."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framework.cli.collecting import Line, Sweep, Unreadable, collect
from framework.cli.diagnosis import Diagnosis, probe_bucket
from framework.errors import SetupError
from framework.identity import TaskKey
from framework.storage.base import Store
from framework.storage.keys import Keys
from framework.storage.lifecycle import wanted_rules
from framework.storage.memory import MemoryStore
from framework.storage.retention import unfinished
from framework.storage.s3 import S3Store
from framework.storage.s3client import Bucket, connect
from framework.storage.sweep import store_now, uploads_of
from framework.tenancy.load import load_teams
from framework.world import World
from tests.servers.seaweed import Seaweed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TASK = TaskKey("flights", "flights.daily", "ingest")
OURS = "flights/flights.daily/ingest/20130101T000000Z/a0001-0b5a4c3e/default"
OTHERS = ("flights/flights.daily/ingest2/x/a0001-0b5a4c3e/default/part-0", "flights2/flights.daily/ingest/x/part-0")
DAY_S = 24 * 60 * 60


@pytest.fixture
def client(s3_place: Bucket) -> "S3Client":
    return connect(s3_place)


def begin(client: "S3Client", place: Bucket, path: str) -> str:
    """What a committer leaves that died before it completed a file."""
    key = f"{place.prefix}/{path}"
    begun = client.create_multipart_upload(Bucket=place.name, Key=key)["UploadId"]
    client.upload_part(Bucket=place.name, Key=key, UploadId=begun, PartNumber=1, Body=b"12345")
    return begun


def left(client: "S3Client", place: Bucket) -> set[str]:
    found = client.list_multipart_uploads(Bucket=place.name, Prefix=f"{place.prefix}/").get("Uploads", [])
    return {one["Key"].removeprefix(f"{place.prefix}/") for one in found}


def world(store: Store, workspace: Path) -> World:
    (workspace / "k8s/teams").mkdir(parents=True)
    (workspace / "k8s/teams/flights.yaml").write_text(
        "team: flights\nowners: [a@example.org]\nstore: {kind: s3, bucket: flights-data}\n"
    )
    return World(load_teams(workspace), lambda _: store)


def test_gc_lets_go_of_what_nobody_completed(
    s3_store: S3Store, s3_place: Bucket, client: "S3Client", tmp_path: Path
) -> None:
    for path in (f"{OURS}/part-0", f"{OURS}/part-1", *OTHERS):
        begin(client, s3_place, path)
    there, task = world(s3_store, tmp_path), [str(TASK)]

    young = list(collect(there, task, Sweep(DAY_S, "gc")))
    dry = list(collect(there, task, Sweep(0.0)))
    assert [one.outcome for one in (*young, *dry) if isinstance(one, Line)] == ["later", "due"]
    assert left(client, s3_place) == {f"{OURS}/part-0", f"{OURS}/part-1", *OTHERS}

    (done,) = collect(there, task, Sweep(0.0, "gc"))
    assert isinstance(done, Line)
    assert (str(done.key), done.step.action, done.outcome, done.to_json()["files"]) == (str(TASK), "abort", "done", 2)
    assert left(client, s3_place) == set(OTHERS)
    assert list(collect(there, task, Sweep(0.0, "gc"))) == []


def test_what_was_completed_meanwhile_stays(s3_store: S3Store, s3_place: Bucket, client: "S3Client") -> None:
    number = begin(client, s3_place, f"{OURS}/part-0")
    (step,) = unfinished(uploads_of(s3_store, TASK), 0.0)
    assert abs(step.due - store_now(s3_store, TASK)) < 60
    key = f"{s3_place.prefix}/{OURS}/part-0"
    parts = client.list_parts(Bucket=s3_place.name, Key=key, UploadId=number)["Parts"]
    client.complete_multipart_upload(
        Bucket=s3_place.name,
        Key=key,
        UploadId=number,
        MultipartUpload={"Parts": [{"PartNumber": one["PartNumber"], "ETag": one["ETag"]} for one in parts]},
    )

    s3_store.abort(step.uploads)

    assert s3_store.read(f"/{OURS}/part-0") == b"12345"
    assert uploads_of(MemoryStore(), TASK) == ()


def strange(place: Bucket) -> S3Store:
    """A store that is opened by somebody whom the server does not know."""
    keys = Keys("nobody", "a" * 40)
    return S3Store(place, connect=lambda bucket: connect(bucket, keys), pause=lambda _: None)


def test_who_may_not_see_uploads_is_told_so_and_gc_goes_on(
    s3_place: Bucket, client: "S3Client", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(client, s3_place, f"{OURS}/part-0")
    store = S3Store(s3_place)
    monkeypatch.setattr(store, "uploads", strange(s3_place).uploads)

    with pytest.raises(SetupError, match="does not know this access key"):
        uploads_of(store, TASK)
    first, second = collect(world(store, tmp_path), [str(TASK), f"{TASK}2"], Sweep(0.0, "gc"))
    assert isinstance(first, Unreadable)
    assert (str(second.key), second.to_json()["error"]) == (f"{TASK}2", "SetupError")
    assert left(client, s3_place) == {f"{OURS}/part-0"}


@pytest.fixture
def own(seaweed: Seaweed, s3_place: Bucket) -> Bucket:
    """A bucket of its own, whose rules nobody else meets."""
    return replace(s3_place, name=seaweed.bucket(), prefix="lake")


def asked(place: Bucket) -> Diagnosis:
    return probe_bucket("flights", "lake/flights/", S3Store(place).facts)


def test_doctor_tells_what_a_buckets_rules_do(own: Bucket, client: "S3Client") -> None:
    fresh = asked(own)
    assert (fresh.verdict, "teamspark store rules flights" in fresh.told) == ("note", True)

    rules = wanted_rules("flights", "lake/flights/")
    client.put_bucket_versioning(Bucket=own.name, VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_lifecycle_configuration(Bucket=own.name, LifecycleConfiguration=rules)  # type: ignore[arg-type] # as it is printed
    assert asked(own).verdict == "ok", asked(own)
    assert "versions are kept for a while" in asked(own).told

    harmful = {"ID": "month", "Status": "Enabled", "Filter": {"Prefix": "lake/"}, "Expiration": {"Days": 30}}
    both = {"Rules": [*rules["Rules"], harmful]}
    client.put_bucket_lifecycle_configuration(Bucket=own.name, LifecycleConfiguration=both)  # type: ignore[arg-type] # as above
    found = asked(own)
    assert (found.verdict, "'month' removes objects" in found.told) == ("broken", True)


def test_doctor_notes_what_it_may_not_ask(own: Bucket) -> None:
    found = probe_bucket("flights", "lake/flights/", strange(own).facts)

    assert (found.verdict, "are not known" in found.told) == ("note", True)
