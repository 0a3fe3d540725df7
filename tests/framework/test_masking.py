"""Secrets are masked, our own sentences are not; what others chose the length of ends."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import framework
from framework.errors import MAX_LINES, FinalError
from framework.masking import OWN_WORDS, block, scrub

ROOT = Path(framework.__file__).parent.parent
NAMES = st.sampled_from(["password", "secret", "token", "aws_secret_access_key", "fs.s3a.secret.key", "Authorization"])
VALUES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'@:"), min_size=6, max_size=40
)


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "A" * 16,
        "ASIA" + "B" * 16,
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a_1" * 12,
        "glpat-" + "x" * 20,
        "xoxb-" + "1-a" * 8,
        "sk-proj-" + "a1" * 20,
        "sk_live_" + "a1" * 10,
        "AIza" + "b" * 35,
        "hf_" + "c" * 34,
        "https://hooks.slack.com/services/T000/B000/" + "abcdefgh" * 6,
        "DefaultEndpointsProtocol=https;AccountKey=" + "d" * 40,
        "https://x.blob.core.windows.net/y?sig=" + "e" * 40,
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOYBF\nlQOYBFabcdef\n-----END PGP PRIVATE KEY BLOCK-----",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmbGlnaHRzIn0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_one_without_any_name(secret: str) -> None:
    told = scrub(f"it said {secret} and went on")

    assert secret[len(secret) // 2 :][:8] not in told
    assert told.startswith("it said ")
    assert told.endswith(" and went on")


@pytest.mark.parametrize(
    "line",
    [
        "secret: extra, got string, expected no such column",
        "secret: got string, expected bigint",
        "token: missing, expected string; did you mean tokens?",
        "acme.yaml:4: password: unknown key",
        "spark.hadoop.fs.s3a.secret.key: the platform sets it",
        "default.secret.null: 3 row(s), such as name=k1",
        "jobs.flights.token_usage:TokenUsage output 'default'",
        "jobs/flights/secret.py:31",
        "secrets.yaml:4: team: unknown key",
        "at: got struct<secret: string, token: array<bigint>>, expected string",
        "rows of Secret: a CSV needs a header line",
    ],
)
def test_our_own_sentences_about_a_thing_called_secret_stay(line: str) -> None:
    assert scrub(line) == line
    assert line in str(FinalError("broken", details=[line]))


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "hunter2", "a": 1}',
        "{'secret': 'hunter2 and more hunter2'}",
        "Authorization: Bearer hunter2",
        "password=got hunter2".replace(" ", ""),
        'token: "hunter2"',
        "secret:hunter2",
        "password:\n  hunter2",
        "secret=extra,hunter2",
        "api_key=hunter2",
        f"{'x' * 290} postgresql://user:hunter2{'2' * 30}@host/db",
        f"password={'hunter2' * 10_000}",
        f"{'word ' * 3998}password=hunter2",
    ],
)
def test_secrets_are_masked_however_they_are_written(text: str) -> None:
    for error in (FinalError("broken", got=text, details=[text]), FinalError(text), FinalError("b", where=text)):
        assert "hunter2" not in str(error)


@given(NAMES, st.sampled_from(["=", ": ", " = ", ":", '": "', "': '"]), VALUES, st.text(max_size=30))
def test_a_secret_in_foreign_text_is_masked(name: str, sign: str, value: str, before: str) -> None:
    value = f"Zq9{value}"
    text = f"{before}\n{name}{sign}{value}"

    message = str(FinalError("broken", got=text, details=[text], expected=f"other than {name}{sign}{value}"))

    assert value not in message.replace(name, "")


def own_starts() -> Iterator[tuple[str, str]]:
    """Every word with which a sentence of ours goes on after a name and a colon, and where."""
    for path in [*ROOT.glob("framework/**/*.py"), *ROOT.glob("airflow_bindings/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                for part, after in zip(node.values, node.values[1:], strict=False):
                    text = after.value if isinstance(after, ast.Constant) else ""
                    word = re.match(r": ([A-Za-z_]+)", str(text))
                    if isinstance(part, ast.FormattedValue) and word:
                        yield word[1], f"{path.name}:{node.lineno}"


def test_every_word_with_which_a_sentence_of_ours_begins_is_known() -> None:
    starts = list(own_starts())

    assert len(starts) > 40
    assert {word: where for word, where in starts if word not in OWN_WORDS} == {}, "add the words to OWN_WORDS"


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    shown = block("first\n" + "x\n" * 5000 + "ZeroDivisionError: last", lines=5, limit=300)

    assert [shown[0], shown[-1]] == ["first", "ZeroDivisionError: last"]
    assert "(… 4998 lines)" in shown
    assert len(shown) == 5


@given(st.text(), st.text(), st.lists(st.text(), max_size=40))
def test_no_text_makes_a_message_long_or_lets_it_pretend(what: str, value: str, details: list[str]) -> None:
    text = str(FinalError(what * 50, where=value, got=value * 200, expected=value, next_step=value, details=details))

    lines = text.split("\n")
    assert len(lines) <= MAX_LINES
    assert all(line.isprintable() for line in lines)
    assert len(text) < 25_000
    assert sum(line.startswith("  next: ") for line in lines[1:]) == bool(value)
