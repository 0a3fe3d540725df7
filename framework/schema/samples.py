"""Keys of rows that break a check, as text for people: few, short, and never whole rows. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from framework.errors import clip

SAMPLES: Final = 5
SAMPLED_CHECKS: Final = 10
_VALUE: Final = 60


def key_text(row: Mapping[str, Any], key: Sequence[str]) -> str:
    """``carrier=AA, day=2013-01-01``."""
    return ", ".join(f"{column}={clip(_text(row[column]), _VALUE)}" for column in key)


def broken_line(check: str, count: int, keys: Sequence[str] = ()) -> str:
    """What a person reads of one check that rows break."""
    return f"{check}: {count} row(s)" + (f", such as {'; '.join(keys)}" if keys else "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else "null" if value is None else str(value)
