from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from framework.errors import PathError
from framework.identity import RunKey, TaskKey
from framework.storage.paths import (
    LOCAL_DAG,
    RunRecord,
    check_run,
    dated_run,
    decode,
    encode,
    explain_path,
    made_at,
    run_path,
    run_segment,
    segment_of_date,
    task_path,
)
from framework.storage.posix import DirectoryStore
from framework.storage.s3 import S3Store
from tests.servers.seaweed import Seaweed

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
RECORD = RunRecord("manual__1", run_after=datetime(2026, 11, 22, 10, 11, 12, tzinfo=UTC))

# The machine may be busy: what counts here is the answer, not how soon.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

HOSTILE = [
    "..", ".", "...", "../x", "a/../b", "/etc/passwd", "a/b", "a\\b", "..\\..", "..;/", "..%2f", "%2e%2e", "%2e", "%252e",
    "a\n", "\n", "a\r\nb", "a\0b", "\0", "\x7f", " ", " a", "a ", "a.", "a:b", "a=b", "a?b#c", "*", "a[b]{c}", "!2e", "!",
    "tеam", "ｆｌｉｇｈｔｓ", "İ", "ß", "é", "e\u0301", "\u202egpj", "Ops", "ops", "OPS", "NUL", "con", "~", "$HOME", "`id`",
    "_log", "_local", "_table", "map-0", "a0001-00000000", "20261122T000000Z", "key-x", "at-x", "-rf", "'", '"', "😀",
]  # fmt: skip

ids = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=60))
zones = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
    lambda d: timezone(timedelta(minutes=d // timedelta(minutes=1)))
)
moments = st.datetimes(timezones=zones)
near = st.sampled_from(
    [MIDNIGHT, MIDNIGHT + timedelta(microseconds=1), MIDNIGHT.astimezone(timezone(timedelta(hours=5)))]
)
dates = st.one_of(near, moments)
records = st.builds(RunRecord, ids, dates, st.one_of(st.none(), dates), st.one_of(st.none(), ids))


def fits(text: str) -> bool:
    try:
        encode(text)
    except PathError:
        return False
    return True


def identity(record: RunRecord) -> tuple[object, ...]:
    """What makes a run that run, in the server's words."""
    if record.partition_key is not None:
        return ("key", record.partition_key)
    if record.logical_date is not None:
        return ("date", record.logical_date.astimezone(UTC))
    return ("at", record.run_after.astimezone(UTC), record.run_id)


@unhurried
@given(ids)
def test_decode_undoes_encode(text: str) -> None:
    if fits(text):
        assert decode(encode(text)) == text


@unhurried
@given(ids.filter(fits))
def test_an_encoded_id_is_one_harmless_segment(text: str) -> None:
    encoded = encode(text)

    assert set(encoded) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-!")
    assert encoded not in {"", ".", ".."}
    assert unquote(encoded) == encoded
    assert encoded.casefold() == encoded


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("flights.daily", "flights.daily"),
        ("Ops", "!4fps"),
        (".", "!2e"),
        ("..", "!2e!2e"),
        ("...", "..."),
        ("a/b", "a!2fb"),
        ("a\n", "a!0a"),
        ("\0", "!00"),
        ("%2e", "!252e"),
        ("!2e", "!212e"),
        ("е", "!d0!b5"),
        ("a=b", "a!3db"),
    ],
)
def test_encoding_by_example(text: str, encoded: str) -> None:
    assert encode(text) == encoded
    assert decode(encoded) == text


def test_all_hostile_ids_differ_also_where_case_is_ignored() -> None:
    assert len({encode(text).casefold() for text in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize(
    "segment", ["", "!", "!2", "!2E", "!zz", "A", "a/b", "!61", "!ff", ".", "..", "!2e.", "a\n", "é"]
)
def test_what_encode_never_makes_is_not_decoded(segment: str) -> None:
    with pytest.raises(PathError):
        decode(segment)


@pytest.mark.parametrize("text", ["", "\ud800", "a" * 201, "é" * 34, "x" * 300, "😀" * 250])
def test_an_id_that_cannot_be_a_segment_is_refused(text: str) -> None:
    with pytest.raises(PathError):
        encode(text)


def test_the_limit_is_two_hundred_encoded_bytes() -> None:
    assert len(encode("a" * 200)) == 200
    assert len(encode("/" * 66 + "aa")) == 200
    with pytest.raises(PathError, match="at most 200"):
        encode("/" * 67)
    with pytest.raises(PathError, match="at most 200"):
        run_segment(replace(RECORD, partition_key="k" * 197))
    assert len(run_segment(replace(RECORD, partition_key="k" * 196))) == 200


def test_the_whole_path_has_a_limit_too() -> None:
    key = RunKey("flights", "d" * 200, "t" * 200, "key-" + "k" * 185)

    assert len(run_path(key)) == 600
    with pytest.raises(PathError, match="at most 600"):
        run_path(replace(key, map_index=0))


@settings(unhurried, max_examples=400)
@given(records, records)
@example(replace(RECORD, logical_date=MIDNIGHT), replace(RECORD, partition_key="20261122T000000Z"))
@example(replace(RECORD, run_id="a"), replace(RECORD, run_id="b"))
def test_two_runs_share_a_segment_only_if_they_are_one(a: RunRecord, b: RunRecord) -> None:
    try:
        same = run_segment(a) == run_segment(b)
    except PathError:
        return

    assert same == (identity(a) == identity(b))


@unhurried
@given(records)
def test_a_segment_tells_its_kind_and_date(record: RunRecord) -> None:
    try:
        segment = run_segment(record)
    except PathError:
        return
    kind, *facts = identity(record)

    assert check_run(segment) == segment
    assert dated_run(segment) == (facts[0] if kind == "date" else None)
    assert made_at(segment) == (facts[0] if kind == "at" else None)


def segment_of(record: RunRecord) -> str:
    try:
        return run_segment(record)
    except PathError:
        return "key-x"


keys = st.builds(
    RunKey,
    st.sampled_from(["flights", "insights", "fly"]),
    ids,
    ids,
    records.map(segment_of),
    st.one_of(st.none(), st.integers(0, 3)),
)


@settings(unhurried, max_examples=300)
@given(keys, keys)
@example(RunKey("flights", "a", "b/c", "key-x"), RunKey("flights", "a/b", "c", "key-x"))
@example(RunKey("flights", "a", "Ops", "key-x"), RunKey("flights", "a", "ops", "key-x"))
def test_two_run_keys_share_a_path_only_if_they_are_equal(a: RunKey, b: RunKey) -> None:
    try:
        paths = run_path(a), run_path(b)
    except PathError:
        return

    assert (paths[0].casefold() == paths[1].casefold()) == (a == b)


@unhurried
@given(keys)
def test_no_id_leaves_its_team(key: RunKey) -> None:
    try:
        path = run_path(key)
    except PathError:
        return

    assert path.startswith(f"/{key.team}/")
    assert path.count("/") == (4 if key.map_index is None else 5)
    assert not {"", ".", ".."} & set(path.split("/")[1:])
    assert path == "/" + "/".join(note.encoded for note in explain_path(key))


@pytest.mark.parametrize(
    ("record", "segment"),
    [
        (replace(RECORD, logical_date=MIDNIGHT), "20261122T000000Z"),
        (replace(RECORD, logical_date=MIDNIGHT + timedelta(microseconds=7)), "20261122T000000.000007Z"),
        (replace(RECORD, logical_date=datetime(1, 1, 1, tzinfo=UTC)), "00010101T000000Z"),
        (replace(RECORD, logical_date=datetime(9999, 12, 31, 23, tzinfo=UTC)), "99991231T230000Z"),
        (replace(RECORD, logical_date=MIDNIGHT, partition_key="eu/Berlin"), "key-eu!2f!42erlin"),
        (RECORD, "at-20261122T101112.000000Z-19b04f5690f14254"),
    ],
)
def test_runs_by_example(record: RunRecord, segment: str) -> None:
    assert run_segment(record) == segment


def test_two_manual_runs_in_one_second_have_two_places() -> None:
    later = replace(RECORD, run_after=RECORD.run_after + timedelta(microseconds=1))

    assert run_segment(RECORD) != run_segment(later)
    assert run_segment(RECORD) != run_segment(replace(RECORD, run_id="manual__2"))


@pytest.mark.parametrize(
    "moment",
    [
        MIDNIGHT.replace(tzinfo=None),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
    ],
)
def test_a_date_without_a_place_in_utc_is_refused(moment: datetime) -> None:
    with pytest.raises(PathError):
        segment_of_date(moment)


@pytest.mark.parametrize(
    "segment",
    [
        "", "..", "20261122", "20261122T000000", "20261122T000000.000000Z", "20261322T000000Z", "２０261122T000000Z", "key-", "key-A",
        "key-..", "at-20261122T000000Z-0000000000000000", "at-20261122T000000.000000Z-000000000000000G", "map-0", "_log",
        "20261122T000000Z\n", "at-20261322T000000.000000Z-0000000000000000", "00000101T000000Z", "key-" + "a" * 197,
    ],
)  # fmt: skip
def test_what_is_no_run_is_refused_wherever_it_comes_from(segment: str) -> None:
    with pytest.raises(PathError):
        run_path(RunKey("flights", "d", "t", segment))
    assert dated_run(segment) is None


@pytest.mark.parametrize("team", ["Flights", "fl", "a/b", "..", "flights\n", "shared", "default", "tеam", ""])
def test_what_is_no_team_is_refused(team: str) -> None:
    with pytest.raises(PathError):
        task_path(TaskKey(team, "d", "t"))


def test_a_map_index_counts_from_zero() -> None:
    assert run_path(RunKey("flights", "d", "t", "key-x", 0)).endswith("/key-x/map-0")
    with pytest.raises(PathError):
        run_path(RunKey("flights", "d", "t", "key-x", -1))


def test_no_dag_of_a_team_can_take_the_laptops_place() -> None:
    """A DAG id begins with its team's name and a dot, and no team's name begins with an underscore."""
    assert encode(LOCAL_DAG) == LOCAL_DAG
    assert task_path(TaskKey("flights", LOCAL_DAG, "delays")) == "/flights/_local/delays"
    with pytest.raises(PathError):
        task_path(TaskKey(LOCAL_DAG.partition(".")[0], "d", "t"))


def test_a_path_explains_itself() -> None:
    notes = explain_path(RunKey("flights", "flights.daily", "Load", "20261122T000000Z", 3))

    assert [(note.encoded, note.raw) for note in notes] == [
        ("flights", "flights"),
        ("flights.daily", "flights.daily"),
        ("!4coad", "Load"),
        ("20261122T000000Z", "2026-11-22T00:00:00+00:00"),
        ("map-3", "3"),
    ]
    assert "two hex digits" in notes[2].why
    assert explain_path(RunKey("flights", "d", "t", "key-a!2fb"))[3].raw == "a/b"
    assert "run id" in explain_path(RunKey("flights", "d", "t", run_segment(RECORD)))[3].why


@pytest.mark.parametrize("text", [*HOSTILE, "a" * 200, "é" * 33])
def test_every_hostile_id_survives_a_real_file_system_and_its_uri(tmp_path: Path, text: str) -> None:
    store = DirectoryStore(tmp_path)
    key = RunKey("flights", text, text, run_segment(replace(RECORD, logical_date=MIDNIGHT)))
    path = f"{run_path(key)}/_log/0001.claim"

    store.put_if_absent(path, text.encode())

    [entry] = store.list("/flights")
    assert entry.path == path
    assert decode(entry.path.split("/")[2]) == text
    uri = urlsplit(store.uri(path))
    assert (uri.scheme, uri.netloc, uri.query, uri.fragment) == ("file", "", "", "")
    assert Path(uri.path).read_bytes() == text.encode()
    assert Path(unquote(uri.path)).read_bytes() == text.encode(), "a client that un-escapes opens the same file"
    assert store.local(path).resolve().is_relative_to(tmp_path / "flights")


def test_every_hostile_id_is_a_key_of_a_bucket(s3_store: S3Store, seaweed: Seaweed) -> None:
    keys = [RunKey("flights", text, text, "key-x") for text in [*HOSTILE, "a" * 200, "é" * 33]]
    paths = sorted({f"{run_path(key)}/_log/0001.claim" for key in keys})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: s3_store.put_if_absent(path, path.encode()), paths))

    assert [entry.path for entry in s3_store.list("/flights")] == paths
    plain = seaweed.client()
    for path in paths:
        uri = urlsplit(s3_store.uri(path))
        found = plain.get_object(Bucket=uri.netloc, Key=uri.path[1:])["Body"].read()
        assert (uri.scheme, uri.query, uri.fragment, found) == ("s3a", "", "", path.encode())
        assert s3_store.read(path) == path.encode()


def test_witness_without_encoding_an_id_leaves_its_team(tmp_path: Path) -> None:
    """The same attack on joined raw ids lands in the neighbour's folder."""
    (tmp_path / "flights" / "d").mkdir(parents=True)
    (tmp_path / "insights").mkdir()
    attack = "../../insights/stolen"

    (tmp_path / "flights" / "d" / attack).write_bytes(b"x")

    assert (tmp_path / "insights" / "stolen").exists()
    assert encode(attack).count("/") == 0
