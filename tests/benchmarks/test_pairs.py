"""Rounds, ratios and verdicts."""

from collections.abc import Callable, Iterator

import pytest

from benchmarks.hotcold.report import to_markdown, to_page
from benchmarks.pairs import Answer, quiet_pairs, ratio_of, run_pairs


def ticking(*values: float) -> Callable[[], float]:
    left: Iterator[float] = iter(values)
    return lambda: next(left)


def test_warm_up_rounds_are_thrown_away() -> None:
    seconds = run_pairs({"a": ticking(9, 1, 2), "b": ticking(9, 3, 4)}, 2)

    assert seconds == {"a": (1, 2), "b": (3, 4)}


def test_noisy_rounds_are_run_again_whole() -> None:
    noise = ticking(False, True, False, False)

    seconds, again = quiet_pairs({"a": ticking(0, 8, 1, 2), "b": ticking(0, 9, 3, 4)}, 2, noisy=lambda: bool(noise()))

    assert (seconds, again) == ({"a": (1, 2), "b": (3, 4)}, 1)


def test_noise_without_end_is_kept_and_not_run_for_ever() -> None:
    seconds, again = quiet_pairs({"a": lambda: 1.0}, 3, noisy=lambda: True)

    assert (len(seconds["a"]), again) == (3, 3)


@pytest.mark.parametrize(
    ("slow", "verdict"), [((1.0, 1.01, 1.0), "kept"), ((1.0, 1.2, 1.0), "within the interval"), ((2.0,) * 3, "missed")]
)
def test_a_bound_is_kept_by_the_whole_interval(slow: tuple[float, ...], verdict: str) -> None:
    answer = Answer("q", "base", {"base": (1.0,) * 3, "mine": slow}, {"mine": 1.1})

    assert answer.verdict("mine") == verdict
    assert ratio_of(slow).low <= answer.ratio("mine").median <= ratio_of(slow).high


def test_a_report_has_every_ratio_and_nothing_from_elsewhere() -> None:
    answer = Answer("Q6 <b>", "local", {"local": (1.0, 2.0), "hot": (1.1, 2.2)}, {"hot": 1.2}, ("a note",))
    facts = {"size": "S", "profile": "lan"}

    table, page = to_markdown([answer], facts), to_page([answer], facts)

    assert "| Q6 <b> | hot | 1.10 (1.10 to 1.10) | 1.2 | kept |" in table
    assert "a note" in table
    assert "Q6 &lt;b&gt;" in page
    assert "http" not in page
