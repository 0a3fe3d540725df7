import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from framework.errors import InputCorrupt
from framework.identity import Epoch, RunKey
from framework.manifest import (
    VERSION,
    Claim,
    FileEntry,
    InputEntry,
    Manifest,
    OutputEntry,
    ReadEntry,
    Retired,
    SourceFile,
    Tombstone,
    counted,
    digest_of,
    manifest_bytes,
    parse_record,
    record_bytes,
)

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z", 3)
EPOCH = Epoch("0f" * 16, 2, 1)
TOKEN = "ab" * 16
CLAIM = Claim(token=TOKEN, key=KEY, epoch=EPOCH, clear_number=1, who="host pid 7")
FILE = FileEntry(path="default/part-0.parquet", bytes=12, rows=3)
OUTPUT = OutputEntry(
    name="default",
    schema_={"name": "Delay", "columns": []},
    rows=3,
    bytes=12,
    files=(FILE,),
    checks={"default.key": 0},
    dropped={"default.dep_delay.ge": 2},
)
MANIFEST = Manifest(
    key=KEY,
    attempt=1,
    token=TOKEN,
    epoch=EPOCH,
    clear_number=1,
    job="jobs.flights.delays:Delays",
    contract="c0ffee",
    code_digest="d1",
    parameters={"min_flights": 3, "größe": [1.5, None]},
    outputs=(OUTPUT,),
    inputs=(
        InputEntry(
            port="flights",
            kind="run",
            reads=(ReadEntry(path="/flights/d/t/key-x", attempt=2, digest="e", rows=1, bytes=2),),
        ),
        InputEntry(port="raw", kind="source", files=(SourceFile(uri="file:///x", bytes=1, modified=1.5),), digest="f"),
    ),
    map_count=4,
    producer={"teamspark": "0.1.0"},
)
RECORDS = [CLAIM, MANIFEST, Tombstone(token=TOKEN, who="gc"), Retired(token=TOKEN, who="gc")]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind)
def test_a_record_comes_back_as_it_went(record: Any) -> None:
    data = record_bytes(record)

    assert parse_record(data, where="a test") == record
    assert record_bytes(parse_record(data, where="a test")) == data
    assert json.loads(data)["version"] == VERSION


def test_bytes_are_canonical_and_the_digest_is_theirs() -> None:
    data = manifest_bytes(MANIFEST)
    shuffled = Manifest.model_validate(dict(reversed(MANIFEST.model_dump(mode="json").items())))

    assert manifest_bytes(shuffled) == data
    assert data.endswith(b"}\n")
    assert "größe".encode() in data
    assert digest_of(data) == digest_of(manifest_bytes(MANIFEST))
    assert digest_of(data) != digest_of(manifest_bytes(MANIFEST.model_copy(update={"attempt": 2})))


def test_a_manifest_says_how_long_each_output_is_kept_and_an_older_one_says_nothing() -> None:
    kept = OUTPUT.model_copy(update={"keep": "P30D"})
    data = manifest_bytes(MANIFEST.model_copy(update={"outputs": (kept,)}))
    older = json.loads(manifest_bytes(MANIFEST))
    del older["outputs"][0]["keep"]

    assert parse_record(data, where="a test").outputs == (kept,)  # type: ignore[union-attr]  # it is a manifest
    assert parse_record(json.dumps(older).encode(), where="a test") == MANIFEST


@pytest.mark.parametrize("keep", ["P0D", "30 days", "", 30])
def test_a_keep_that_is_no_duration_is_refused(keep: Any) -> None:
    forged = json.loads(manifest_bytes(MANIFEST))
    forged["outputs"][0]["keep"] = keep

    with pytest.raises(InputCorrupt, match="keep"):
        parse_record(json.dumps(forged).encode(), where="a test")


def test_an_output_is_found_by_name() -> None:
    assert MANIFEST.output() is OUTPUT
    with pytest.raises(KeyError):
        MANIFEST.output("rejects")


@pytest.mark.parametrize(
    "path",
    ["", "part", "/default/part", "default/../x", "default/./x", "default//x", "default/", "../insights/x", "a\\..\\b/..",
     "default/a\0b", "default/a\nb", ".."],
)  # fmt: skip
def test_a_path_that_leaves_its_attempt_is_refused(path: str) -> None:
    forged = json.loads(manifest_bytes(MANIFEST))
    forged["outputs"][0]["files"][0]["path"] = path

    with pytest.raises(ValidationError):
        FileEntry(path=path, bytes=1)
    with pytest.raises(InputCorrupt, match="files"):
        parse_record(json.dumps(forged).encode(), where="/insights/x")


def is_below_an_attempt(path: str) -> bool:
    """The grammar of a file's path, read segment by segment."""
    parts = path.split("/")
    plain = not any(ord(char) < 0x20 or char in "\x7f\\" for char in path)
    return plain and len(parts) > 1 and not any(part in {"", ".", ".."} for part in parts)


SEGMENTS = st.sampled_from([".", "..", "...", "", ".a", "..a", "a.", "\\", "a\n"]) | st.text(
    "./\\a\n\x7f\x85\u2028", max_size=4
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(SEGMENTS, max_size=5).map("/".join) | st.text(max_size=12))
def test_one_match_accepts_what_a_reading_by_segment_does(path: str) -> None:
    if is_below_an_attempt(path):
        assert FileEntry(path=path, bytes=1).path == path
    else:
        with pytest.raises(ValidationError):
            FileEntry(path=path, bytes=1)


def test_rows_are_counted_file_by_file() -> None:
    files = (FileEntry(path="default/a", bytes=1), FileEntry(path="default/b", bytes=2))

    assert counted(files, [3, 4]) == (
        FileEntry(path="default/a", bytes=1, rows=3),
        FileEntry(path="default/b", bytes=2, rows=4),
    )
    assert counted((), ()) == ()
    for rows in ([3], [3, 4, 5], [3, -1]):
        with pytest.raises(ValueError, match=r"shorter|longer|greater"):
            counted(files, rows)


@pytest.mark.parametrize("name", ["", "..", "a/b", "_log", "1a", "a" * 129, "naïve", "a\n"])
def test_a_name_that_is_no_outputs_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        OutputEntry(name=name, schema_={}, rows=0, bytes=0, files=())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version"),
        ({"kind": "message"}, "kind|tag"),
        ({"surprise": 1}, "surprise"),
        ({"attempt": 0}, "attempt"),
        ({"token": "../x"}, "token"),
        ({"token": TOKEN + "\n"}, "token"),
        ({"clear_number": -1}, "clear_number"),
        ({"key": {"team": "flights"}}, "key"),
    ],
)
def test_what_this_version_does_not_know_is_refused_with_its_place(change: dict[str, Any], words: str) -> None:
    data = json.dumps({**json.loads(manifest_bytes(MANIFEST)), **change}).encode()

    with pytest.raises(InputCorrupt, match=words) as told:
        parse_record(data, where="/flights/x/_log/0001.published")
    assert "/flights/x/_log/0001.published" in str(told.value)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_no_record(data: bytes) -> None:
    with pytest.raises(InputCorrupt):
        parse_record(data, where="a test")


@settings(deadline=None)
@given(st.integers(0, len(manifest_bytes(MANIFEST)) - 2))
def test_a_truncated_manifest_is_no_record(length: int) -> None:
    with pytest.raises(InputCorrupt):
        parse_record(manifest_bytes(MANIFEST)[:length], where="a test")


def test_records_are_frozen() -> None:
    with pytest.raises(ValidationError):
        MANIFEST.attempt = 2
