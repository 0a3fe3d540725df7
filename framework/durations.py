"""Durations in days or weeks, ``P30D`` or ``P4W``: how long outputs are kept, and removed data after them. Pure."""

import re
from typing import Final

# How long data stays that nobody takes any more: at least the longest run and the longest read there may be.
DEFAULT_GRACE: Final = "P7D"
# Long enough to ask why a run of last month was slow; event logs are small beside the data.
DEFAULT_LOGS: Final = "P30D"
EXPECTED: Final = "days or weeks, for example P30D or P4W"
_DURATION: Final = re.compile(r"P([1-9][0-9]{0,4})([DW])")
_DAYS: Final = {"D": 1, "W": 7}
_DAY_S: Final = 24 * 60 * 60


def is_duration(text: object) -> bool:
    """Whether ``text`` is a duration of this grammar; none is zero."""
    return isinstance(text, str) and _DURATION.fullmatch(text) is not None


def seconds_of(text: str) -> int:
    """A day has 24 hours here, in every time zone. Raises: ValueError when ``text`` is no duration."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration: {text}; expected {EXPECTED}")
    return int(match[1]) * _DAYS[match[2]] * _DAY_S
