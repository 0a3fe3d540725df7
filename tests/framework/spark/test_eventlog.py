"""A session's event log: how it is asked for, read back, bounded; and the canaries that a real one does not hold."""

import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from framework.spark import eventlog
from framework.spark.eventlog import application_of, bounded, event_settings, pack
from framework.spark.redaction import Redactor
from framework.spark.settings import SessionSettings, effective_settings
from tests.framework.spark.children import child

BEGIN = b'{"Event":"SparkListenerApplicationStart","App ID":"local-1"}\n'
OTHER = b'{"Event":"SparkListenerTaskEnd","n":1}\n'


def written(folder: Path, *lines: bytes, name: str = "local-1.zstd", cut: int = 0) -> Path:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        for line in lines:
            out.write(line)
            out.flush()
    data = sink.getvalue().to_pybytes()
    (folder / name).write_bytes(data[: len(data) - cut])
    return folder


def unpacked(data: bytes) -> bytes:
    found: bytes = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    return found


def test_a_log_is_packed_whole(tmp_path: Path) -> None:
    (tmp_path / ".local-1.zstd.crc").write_bytes(b"of Hadoop")
    found = pack(written(tmp_path, BEGIN, *[OTHER] * 5000, b'{"password":"x"}\n'), Redactor())

    assert found is not None
    assert (unpacked(found.data), found.cut) == (BEGIN + OTHER * 5000 + b'{"password":"***"}\n', False)
    assert application_of(found.data) == "local-1"


def test_without_an_application_there_is_nothing_to_keep(tmp_path: Path) -> None:
    assert pack(tmp_path, Redactor()) is None
    assert pack(written(tmp_path, OTHER), Redactor()) is None
    assert application_of(pa.compress(OTHER, "zstd", asbytes=True)) is None


def test_of_a_log_that_was_broken_off_what_came_before_is_kept(tmp_path: Path) -> None:
    lines = [b'{"Event":"SparkListenerTaskEnd","n":%d}\n' % n for n in range(2000)]
    found = pack(written(tmp_path, BEGIN, *lines, name="local-1.zstd.inprogress", cut=3), Redactor())

    assert found is not None
    assert found.cut
    text = unpacked(found.data)
    assert text == b"".join((BEGIN, *lines))[: len(text)]
    assert text.endswith(b"\n")
    assert text.count(b"\n") > 1800


def test_a_log_beyond_the_limit_is_cut(tmp_path: Path) -> None:
    lines = [b'{"n":"%s"}\n' % sha256(b"%d" % n).hexdigest().encode() for n in range(20_000)]
    folder = written(tmp_path, BEGIN, *lines)

    cut, whole = pack(folder, Redactor(), limit=20_000), pack(folder, Redactor())

    assert cut is not None
    assert whole is not None
    assert (cut.cut, whole.cut) == (True, False)
    assert 20_000 < len(cut.data) < 200_000 < len(whole.data)
    assert application_of(cut.data) == "local-1"


def test_a_line_beyond_any_event_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventlog, "_MAX_LINE", 10_000)

    found = pack(written(tmp_path, BEGIN, b"x" * 50_000 + b"\n", OTHER), Redactor())

    assert found is not None
    assert unpacked(found.data) == BEGIN + OTHER


def test_text_without_an_end_is_not_read_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventlog, "_MAX_TEXT", 100_000)

    found = pack(written(tmp_path, BEGIN, OTHER * 100_000), Redactor())

    assert found is not None
    assert found.cut
    assert len(unpacked(found.data)) <= 100_000


def test_a_log_that_grows_is_ended_once_and_a_small_one_never(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    for folder, size in ((small, 10), (large, 11)):
        folder.mkdir()
        (folder / "log").write_bytes(b"x" * size)
    ended, cuts = threading.Event(), list[str]()

    def cut(name: str) -> None:
        cuts.append(name)
        ended.set()

    with (
        bounded(small, lambda: cut("small"), limit=10, look_s=0.01),
        bounded(large, lambda: cut("large"), limit=10, look_s=0.01),
    ):
        assert ended.wait(60)

    assert cuts == ["large"]


def settings(**layers: Any) -> dict[str, tuple[str, str]]:
    submit = layers.pop("submit", {})
    found = effective_settings(SessionSettings("x", **layers), submit=submit)
    return {one.key: (one.value, one.set_by) for one in found}


def test_a_session_logs_into_its_folder_and_nobody_says_otherwise() -> None:
    folder = Path("/tmp/events")
    foreign = dict.fromkeys(event_settings(folder), "elsewhere")

    found = settings(event_log=folder, submit=foreign, team_conf=foreign, conf=foreign, platform=foreign)

    assert {key: found[key] for key in foreign} == {
        key: (value, "platform") for key, value in event_settings(folder).items()
    }
    assert found["spark.eventLog.enabled"] == ("true", "platform")


@pytest.mark.parametrize("layer", ["submit", "team_conf", "platform"])
def test_who_runs_the_place_switches_it_off(layer: str) -> None:
    off = {"spark.eventLog.enabled": "false"}

    assert settings(event_log=Path("/tmp/events"), **{layer: off})["spark.eventLog.enabled"][0] == "false"


def test_without_a_folder_nothing_is_said_of_logs() -> None:
    assert not [key for key in settings() if key.startswith(("spark.eventLog", "spark.redaction"))]


CANARIES = (
    "canary-by-name",
    "canary-api",
    "canary-in-url",
    "canary-header",
    "canary-env",
    "canary-conn",
    "canary-raised",
)
NAMED = {
    "spark.hadoop.some.password": "canary-by-name",
    "spark.hadoop.some.apikey": "canary-api",
    "spark.hadoop.some.url": "jdbc:postgresql://me:canary-in-url@localhost:1/db",
    "spark.hadoop.some.header": "Authorization: Bearer canary-header",
}
CODE = (
    f"NAMED = {NAMED!r}\n"
    """
from dataclasses import replace
import pyarrow as pa
from pyspark.sql import functions as F
from framework.connections import Connection, Connections
from framework.spark.eventlog import event_settings, pack
from framework.spark.redaction import Redactor, known_secrets

def work(spark):
    spark.sparkContext.setJobDescription("call " + os.environ["SERVICE_TOKEN"] + " as Authorization: Bearer canary-header")
    spark.range(10).where(F.concat(F.lit("canary-conn p/w"), F.col("id")) != F.lit("x")).count()
    spark.sparkContext.setJobDescription("jdbc:postgresql://me:canary-in-url@localhost/db?password=canary-by-name")
    try:
        spark.range(2).select(F.raise_error(F.concat(F.lit("refused: Authorization: Basic canary-raised"), F.col("id")))).collect()
    except Exception:
        pass

def text_of(place):
    file, = [path for path in place.iterdir() if not path.name.startswith(".")]
    return pa.input_stream(str(file), "zstd").read().decode()

connection = Connection(kind="postgres", password="canary-conn p/w")
redactor = Redactor(known_secrets(Connections(connections={"warehouse": connection}), os.environ))
places = {name: folder / name for name in ("redacted", "bare")}
for place in places.values():
    place.mkdir()
bare = {**event_settings(places["bare"]), "spark.eventLog.enabled": "true", "spark.redaction.regex": "(?!)"}
asked = {
    "redacted": replace(settings, team_conf=NAMED, event_log=places["redacted"]),
    "bare": replace(settings, team_conf={**NAMED, **bare}),
}
for name, one in asked.items():
    with open_session(one) as spark:
        work(spark)
        if name == "redacted":
            stop_event_log(spark)
            spark.sparkContext.setJobDescription("after the end")
            spark.range(1).count()
seen["bare"] = text_of(places["bare"])
seen["spark's own"] = text_of(places["redacted"])
packed = pack(places["redacted"], redactor)
seen["kept"] = pa.CompressedInputStream(pa.BufferReader(packed.data), "zstd").read().decode()
seen["cut"] = packed.cut
"""
)


@pytest.mark.spark
def test_no_canary_is_in_a_kept_log_and_all_are_in_one_that_nobody_redacts(tmp_path: Path) -> None:
    seen = child(CODE, tmp_path, SERVICE_TOKEN="canary-env")

    assert [canary for canary in CANARIES if canary in seen["kept"]] == []
    # Witnesses: without either guard all of them are there, and Spark's own leaves those in texts.
    assert [canary for canary in CANARIES if canary not in seen["bare"]] == []
    left = {canary for canary in CANARIES if canary in seen["spark's own"]}
    assert left == set(CANARIES) - {"canary-api"}
    assert '"Event":"SparkListenerStageCompleted"' in seen["kept"]
    # What happened after the log was ended is in none.
    assert "after the end" not in seen["spark's own"]
    assert not seen["cut"]
