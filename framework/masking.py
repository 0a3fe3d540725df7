"""Text that a person will read: secrets masked, control characters made visible, every length bounded. Pure.

A secret is known by the name before it (``password=...``) or by its own form. Our own lines put a name before a colon
as well, and that name is the author's: a column may be called ``secret``. So after a colon what begins as one of our
own sentences stays; after ``=`` nothing does, nor does anything that was quoted.
"""

import re
from collections.abc import Sequence
from typing import Final

MASK: Final = "***"
_TOO_MUCH: Final = 20_000
"""Longer text is cut before it is looked at: somebody else chose how long it is."""

_NAMED: Final = re.compile(
    r"(?i)(?P<name>(?:password|passwd|secret|token|access_?key|api_?key|private_?key|authorization|credential)"
    r"[\w.-]{0,80}[\"']?\s{0,20})(?P<sign>[=:]\s{0,20})"
    r"(?P<value>(?:(?:bearer|basic)\s+)?(?:\"[^\"\n]+\"|'[^'\n]+'|\S+))"
)
_BY_FORM: Final = (
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{0,40}://[^/\s:@]{0,200}:)([^/\s@]+)(?=@)"),
    re.compile(r"(\b)((?:AKIA|ASIA)[0-9A-Z]{16})\b"),
    re.compile(
        r"(\b)(gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}|glpat-[\w-]{20,255}|xox[abeprs]-[\w-]{10,255})"
    ),
    re.compile(r"(\b)(eyJ[\w-]{10,4000}\.eyJ[\w-]{10,4000}\.[\w-]{0,4000})"),
    re.compile(
        r"(\b)(sk-[\w-]{20,250}|[rs]k_live_\w{16,250}|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,250}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,500})"
    ),
    re.compile(r"(hooks\.slack\.com/services/)([\w/]{10,250})"),
    re.compile(r"(AccountKey=|[?&]sig=)([\w%+/=-]{20,250})"),
    re.compile(
        r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)"
        r"([\s\S]{1,20000}?(?:-----END [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----|\Z))"
    ),
)

# How our own lines go on after a name and a colon; a test finds every such line in the code and looks here.
OWN_WORDS: Final = frozenset(
    {
        "Annotated", "CSV", "DAG", "Input", "a", "an", "bundle", "checks", "computed", "expected", "export", "extra", "fetched", "filled",
        "flags", "got", "holds", "ids", "is", "it", "its", "key", "looks", "may", "missing", "more", "new", "no", "not", "nothing", "of",
        "on", "one", "other", "output", "pydantic", "says", "somewhere", "steps", "stored_as", "task", "team",
        "the", "there", "this", "two", "unknown", "which",
    }
)  # fmt: skip
_OWN_TYPES: Final = (
    r"(?:string|tinyint|smallint|int|bigint|float|double|boolean|binary|date|timestamp|timestamp_ntz|void)"
    r"|decimal\(\d+,\d+\)|(?:array|map|struct)<\S*"
)
_OWN_START: Final = re.compile(rf"(?:{'|'.join(sorted(OWN_WORDS))}|{_OWN_TYPES})[,;.:>)]*")
_COUNT: Final = re.compile(r"\d+ row\(s\)")
_FILE: Final = re.compile(r"\.(?:py|yaml|yml|csv|json)$")
_PLACE: Final = re.compile(r"\d{1,7}:?")
_JOB: Final = re.compile(r"\bjobs\.[\w.]*$")


def scrub(text: str) -> str:
    """``text`` with anything that looks like a secret replaced by ``***``."""
    for pattern in _BY_FORM:
        text = pattern.sub(rf"\1{MASK}", text)
    return _NAMED.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    return found[0] if _is_ours(found) else f"{found['name']}{found['sign']}{MASK}"


def _is_ours(found: re.Match[str]) -> bool:
    """Whether what follows the name is a sentence of ours, a line number, or the class of a job."""
    sign, value = found["sign"], found["value"]
    if "=" in sign or found["name"].rstrip().endswith(('"', "'")):
        return False
    if sign != ":":
        return bool(_OWN_START.fullmatch(value) or _COUNT.match(found.string, found.start("value")))
    before = found.string[max(found.start() - 200, 0) : found.end("name")]
    return bool((_FILE.search(before) and _PLACE.fullmatch(value)) or (_JOB.search(before) and value.isidentifier()))


def visible(text: str) -> str:
    """``text`` on one line, without a character that a terminal would act on or hide."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def safe(text: str) -> str:
    """``text`` without secrets, cut where it is so long that looking at all of it would take its time.

    Before it is shortened: half of a secret is not known for one.
    """
    if len(text) <= _TOO_MUCH:
        return scrub(text)
    # The last word may be the first half of one.
    return scrub(re.sub(r"\S{1,1000}\Z", "", text[:_TOO_MUCH])) + "…"


def shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def block(text: str, *, lines: int, limit: int) -> Sequence[str]:
    """``text`` as at most ``lines`` visible lines of ``limit`` characters together; its middle goes, its end stays.

    The end of a traceback says what happened.
    """
    given = [visible(line) for line in safe(text).strip().splitlines() if line.strip()] or [""]
    if len(given) > lines:
        head = (lines - 1) // 2
        tail = lines - 1 - head
        given = [*given[:head], f"(… {len(given) - head - tail} lines)", *given[len(given) - tail :]]
    share = max(limit // len(given), 40)
    spare = limit - sum(min(len(line), share) for line in given)
    shown = []
    for line in given:
        room = share + max(min(len(line) - share, spare), 0)
        spare -= room - share
        shown.append(shortened(line, room))
    return shown
