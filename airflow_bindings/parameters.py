"""Constant parameters against the JSON schema that a job's export carries: only what is wrong however it is read.

The job itself reads text as dates or numbers, and says the last word when the task starts; templates are filled in only
then. So a value that the schema may not mean is passed on, and nothing here is heavier than a comparison.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from framework.errors import clip

# Keyword -> what it says of a number, and when that holds.
_BOUNDS: Final[tuple[tuple[str, str, Callable[[Any, Any], bool]], ...]] = (
    ("minimum", "at least", lambda value, bound: value >= bound),
    ("exclusiveMinimum", "more than", lambda value, bound: value > bound),
    ("maximum", "at most", lambda value, bound: value <= bound),
    ("exclusiveMaximum", "less than", lambda value, bound: value < bound),
)


def misfits(schema: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each mistake of ``given``."""
    known: Mapping[str, Any] = schema.get("properties", {})
    for name, value in given.items():
        if name in known:
            yield from (f"parameters.{name}: {text}" for text in _misfits(known[name], value))
        elif schema.get("additionalProperties") is False:
            close = get_close_matches(str(name), known, n=1)
            hint = f" (did you mean '{close[0]}'?)" if close else ""
            yield f"parameters.{name}: the job has no such parameter{hint}; it has {', '.join(known) or 'none'}"
    for name in schema.get("required", ()):
        if name not in given:
            yield f"parameters.{name}: missing, and the job has no default for it"


def _misfits(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    for keyword, words, holds in _BOUNDS:
        if number and keyword in schema and not holds(value, schema[keyword]):
            yield f"{words} {schema[keyword]}, got {value}"
    allowed = schema.get("enum")
    if allowed is not None and isinstance(value, str) and not _template(value) and value not in allowed:
        yield f"one of {', '.join(map(str, allowed))}, got {clip(repr(value), 80)}"
    if (
        schema.get("type") in ("integer", "number")
        and isinstance(value, str)
        and not (_template(value) or _numeric(value))
    ):
        yield f"a number, got {clip(repr(value), 80)}"


def _template(text: str) -> bool:
    return "{{" in text or "{%" in text


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
