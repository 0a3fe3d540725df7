"""Regular expressions that pydantic (Rust) and Spark (Java) read alike.

Both search: a pattern that is found anywhere in the text passes. ``portable`` accepts the part of the syntax that means
the same in both, and in Python, and writes out the two things that Java reads differently: ``.`` and ``$``.
"""

import re
from dataclasses import dataclass
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

from framework.errors import DefinitionError

_META: Final = frozenset("\\.+*?()|[]{}^$#&-~/")
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t"}
_REPEAT: Final = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}")
_ASCII: Final = {
    "d": "[0-9]", "D": "[^0-9]",
    "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]",
    "s": r"[ \t\n\r]", "S": r"[^ \t\n\r]",
}  # fmt: skip

# What is written, and whether a quantifier may follow. Java's $ also matches before a final line break, its dot leaves
# out more line breaks than \n.
_REWRITTEN: Final = {"^": ("^", False), "$": (r"\z", False), ".": (r"[^\n]", True)}


@dataclass(slots=True)
class _Reader:
    """A pattern and how far it is read."""

    text: str
    at: int = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, count: int = 1) -> str:
        self.at += count
        return self.text[self.at - count : self.at]


def portable(pattern: str) -> str:
    """``pattern`` as text that Java and Rust judge alike.

    Raises: DefinitionError naming the part that is not portable, and what to write instead.
    """
    reader = _Reader(pattern)
    written, _ = _alternatives(reader)
    if reader.at < len(pattern):
        raise DefinitionError(_message(reader, "a ) without a ("))
    try:
        SchemaValidator(core_schema.str_schema(pattern=written))
    except SchemaError as error:
        raise DefinitionError(f"pattern {pattern!r}: {str(error).splitlines()[-1].strip()}") from error
    return written


def _alternatives(reader: _Reader) -> tuple[str, bool]:
    """Branches up to the closing ``)`` or the end; and whether they hold a repetition without an upper bound."""
    parts: list[str] = []
    loops = False
    while (char := reader.peek()) and char != ")":
        if char == "|":
            parts.append(reader.take())
            continue
        piece, repeatable, inner = _atom(reader)
        repeat, unbounded = _repetition(reader, repeatable=repeatable)
        if inner and unbounded:
            raise DefinitionError(_message(reader, "a repetition inside a repetition can take for ever in Java"))
        loops = loops or inner or unbounded
        parts.append(piece + repeat)
    return "".join(parts), loops


def _atom(reader: _Reader) -> tuple[str, bool, bool]:
    """One thing that a quantifier may follow: its text, whether one may, and whether it loops inside."""
    char = reader.take()
    match char:
        case "(":
            return _group(reader)
        case "[":
            return _klass(reader), True, False
        case "\\":
            return _escape(reader)
        case "*" | "+" | "?" | "{" | "}" | "]":
            raise DefinitionError(_message(reader, rf"{char} stands where nothing can be repeated; write \{char}"))
    written, repeatable = _REWRITTEN.get(char, (char, True))
    return written, repeatable, False


def _group(reader: _Reader) -> tuple[str, bool, bool]:
    opening = "("
    if reader.peek() == "?":
        if reader.text[reader.at : reader.at + 2] != "?:":
            raise DefinitionError(_message(reader, "of the groups (?...) only (?:...) is the same everywhere"))
        opening += reader.take(2)
    inside, loops = _alternatives(reader)
    if reader.take() != ")":
        raise DefinitionError(_message(reader, "a ( without a )"))
    return f"{opening}{inside})", True, loops


def _escape(reader: _Reader) -> tuple[str, bool, bool]:
    char = reader.take()
    if char in _META or char in _CONTROLS:
        return f"\\{char}", True, False
    if char in ("A", "z"):
        return f"\\{char}", False, False
    instead = f"; write {_ASCII[char]}" if char in _ASCII else ""
    raise DefinitionError(_message(reader, rf"\{char} differs between Rust, Java and Python{instead}"))


def _klass(reader: _Reader) -> str:
    """A bracketed class up to its ``]``: single characters and ranges, nothing that nests or intersects."""
    written = "[" + (reader.take() if reader.peek() == "^" else "")
    first = reader.at
    while (char := reader.take()) != "]" or reader.at == first + 1:
        if char in ("", "[", "]"):
            raise DefinitionError(_message(reader, r"in [...], write \[ and \], and close it with ]"))
        if char == reader.peek() and char in "&-~":
            raise DefinitionError(_message(reader, f"{char}{char} in [...] means something else in each; escape it"))
        if char == "\\":
            char, _, _ = _escape(reader)
            if char in (r"\A", r"\z"):
                raise DefinitionError(_message(reader, f"{char} inside [...] is no character"))
        written += char + _range_end(reader)
    return f"{written}]"


def _range_end(reader: _Reader) -> str:
    if reader.peek() != "-" or reader.text[reader.at + 1 : reader.at + 2] in ("]", ""):
        return ""
    reader.take()
    char = reader.take()
    if char == "\\":
        char, _, _ = _escape(reader)
    elif char in "[-&~":
        raise DefinitionError(_message(reader, rf"a range ending in {char}; write \{char}"))
    if reader.peek() == "-" and reader.text[reader.at + 1 : reader.at + 2] != "]":
        raise DefinitionError(_message(reader, r"a - after a range; write \-"))
    return f"-{char}"


def _repetition(reader: _Reader, *, repeatable: bool) -> tuple[str, bool]:
    """The quantifier at this place, if any, and whether it has no upper bound."""
    if reader.peek() not in ("*", "+", "?", "{"):
        return "", False
    if not repeatable:
        raise DefinitionError(_message(reader, "a repetition after ^ or $ means nothing"))
    if reader.peek() == "{":
        found = _REPEAT.match(reader.text, reader.at)
        if found is None:
            raise DefinitionError(_message(reader, r"{ is written {2}, {2,} or {2,4}, or \{ for the character"))
        text, unbounded = reader.take(len(found[0])), found[2] == ","
    else:
        text = reader.take()
        unbounded = text != "?"
    if reader.peek() == "?":
        text += reader.take()
    if reader.peek() in ("*", "+", "?", "{"):
        raise DefinitionError(_message(reader, f"{text}{reader.peek()} means something else in each; use one"))
    return text, unbounded


def _message(reader: _Reader, what: str) -> str:
    return f"pattern {reader.text!r}, character {max(reader.at, 1)}: {what}"
