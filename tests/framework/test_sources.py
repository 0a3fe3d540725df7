"""Sources: declared, permitted, frozen, and noticed when they change."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from framework.errors import ConfigError, InputChanged, NotYet, PolicyError
from framework.identity import RunKey
from framework.job import Run
from framework.sources import Listing, SourceSpec, freeze, load_sources
from framework.tenancy.load import load_teams

DAY = datetime(2013, 1, 1, tzinfo=UTC)
RUN = Run(
    RunKey("tester", "tester.daily", "t", "20130101T000000Z"), logical_date=DAY, interval=(DAY, DAY.replace(day=2))
)
TEAM = "team: tester\nowners: [a@example.org]\nstore: {kind: directory, root: data}\nreads: ['landing/*']\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "k8s/teams/tester.yaml").write_text(TEAM)
    (tmp_path / "jobs/tester").mkdir(parents=True)
    (tmp_path / "landing").mkdir()
    monkeypatch.setattr("jobs.__path__", [str(tmp_path / "jobs")])
    return tmp_path


def declare(place: Path, line: str) -> None:
    (place / "jobs/tester/sources.yaml").write_text(line)


def frozen(place: Path, name: str = "raw") -> Listing:
    found = freeze(name, load_teams(place), RUN)
    assert isinstance(found, Listing)
    return found


def test_a_days_files_are_listed_with_size_and_time(place: Path) -> None:
    declare(place, "raw: {format: csv, uri: 'landing/{run.date:%Y%m%d}-*.csv'}")
    for name in ("20130101-b.csv", "20130101-a.csv", "20130102-a.csv"):
        (place / "landing" / name).write_text("x\n")

    listing = frozen(place)

    assert [file.place.rpartition("/")[2] for file in listing.files] == ["20130101-a.csv", "20130101-b.csv"]
    assert all(file.bytes == 2 for file in listing.files)


def test_nothing_landed_is_not_yet(place: Path) -> None:
    declare(place, "raw: {format: csv, uri: landing/none.csv}")

    with pytest.raises(NotYet, match="no file yet"):
        frozen(place)


def test_stale_files_are_not_yet(place: Path) -> None:
    declare(place, "raw: {format: csv, uri: landing/a.csv, fresh: PT6H}")
    file = place / "landing/a.csv"
    file.write_text("x")
    os.utime(file, (DAY.timestamp(), DAY.timestamp()))

    with pytest.raises(NotYet, match="stale"):
        frozen(place)


@pytest.mark.parametrize("change", ["grow", "touch", "remove"])
def test_a_file_that_changes_under_the_run_is_noticed(place: Path, change: str) -> None:
    declare(place, "raw: {format: csv, uri: landing/a.csv}")
    file = place / "landing/a.csv"
    file.write_text("x")
    listing = frozen(place)
    listing.require_unchanged()

    match change:
        case "grow":
            file.write_text("xy")
        case "touch":
            os.utime(file, (1, 1))
        case "remove":
            file.unlink()

    with pytest.raises(InputChanged, match=r"a\.csv"):
        listing.require_unchanged()


@pytest.mark.parametrize("uri", ["secret/a.csv", "landing/../secret/a.csv", "landing/link.csv"])
def test_places_outside_reads_are_refused_links_and_dots_too(place: Path, uri: str) -> None:
    (place / "secret").mkdir()
    (place / "secret/a.csv").write_text("x")
    (place / "landing/link.csv").symlink_to(place / "secret/a.csv")
    declare(place, f"raw: {{format: csv, uri: {uri}}}")

    with pytest.raises(PolicyError, match="may not read this place"):
        frozen(place)


def test_a_permitted_link_target_is_read(place: Path) -> None:
    """The witness: what is refused above is refused for its place, not for being a link."""
    (place / "landing/a.csv").write_text("x")
    (place / "landing/link.csv").symlink_to(place / "landing/a.csv")
    declare(place, "raw: {format: csv, uri: landing/link.csv}")

    assert [file.place.rpartition("/")[2] for file in frozen(place).files] == ["a.csv"]


def test_an_unknown_source_names_those_there_are(place: Path) -> None:
    declare(place, "raw: {format: csv, uri: landing/a.csv}")

    with pytest.raises(ConfigError, match="one of raw"):
        frozen(place, "rav")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("raw: {format: xml, uri: a}", "raw.format"),
        ("raw: {format: csv}", "raw.uri"),
        ("raw: {format: csv, uri: 'a/{run.conf}'}", "unknown placeholder {run.conf}"),
        ("raw: {format: csv, uri: 'gs://bucket/a'}", "s3://<bucket>/<key>"),
        ("raw: {format: csv, uri: 's3://{run.date}/a'}", "s3://<bucket>/<key>"),
        ("raw: {format: csv, uri: a, region: eu-west-1}", "are for an uri s3://"),
        ("raw: {format: csv, uri: 's3://bucket/a', endpoint: 'http://me:pw@host'}", "without user"),
        ("raw: {format: csv, uri: a, fresh: soon}", "raw.fresh"),
        ("raw: [", "not YAML"),
    ],
)
def test_mistakes_in_the_file_are_told(place: Path, line: str, told: str) -> None:
    declare(place, line)

    with pytest.raises(ConfigError) as stop:
        load_sources("tester")
    assert told in str(stop.value)


def test_placeholders_take_bound_values_only() -> None:
    spec = SourceSpec(format="csv", uri="a/{run.date:%Y/%m}/{run.start:%d}-{run.end:%d}")

    assert spec.place(RUN) == "a/2013/01/01-02"


def test_only_relative_places_begin_at_a_landing(tmp_path: Path) -> None:
    def landed(uri: str) -> str:
        return SourceSpec(format="csv", uri=uri).landed(str(tmp_path)).uri

    assert landed("drop/{run.date:%Y}.csv") == f"{tmp_path}/drop/{{run.date:%Y}}.csv"
    assert landed("/drop/a.csv") == "/drop/a.csv"
    assert landed("s3://drop/a.csv") == "s3://drop/a.csv"
    assert SourceSpec(format="csv", uri="drop/a.csv").landed(None).uri == "drop/a.csv"
