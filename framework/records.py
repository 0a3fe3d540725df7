"""The base of every record that is read from outside, and the one place where pydantic's complaints become ours."""

import re
from collections.abc import Callable
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from framework.errors import ConfigError, clip

R = TypeVar("R")
_SECRET: Final = re.compile(r"(?i)passw|secret|token|key|credential")


Place = tuple[int | str, ...]


def mistakes(error: ValidationError, place: Callable[[Place], Place] = lambda found: found) -> tuple[str, ...]:
    """One line per mistake, with its place: ``input.operators.0.task_id: Field required``.

    The value is shown except where the place itself says that it is a secret. ``place`` may tell places otherwise.
    """
    return tuple(_line(place(item["loc"]), item["msg"], item["type"], item.get("input")) for item in error.errors())


def _line(place: Place, message: str, kind: str, value: object) -> str:
    where = ".".join(str(part) for part in place) or "(whole)"
    if kind == "extra_forbidden":
        return f"{where}: unknown key"
    hidden = kind == "missing" or _SECRET.search(where)
    shown = "" if hidden else f" (got {clip(repr(value), 80)})"
    return f"{where}: {message.removeprefix('Value error, ')}{shown}"


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
        raise ConfigError(
            f"{error.error_count()} mistake(s) in the configuration",
            where=where,
            details=mistakes(error),
        ) from None
