"""A command that was given as one text."""

import shlex

from framework.errors import ConfigError


def words_of(text: str, *, where: str) -> tuple[str, ...]:
    """As a shell takes them apart. ``where``: the option. Raises: ConfigError for a quote that does not end."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(
            "these are no words of a command", where=where, got=text, expected=f"a shell's words: {error}"
        ) from error
