"""What must be in no event log: secrets that are known, and what looks like one. Pure.

Spark redacts settings by their names, once. Query texts, descriptions of jobs, messages of failures and the values of other
settings it writes as they are; so each line is looked at again before it leaves this machine.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from framework.connections import Connections
from framework.masking import MASK, scrub

PATTERN: Final = (
    r"(?i)secret|passw(or)?d|token|credential|authorization|(access|api|private)[\W_]?key|url\.user"
    r"|://[^/\s:@]*:[^/\s@]+@"
)
"""Names whose values are secrets, and values that hold one: a pattern for Python and, as a setting, for Spark's Java."""

SECRET_NAME: Final = re.compile(PATTERN)
_SHORTEST: Final = 6
"""A shorter value of the environment is a word (``true``, ``oauth``) that hiding would only make hard to read around."""

# One of these is in every line that ``scrub`` or a key's name could change: a look at bytes, before any parsing.
_SIGNS: Final = (
    b"secret", b"passwd", b"password", b"token", b"credential", b"authorization", b"url.user", b"key", b"akia",
    b"bearer ", b"basic ",
)  # fmt: skip
_IN_URL: Final = re.compile(rb"://[^/\s:@]*:[^/\s@]+@")
_SCHEMES: Final = re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9+/=._~-]{8,}")


def known_secrets(connections: Connections, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Those of the connections of this process, and of variables that are named like one; the longest first."""
    named = (value for name, value in environ.items() if SECRET_NAME.search(name) and len(value) >= _SHORTEST)
    handed = (secret for one in connections.connections.values() for secret in one.secrets())
    return tuple(sorted({*named, *handed}, key=lambda secret: (-len(secret), secret)))


class Redactor:
    """Lines of an event log without secrets. ``secrets``: texts that are known to be one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(dict.fromkeys(form for secret in secrets for form in _forms(secret)))
        self._in_bytes = tuple(dict.fromkeys(form for secret in self._secrets for form in _in_json(secret)))

    def line(self, raw: bytes) -> bytes:
        """One event as it may be kept; nothing for a line that should be looked into and cannot be."""
        if not self._is_suspicious(raw):
            return raw
        try:
            return json.dumps(self._clean(json.loads(raw)), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        except (ValueError, RecursionError):
            return b""

    def _is_suspicious(self, raw: bytes) -> bool:
        lowered = raw.lower()
        return (
            any(sign in lowered for sign in _SIGNS)
            or any(secret in raw for secret in self._in_bytes)
            or (b"@" in raw and _IN_URL.search(raw) is not None)
        )

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._clean(one) for one in value]
        if isinstance(value, dict):
            return {self.text(name): self._valued(name, one) for name, one in value.items()}
        return value

    def _valued(self, name: str, value: Any) -> Any:
        return MASK if isinstance(value, str) and SECRET_NAME.search(name) else self._clean(value)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return scrub(_SCHEMES.sub(rf"\1\2{MASK}", text))


def _forms(secret: str) -> tuple[str, ...]:
    """A secret as it is, and as it is written in addresses."""
    return secret, quote(secret, safe=""), quote_plus(secret)


def _in_json(secret: str) -> tuple[bytes, ...]:
    """How a text may stand in a line of JSON, whose writer may escape what is not ASCII, and may escape a slash."""
    texts = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    return tuple(form.encode(errors="surrogatepass") for text in texts for form in (text, text.replace("/", r"\/")))
