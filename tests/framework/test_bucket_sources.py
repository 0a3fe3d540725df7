"""Sources in a bucket, on a real S3 server: listed, permitted, fresh by its clock, and noticed when they change."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framework.datafile import readable
from framework.errors import ConfigError, InputChanged, NotYet, PolicyError, SetupError, TeamsparkError
from framework.identity import RunKey
from framework.job import Run
from framework.sources import Listing, freeze, source_buckets
from framework.sources.shelves import fits
from framework.tenancy.load import load_teams
from tests.servers.seaweed import REGION, Seaweed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
RUN = Run(
    RunKey("tester", "tester.daily", "t", f"{TODAY:%Y%m%d}T000000Z"),
    logical_date=TODAY,
    interval=(TODAY, TODAY + timedelta(days=1)),
)


class Landing:
    """A prefix of the session's bucket that no other test has, and a workspace that may read below it."""

    def __init__(self, workspace: Path, server: Seaweed, bucket: str) -> None:
        self.workspace, self.endpoint, self.bucket = workspace, server.endpoint, bucket
        self.client: S3Client = server.client()
        self.prefix = f"landing-{secrets.token_hex(4)}"
        (workspace / "k8s/teams").mkdir(parents=True)
        (workspace / "jobs/tester").mkdir(parents=True)
        self.allow(f"s3://{bucket}/{self.prefix}/*")

    def allow(self, *reads: str) -> None:
        lines = [
            "team: tester",
            "owners: [a@example.org]",
            "store: {kind: directory, root: data}",
            f"reads: {[*reads]}",
        ]
        (self.workspace / "k8s/teams/tester.yaml").write_text("\n".join(lines))

    def declare(self, uri: str, **more: str) -> None:
        facts = {"format": "csv", "uri": uri, "endpoint": self.endpoint, "region": REGION, **more}
        told = ", ".join(f"{name}: '{value}'" for name, value in facts.items())
        (self.workspace / "jobs/tester/sources.yaml").write_text(f"raw: {{{told}}}")

    def at(self, name: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}/{name}"

    def put(self, name: str, text: str = "x\n") -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}", Body=text.encode())

    def frozen(self) -> Listing:
        found = freeze("raw", load_teams(self.workspace), RUN)
        assert isinstance(found, Listing)
        return found

    def names(self) -> list[str]:
        start = len(self.at(""))
        return [file.place[start:] for file in self.frozen().files]


@pytest.fixture
def landing(tmp_path: Path, seaweed: Seaweed, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Landing:
    for name, value in seaweed.admin.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("jobs.__path__", [str(tmp_path / "jobs")])
    return Landing(tmp_path, seaweed, s3_bucket)


def test_a_days_objects_are_listed_with_size_time_and_version(landing: Landing) -> None:
    landing.declare(landing.at("{run.date:%Y%m%d}-*.csv"))
    for name in (f"{TODAY:%Y%m%d}-b.csv", f"{TODAY:%Y%m%d}-a.csv", "20130101-a.csv", f"{TODAY:%Y%m%d}-c.json"):
        landing.put(name)

    listing = landing.frozen()

    assert [file.uri for file in listing.files] == [
        f"s3a://{landing.bucket}/{landing.prefix}/{TODAY:%Y%m%d}-{one}.csv" for one in "ab"
    ]
    for file in listing.files:
        head = landing.client.head_object(Bucket=landing.bucket, Key=file.place.removeprefix(f"s3://{landing.bucket}/"))
        assert (file.bytes, file.version) == (2, head["ETag"].strip('"'))
        assert file.modified_ns == head["LastModified"].timestamp() * 1e9
    listing.require_unchanged()
    (first, _) = listing.data()
    assert readable(first).read() == b"x\n"  # type: ignore[union-attr] # an object is no path


@pytest.mark.parametrize("uri", ["day/", "day", "day/*", "day/?.csv", "day/[ab].csv"])
def test_a_folder_is_what_is_directly_in_it_without_markers(landing: Landing, uri: str) -> None:
    for name in ("a.csv", "b.csv", "_SUCCESS", ".half.csv", "deeper/c.csv", ""):
        landing.put(f"day/{name}")
    landing.put("days.csv")
    landing.declare(landing.at(uri))

    assert landing.names() == ["day/a.csv", "day/b.csv"]


def test_one_object_is_found_by_its_name_alone(landing: Landing) -> None:
    for name in ("a.csv", "a.csv.bak", "a.csv/b"):
        landing.put(name)
    landing.declare(landing.at("a.csv"))

    assert landing.names() == ["a.csv"]


def test_more_objects_than_a_page_holds_are_all_found(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    from framework.storage.s3objects import Objects

    def small_pages(self: Objects, prefix: str, delimiter: str) -> object:
        pages = self.client.get_paginator("list_objects_v2")
        return iter(
            pages.paginate(Bucket=landing.bucket, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": 4})
        )

    monkeypatch.setattr(Objects, "_pages", small_pages)
    for number in range(25):
        landing.put(f"{number:03d}.csv")
    landing.declare(landing.at("*.csv"))

    assert len(landing.frozen().files) == 25


def test_nothing_landed_is_not_yet(landing: Landing) -> None:
    landing.declare(landing.at("none.csv"))

    with pytest.raises(NotYet, match="no file yet"):
        landing.frozen()


def test_age_is_told_by_the_servers_clock(landing: Landing) -> None:
    landing.put("a.csv")
    landing.declare(landing.at("a.csv"), fresh="P2D")
    assert landing.names() == ["a.csv"]

    ahead = RUN.__class__(RUN.key, logical_date=TODAY, interval=(TODAY, TODAY + timedelta(days=9)))
    with pytest.raises(NotYet, match="stale"):
        freeze("raw", load_teams(landing.workspace), ahead)


def replaced(landing: Landing) -> None:
    landing.put("a.csv", "y\n")  # as many bytes, perhaps in the same second: only its ETag tells


def grown(landing: Landing) -> None:
    landing.put("a.csv", "xx\n")


def removed(landing: Landing) -> None:
    landing.client.delete_object(Bucket=landing.bucket, Key=f"{landing.prefix}/a.csv")


@pytest.mark.parametrize("change", [replaced, grown, removed])
def test_an_object_that_changes_under_the_run_is_noticed(landing: Landing, change: Callable[[Landing], None]) -> None:
    landing.put("a.csv")
    landing.declare(landing.at("*.csv"))
    listing = landing.frozen()

    change(landing)

    with pytest.raises(InputChanged, match=r"a\.csv"):
        listing.require_unchanged()


def test_without_its_version_a_quick_replacement_would_pass(landing: Landing) -> None:
    """The witness: size and time, to the second, are the same."""
    landing.put("a.csv")
    landing.declare(landing.at("*.csv"))
    listing = landing.frozen()
    (file,) = listing.files

    replaced(landing)

    now = listing.shelf.again(file)
    assert now is not None
    assert replace(now, version=None, modified_ns=0) == replace(file, version=None, modified_ns=0)
    assert now.modified_ns - file.modified_ns <= 2e9
    assert now.version != file.version


def test_the_same_bytes_put_again_are_no_change(landing: Landing) -> None:
    landing.put("a.csv")
    landing.declare(landing.at("*.csv"))
    listing = landing.frozen()

    landing.put("a.csv")

    listing.require_unchanged()


@pytest.mark.parametrize("uri", ["secret/a.csv", "secret/*.csv", "secret/", "secret"])
def test_places_outside_reads_are_refused_before_anything_is_asked(landing: Landing, uri: str) -> None:
    landing.declare(f"s3://{landing.bucket}/{uri}", endpoint="http://127.0.0.1:9")

    with pytest.raises(PolicyError, match="may not read this place"):
        landing.frozen()


def test_a_bucket_of_a_longer_name_is_another(landing: Landing) -> None:
    landing.allow(f"s3://{landing.bucket[:-1]}/*", "s3://other/*")
    landing.declare(landing.at("a.csv"))

    with pytest.raises(PolicyError):
        landing.frozen()


@pytest.mark.parametrize("name", ["../secret/a.csv", "./a.csv", "a//b.csv", "day/../../secret/a.csv", "..", "a*/b.csv"])
def test_names_that_hadoop_would_read_elsewhere_are_refused(landing: Landing, name: str) -> None:
    landing.declare(landing.at(name))

    with pytest.raises(ConfigError, match="not a place in a bucket"):
        landing.frozen()


def test_hadoop_would_read_them_elsewhere(landing: Landing) -> None:
    """The witness: by its name the place is covered, by its parts it is not, and such an object can be."""
    key = f"{landing.prefix}/../secret/a.csv"

    assert load_teams(landing.workspace).may_read("tester", f"s3://{landing.bucket}/{key}")
    parts = Path(f"/{key}").parts
    assert parts[-3:] == ("..", "secret", "a.csv")


def test_a_marker_is_taken_where_the_pattern_spells_it(landing: Landing) -> None:
    landing.put("day/.a.csv")
    landing.put("day/b.csv")
    landing.declare(landing.at("day/.*"))

    assert landing.names() == ["day/.a.csv"]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_objects_named_like_folders_above_are_never_taken(name: str) -> None:
    """The tests' server refuses such keys; another may hold them."""
    assert not fits(name, ".*")
    assert not fits(name, "*")


def refused(landing: Landing) -> TeamsparkError:
    with pytest.raises(TeamsparkError) as stop:
        landing.frozen()
    return stop.value


def test_a_missing_bucket_and_wrong_keys_are_told_apart_and_hold_no_secret(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.allow("s3://no-such-bucket-here/*", f"s3://{landing.bucket}/*")
    landing.declare("s3://no-such-bucket-here/a.csv")
    missing = refused(landing)
    landing.declare(landing.at("*.csv"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2hunter2")
    wrong = refused(landing)

    assert (type(missing), missing.what) == (SetupError, "no such bucket")
    assert type(wrong) is SetupError
    assert "hunter2" not in str(wrong)


def test_a_bucket_is_where_the_teams_own_is_unless_it_says_otherwise(landing: Landing) -> None:
    store = f"{{kind: s3, bucket: own-bucket, endpoint: '{landing.endpoint}', region: {REGION}}}"
    path = landing.workspace / "k8s/teams/tester.yaml"
    path.write_text(path.read_text().replace("{kind: directory, root: data}", store))
    (landing.workspace / "jobs/tester/sources.yaml").write_text(
        "near: {format: csv, uri: 's3://drop/a.csv'}\n"
        "far: {format: csv, uri: 's3://drop/a.csv', endpoint: 'https://s3.example.org'}\n"
        "local: {format: csv, uri: landing/a.csv}\n"
    )
    teams = load_teams(landing.workspace)

    def told(*names: str) -> list[tuple[str, str | None, str | None]]:
        return [(a.bucket, a.endpoint, a.region) for a in source_buckets(names, teams, "tester")]

    assert told("near", "local", "near") == [("drop", landing.endpoint, REGION)]
    assert told("far") == [("drop", "https://s3.example.org", None)]


def test_a_relative_place_begins_at_the_landing_of_the_team_file(landing: Landing) -> None:
    """The same declaration as on a laptop, where it begins at the workspace."""
    landing.put("drop/a.csv")
    (landing.workspace / "jobs/tester/sources.yaml").write_text("raw: {format: csv, uri: 'drop/*.csv'}")
    (landing.workspace / "drop").mkdir()
    (landing.workspace / "drop/b.csv").write_text("x\n")
    landing.allow("drop/*")
    on_laptop = landing.frozen()
    store = f"{{kind: s3, bucket: {landing.bucket}, endpoint: '{landing.endpoint}', region: {REGION}}}"
    team = f"team: tester\nowners: [a@example.org]\nstore: {store}\nreads: ['{landing.at('*')}']\n"
    (landing.workspace / "k8s/teams/tester.yaml").write_text(f"{team}landing: {landing.at('')[:-1]}\n")

    assert [Path(file.place).name for file in on_laptop.files] == ["b.csv"]
    assert landing.names() == ["drop/a.csv"]
    (access,) = source_buckets(["raw"], load_teams(landing.workspace), "tester")
    assert (access.bucket, access.endpoint) == (landing.bucket, landing.endpoint)
