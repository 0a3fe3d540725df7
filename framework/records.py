"""The base of every record that is read from outside, and the one place where pydantic's complaints become ours."""

import re
from collections.abc import Callable, Mapping
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from framework.errors import ConfigError, clip

R = TypeVar("R")
_SECRET: Final = re.compile(r"(?i)passw|secret|token|key|credential")


# pydantic speaks to programmers; what people write files about is told in these words, with its facts filled in.
_WORDS: Final[Mapping[str, str]] = {
    "missing": "missing",
    "extra_forbidden": "unknown key",
    "model_type": "expected keys with values",
    "dict_type": "expected keys with values",
    "mapping_type": "expected keys with values",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "literal_error": "expected {expected}",
    "union_tag_invalid": "{discriminator} is not one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing",
    "too_short": "expected at least {min_length} item(s)",
    "too_long": "expected at most {max_length} item(s)",
    "string_too_short": "expected at least {min_length} character(s)",
    "string_too_long": "expected at most {max_length} character(s)",
    "string_pattern_mismatch": "expected text that matches {pattern}",
}
_WITHOUT_VALUE: Final = frozenset({"missing", "extra_forbidden"})


Place = tuple[int | str, ...]


def mistakes(error: ValidationError, place: Callable[[Place], Place] = lambda found: found) -> tuple[str, ...]:
    """One line per mistake, with its place: ``input.operators.0.task_id: missing``.

    The value is shown except where the place itself says that it is a secret. In the order of ``real_errors``.
    ``place`` may tell places otherwise.
    """
    return tuple(_line(place(item["loc"]), item) for item in real_errors(error))


def real_errors(error: ValidationError) -> list[ErrorDetails]:
    """The errors that somebody made: a list is not too short besides when one of its items is wrong."""
    items = error.errors()
    inside = {item["loc"][:depth] for item in items for depth in range(len(item["loc"]))}
    return [item for item in items if item["type"] != "too_short" or item["loc"] not in inside]


def _line(place: Place, item: ErrorDetails) -> str:
    kind, value = item["type"], item.get("input")
    where = ".".join(str(part) for part in place) or "(whole)"
    words = _WORDS.get(kind, item["msg"].removeprefix("Value error, ").replace("{", "{{").replace("}", "}}"))
    # Of the whole file the value says nothing.
    hidden = kind in _WITHOUT_VALUE or _SECRET.search(where) or (not place and kind == "value_error")
    shown = "" if hidden else " (got nothing)" if value is None else f" (got {clip(repr(value), 80)})"
    return f"{where}: {words.format(**item.get('ctx', {}))}{shown}"


class Record(BaseModel):
    """A frozen record: unknown keys and wrong types are refused, all at once."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_timedelta="iso8601")

    @classmethod
    def parse(cls, data: object, *, where: str) -> Self:
        """The record in ``data``, Python values as a JSON or YAML parser gives them.

        Raises: ConfigError with every mistake and its place below ``where``.
        """
        return _told(lambda: cls.model_validate(data, strict=False), where)

    @classmethod
    def parse_json(cls, data: str | bytes, *, where: str) -> Self:
        """The record in JSON text ``data``. Raises: ConfigError as ``parse``."""
        return _told(lambda: cls.model_validate_json(data), where)

    def json_bytes(self) -> bytes:
        """Canonical JSON, UTF-8."""
        return self.model_dump_json(by_alias=True).encode()


def _told(build: Callable[[], R], where: str) -> R:
    try:
        return build()
    except ValidationError as error:
        told = mistakes(error)
        raise ConfigError(f"{len(told)} mistake(s) in the configuration", where=where, details=told) from None
