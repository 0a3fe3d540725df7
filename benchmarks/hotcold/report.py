"""The answers of one size and profile as JSON, as a Markdown table, and as one page with a plot. Pure."""

import html
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.pairs import Answer

_WIDTH, _BAR, _GAP, _LABEL = 640, 18, 6, 170
_COLOURS: Final = ("#4c78a8", "#e45756", "#54a24b", "#b279a2")


def to_json(answers: Sequence[Answer], facts: Mapping[str, Any]) -> dict[str, Any]:
    return {**facts, "answers": [answer.to_json() for answer in answers]}


def to_markdown(answers: Sequence[Answer], facts: Mapping[str, Any]) -> str:
    """One row for each variant of each question, then what was measured of the store itself."""
    rows = ["| question | variant | ratio (95% interval) | hoped for | verdict |", "|---|---|---|---|---|"]
    for answer in answers:
        for variant in answer.seconds:
            if variant != answer.base:
                bound = answer.bounds.get(variant)
                cells = (answer.question, variant, str(answer.ratio(variant)), bound or "", answer.verdict(variant))
                rows.append("| " + " | ".join(map(str, cells)) + " |")
    told = [f"* {name}: {value}" for name, value in facts.items()]
    return "\n".join(
        [*rows, "", *told, *(f"* {answer.question}: {note}" for answer in answers for note in answer.notes), ""]
    )


def to_page(answers: Sequence[Answer], facts: Mapping[str, Any]) -> str:
    """A page without anything from elsewhere: each question's medians as bars, the physical limit or peer among them."""
    parts = [f"<h2>{html.escape(answer.question)}</h2>{_plot(answer)}" for answer in answers]
    told = "".join(f"<li>{html.escape(f'{name}: {value}')}</li>" for name, value in facts.items())
    style = "body{font:15px sans-serif;max-width:52em;margin:2em auto}h2{font-size:1em;margin:1.5em 0 .3em}"
    title = html.escape(f"Hot against cold reads: {facts.get('size')}, {facts.get('profile')}")
    return (
        f"<!doctype html><meta charset='utf-8'><title>{title}</title><style>{style}</style>"
        f"<h1>{title}</h1><ul>{told}</ul>{''.join(parts)}\n"
    )


def _plot(answer: Answer) -> str:
    medians = {name: statistics.median(times) for name, times in answer.seconds.items()}
    longest = max(*medians.values(), 1e-9)
    height = len(medians) * (_BAR + _GAP)
    bars = "".join(_bar(row, name, value, longest) for row, (name, value) in enumerate(medians.items()))
    return f"<svg width='{_WIDTH}' height='{height}' role='img'>{bars}</svg>{''.join(_ratios(answer))}"


def _bar(row: int, name: str, value: float, longest: float) -> str:
    y, width = row * (_BAR + _GAP), max(1.0, max(value, 0) / longest * (_WIDTH - _LABEL - 90))
    colour = _COLOURS[row % len(_COLOURS)]
    return (
        f"<text x='0' y='{y + 14}' font-size='13'>{html.escape(name)}</text>"
        f"<rect x='{_LABEL}' y='{y}' width='{width:.1f}' height='{_BAR}' fill='{colour}'/>"
        f"<text x='{_LABEL + width + 6:.1f}' y='{y + 14}' font-size='13'>{value:,.3f}</text>"
    )


def _ratios(answer: Answer) -> Iterator[str]:
    for variant in answer.seconds:
        if variant != answer.base:
            verdict = f": {answer.verdict(variant)}" if variant in answer.bounds else ""
            yield f"<p>{html.escape(f'{variant} over {answer.base}: {answer.ratio(variant)}{verdict}')}</p>"
