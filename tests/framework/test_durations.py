"""Durations in days or weeks."""

import pytest

from framework.durations import is_duration, seconds_of


@pytest.mark.parametrize(("text", "days"), [("P1D", 1), ("P30D", 30), ("P4W", 28), ("P99999W", 699_993)])
def test_days_and_weeks(text: str, days: int) -> None:
    assert is_duration(text)
    assert seconds_of(text) == days * 86_400


@pytest.mark.parametrize(
    "text", ["", "P0D", "P-1D", "P1M", "PT1H", "P1D ", "p1d", "30 days", "P1D\n", "P٣D", "P100000D"]
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_duration(text)
    with pytest.raises(ValueError, match="days or weeks"):
        seconds_of(text)


def test_what_is_no_text_is_none() -> None:
    assert not is_duration(30)
    assert not is_duration(None)
