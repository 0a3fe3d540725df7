"""Paired measurements: each round runs every variant once, in an order that changes; ratios are taken within a round.

On a busy machine absolute times wander by tens of percent within minutes; ratios within one round do not. The interval
is a percentile bootstrap of the median of the ratios (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13).
"""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SEED: Final = 20130101
RESAMPLES: Final = 10_000
LEVEL: Final = 0.95

Run = Callable[[], float]


@dataclass(frozen=True)
class Ratio:
    """The median over rounds of variant over base, and the interval that holds it with 95% confidence."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Answer:
    """What one question came to. ``seconds`` holds every round of every variant; ``bound`` is what was hoped for."""

    question: str
    base: str
    seconds: Mapping[str, tuple[float, ...]]
    bounds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def ratio(self, variant: str) -> Ratio:
        """``variant`` over the base."""
        pairs = zip(self.seconds[variant], self.seconds[self.base], strict=True)
        return ratio_of([mine / theirs for mine, theirs in pairs])

    def verdict(self, variant: str) -> str:
        """Whether the bound is kept: by the whole interval, within it, or not at all."""
        if variant not in self.bounds:
            return ""
        ratio, bound = self.ratio(variant), self.bounds[variant]
        if ratio.high <= bound:
            return "kept"
        return "within the interval" if ratio.low <= bound else "missed"

    def to_json(self) -> dict[str, Any]:
        """Everything, for the committed result."""
        variants = [name for name in self.seconds if name != self.base]
        return {
            "question": self.question,
            "base": self.base,
            "median_s": {name: round(statistics.median(times), 4) for name, times in self.seconds.items()},
            "ratios": {name: vars(self.ratio(name)) for name in variants},
            "bounds": dict(self.bounds),
            "verdicts": {name: self.verdict(name) for name in variants if name in self.bounds},
            "seconds": {name: [round(s, 4) for s in times] for name, times in self.seconds.items()},
            "notes": list(self.notes),
        }


def ratio_of(ratios: Sequence[float]) -> Ratio:
    """Median and bootstrap interval of ``ratios``, one per round."""
    draw = random.Random(SEED)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    cut = int(RESAMPLES * (1 - LEVEL) / 2)
    return Ratio(statistics.median(ratios), medians[cut], medians[-cut - 1])


def run_pairs(variants: Mapping[str, Run], rounds: int, *, warm_up: int = 1) -> dict[str, tuple[float, ...]]:
    """Seconds by variant, one per round; ``warm_up`` rounds before them are thrown away.

    A variant returns its own seconds, so that what it needs beforehand does not count.
    """
    return quiet_pairs(variants, rounds, warm_up=warm_up, noisy=lambda: False)[0]


def quiet_pairs(
    variants: Mapping[str, Run], rounds: int, *, noisy: Callable[[], bool], warm_up: int = 1
) -> tuple[dict[str, tuple[float, ...]], int]:
    """As ``run_pairs``; a round of which ``noisy`` says so afterwards is run again, but not for ever. And how many were.

    Noisy rounds that are left when as many were repeated as were wanted are kept: the interval then tells of them.
    """
    draw = random.Random(SEED)
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    number = repeated = 0
    while number < warm_up + rounds:
        taken = {name: variants[name]() for name in draw.sample(sorted(variants), len(variants))}
        if noisy() and repeated < rounds:
            repeated += 1
            continue
        if number >= warm_up:
            for name, one in taken.items():
                seconds[name].append(one)
        number += 1
    return {name: tuple(times) for name, times in seconds.items()}, repeated
