"""What a redacted event log does not hold; and that each part of it is what keeps a secret out."""

import json
import re
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.connections import Connection, Connections
from framework.masking import scrub
from framework.spark.redaction import PATTERN, Redactor, known_secrets

PASSWORD = 'pä"ss/w ord+1'
CANARY = "canary-8d1f"
SHAPES: dict[str, Any] = {
    "a description with a header": {"Properties": {"spark.job.description": f"call with Authorization: Bearer {CANARY}"}},
    "a header alone": {"Description": f"curl -H 'Proxy: basic {CANARY}'"},
    "a plan with an address": {"physicalPlanDescription": f"JDBCRelation jdbc:postgresql://me:{CANARY}@host/db (1)"},
    "an option in a failure": {"Task End Reason": {"Stack Trace": f"FATAL url ?user=x&password={CANARY}\n at x"}},
    "a setting by its name": {"Spark Properties": {"spark.hadoop.fs.some.apikey": CANARY}},
    "a pair by its name": {"Hadoop Properties": {"fs.s3a.bucket.x.access.key": CANARY}},
    "a nested one": {"children": [{"children": [{"metadata": {"options": f"{{token={CANARY}, path=/x}}"}}]}]},
    "a key's own form": {"Details": "for AKIAIOSFODNN7EXAMPLE"},
}  # fmt: skip


def line(event: dict[str, Any], *, ensure_ascii: bool = False) -> bytes:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=ensure_ascii).encode() + b"\n"


@pytest.mark.parametrize("shape", SHAPES)
def test_what_looks_like_a_secret_is_none_afterwards(shape: str) -> None:
    event = {"Event": "SparkListenerAny", **SHAPES[shape]}

    kept = Redactor().line(line(event))

    assert CANARY.encode() not in kept
    assert b"AKIAIOSFODNN7EXAMPLE" not in kept
    assert json.loads(kept).keys() == event.keys()


@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize("written", [PASSWORD, quote_plus(PASSWORD)], ids=["as it is", "in an address"])
def test_a_secret_that_is_known_is_found_whatever_stands_around_it(written: str, ensure_ascii: bool) -> None:
    event = {"Event": "SparkListenerAny", "Details": f"Filter (note = {written})", "Other": [written]}
    raw = line(event, ensure_ascii=ensure_ascii)

    kept = json.loads(Redactor([PASSWORD]).line(raw))

    assert kept == {"Event": "SparkListenerAny", "Details": "Filter (note = ***)", "Other": ["***"]}
    # Witness: nothing else knows it.
    assert json.loads(Redactor(["another"]).line(raw)) == event


def test_other_lines_stay_as_they_are_byte_for_byte() -> None:
    raw = b'{"Event":"SparkListenerTaskEnd", "n": 1.0E10,"x":"\\u00e4 12:30 a=b user@host"}\n'

    assert Redactor([PASSWORD]).line(raw) == raw


@pytest.mark.parametrize("raw", [b'{"password": "' + CANARY.encode(), b'{"secret":' + b"[" * 100_000])
def test_a_line_that_cannot_be_looked_into_is_left_out(raw: bytes) -> None:
    assert Redactor().line(raw) == b""


WORDS = st.sampled_from(
    ["password", "PassWd", "secret", "Token", "access_key", "apikey", "private_key", "Authorization", "credential", "x"]
)
TEXTS = st.tuples(
    st.text(max_size=6), WORDS, st.sampled_from(["=", ": ", '": "', "s=", " "]), st.text(min_size=1, max_size=12)
).map("".join) | st.sampled_from(["s3://u:p@h/x", "AKIAIOSFODNN7EXAMPLE", "//nothing:here/x"])


@given(TEXTS)
def test_no_line_that_masking_would_change_is_passed_over(text: str) -> None:
    """The look at bytes before is only there to be quick: it must miss nothing that the masks of all messages know."""
    kept = json.loads(Redactor().line(line({"Details": text})))

    assert kept["Details"] == text or scrub(text) != text
    assert scrub(text) == text or kept["Details"] != text


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.floats(allow_nan=False)))
def test_an_event_stays_the_same_event(event: dict[str, Any]) -> None:
    assert json.loads(Redactor(["never there"]).line(line({**event, "why": "a key"}))) == {**event, "why": "a key"}


def test_known_are_the_connections_and_what_the_environment_names_so() -> None:
    one = Connection(kind="postgres", password="hunter2", options={"sslmode": "require", "api": "opaque"})
    environ = {"AWS_SECRET_ACCESS_KEY": "a" * 40, "MY_API_KEY": "b" * 6, "TOKEN": "yes", "PATH": "/usr/local/bin"}

    found = known_secrets(Connections(connections={"warehouse": one}), environ)

    assert found == ("a" * 40, "hunter2", "b" * 6, "opaque")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("spark.hadoop.fs.s3a.secret.key", True),
        ("spark.hadoop.x.apiKey", True),
        ("spark.hadoop.x.private-key", True),
        ("jdbc:postgresql://me:word@host/db", True),
        ("spark.sql.shuffle.partitions", False),
        ("spark.kryoserializer.buffer.max", False),
        ("s3a://bucket/key=1/part-0", False),
    ],
)
def test_one_pattern_says_which_settings_are_secret(text: str, secret: bool) -> None:
    assert bool(re.search(PATTERN, text)) is secret
