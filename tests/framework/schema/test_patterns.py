"""The part of regular expressions that Rust, Java and Python read alike."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import SchemaValidator, ValidationError, core_schema

from framework.errors import DefinitionError
from framework.schema.patterns import portable, sample


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("", ""),
        ("^[A-Z0-9]{2}$", r"^[A-Z0-9]{2}\z"),
        ("a.b", r"a[^\n]b"),
        (r"^N[0-9]{1,5}[A-Z]{0,2}$", r"^N[0-9]{1,5}[A-Z]{0,2}\z"),
        (r"(?:ab|c)+d*?", r"(?:ab|c)+d*?"),
        (r"[-a]|[a-]|[a\-b]|[^\]x]", r"[-a]|[a-]|[a\-b]|[^\]x]"),
        (r"\.\t\\\/", r"\.\t\\\/"),
        (r"\A[.$]\z", r"\A[.$]\z"),
        ("é+|日", "é+|日"),
    ],
)
def test_portable_patterns_are_written_for_java(pattern: str, written: str) -> None:
    assert portable(pattern) == written
    assert portable(written) == written


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        (r"\d", "write [0-9]"),
        (r"\w+", "write [A-Za-z0-9_]"),
        (r"[\s]", "write [ "),
        (r"\b", "differs between Rust, Java and Python"),
        (r"\p{L}", "differs"),
        (r"\Z", "differs"),
        (r"\x41", "differs"),
        ("\\", "differs"),
        ("(?i)a", "only (?:...)"),
        ("(?=a)", "only (?:...)"),
        ("(?P<a>b)", "only (?:...)"),
        (r"(a)\1", "differs"),
        ("(a", "a ( without a )"),
        ("a)", "a ) without a ("),
        ("[a", "close it with ]"),
        ("[]a]", r"write \[ and \]"),
        ("[a[b]]", r"write \[ and \]"),
        ("[a-z&&b]", "&& in [...]"),
        ("[a--b]", "range ending in -"),
        ("[--/]", "-- in [...]"),
        ("[a-c-e]", "a - after a range"),
        ("[z-a]", "is empty"),
        (r"[\z]", "is no character"),
        ("*a", "nothing can be repeated"),
        ("a{", r"or \{ for the character"),
        ("a{,3}", r"or \{ for the character"),
        ("a{3,2}", r"or \{ for the character"),
        ("}", "nothing can be repeated"),
        ("a**", "use one"),
        ("a++", "use one"),
        ("a{2}{3}", "use one"),
        ("^*", "means nothing"),
        ("(a+)+$", "can take for ever in Java"),
        ("(?:(?:a*)b){2,}", "can take for ever in Java"),
        ("(?:(?:(?:[^\n]{1000}){100}){10})", "size limit"),
    ],
)
def test_what_is_not_portable_is_refused_with_what_to_write(pattern: str, sentence: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        portable(pattern)

    assert sentence in str(refused.value)


def test_a_compiled_pattern_would_carry_flags() -> None:
    from framework.schema.constraints import fitting
    from framework.schema.shapes import Constraint, Shape

    with pytest.raises(DefinitionError, match="pattern is text"):
        fitting(Constraint("pattern", re.compile("a", re.IGNORECASE)), Shape("string", nullable=False))


atoms = st.sampled_from(["a", "b", r"\.", "[a-c]", "[^a]", ".", "(?:ab)", "(a|b)", "é", r"\-", "$", "^"])
quantified = st.tuples(atoms, st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "+?"])).map("".join)
patterns = st.lists(quantified, max_size=5).map("".join)


@given(patterns, st.text("ab.é-\nc", max_size=6))
def test_rust_and_python_agree_on_portable_patterns(pattern: str, text: str) -> None:
    try:
        written = portable(pattern)
    except DefinitionError:
        return

    found = re.search(written.replace(r"\z", r"\Z"), text) is not None
    assert _rust_finds(written, text) == found
    assert _rust_finds(pattern, text) == found


def _rust_finds(pattern: str, text: str) -> bool:
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern)).validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "pattern", [r"^[A-Z0-9]{2}$", r"^N[0-9]{1,5}$", r"^(?:ab|c[d-k]+)x{2}[0-9]$", r"^[^a-c]{2}$", r"^.\.x$"]
)
def test_samples_match_and_differ(pattern: str) -> None:
    texts = [sample(pattern, nth) for nth in range(4)]

    assert all(re.search(pattern, text) for text in texts)
    assert len(set(texts)) > 2
