"""Constant parameters against the JSON schema that a job's export carries: only what is wrong however it is read.

The job itself reads text as dates or numbers, and says the last word when the task starts; templates are filled in only
then. So a value that the schema may not mean is passed on, and nothing here is heavier than a comparison.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

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
    """What ``pydantic`` takes for none of this, in its lax mode: https://docs.pydantic.dev/latest/concepts/conversion_table/"""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    kind = _KINDS.get(str(schema.get("type")))
    if kind and isinstance(value, _PLAIN) and not _template(value) and not kind.may_be(value, schema):
        yield f"{kind.words}, got {clip(repr(value), 80)}"
        return
    for keyword, words, holds in _BOUNDS:
        if number and keyword in schema and not holds(value, schema[keyword]):
            yield f"{words} {schema[keyword]}, got {value}"
    allowed = schema.get("enum")
    if allowed is not None and isinstance(value, str | int | float) and not _template(value) and value not in allowed:
        yield f"one of {', '.join(map(str, allowed))}, got {clip(repr(value), 80)}"


def _template(value: Any) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _a_number(value: Any, _: Mapping[str, Any]) -> bool:
    """Text is read as one; decimals are."""
    if not isinstance(value, str):
        return isinstance(value, bool | int | float)
    try:
        float(value)
    except ValueError:
        return False
    return True


def _whole(value: Any, schema: Mapping[str, Any]) -> bool:
    return _a_number(value, schema) and float(value).is_integer()


def _a_switch(value: Any, _: Mapping[str, Any]) -> bool:
    return value in (0, 1) or (isinstance(value, str) and value.strip().lower() in _SWITCHES)


def _text(value: Any, schema: Mapping[str, Any]) -> bool:
    """With a format it is a date, a duration or the like, which each are read from more than text."""
    return isinstance(value, str) if not schema.keys() & {"format", "enum", "pattern"} else not _holds_others(value)


def _holds_others(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def _several(value: Any, _: Mapping[str, Any]) -> bool:
    return isinstance(value, list | tuple)


def _by_name(value: Any, _: Mapping[str, Any]) -> bool:
    return isinstance(value, dict)


# Anything else is filled in later, or turned into JSON before it is read: another task's value, a date.
_PLAIN: Final = (str, bool, int, float, list, tuple, dict, type(None))
_SWITCHES: Final = frozenset({"0", "off", "f", "false", "n", "no", "1", "on", "t", "true", "y", "yes"})


class _Kind(NamedTuple):
    words: str
    may_be: Callable[[Any, Mapping[str, Any]], bool]


_KINDS: Final[Mapping[str, _Kind]] = {
    "number": _Kind("a number", _a_number),
    "integer": _Kind("a whole number", _whole),
    "boolean": _Kind("true or false", _a_switch),
    "string": _Kind("text", _text),
    "array": _Kind("a list", _several),
    "object": _Kind("a dictionary", _by_name),
}
