"""Regular expressions that pydantic (Rust) and Spark (Java) read alike.

Both search: a pattern that is found anywhere in the text passes. ``portable`` accepts the part of the syntax that means
the same in both, and in Python, and writes out the two things that Java reads differently: ``.`` and ``$``. ``sample``
makes texts that match, for rows that a test does not spell out.
"""

import re
from collections.abc import Callable
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
# Java's $ also matches before a final line break, its dot leaves out more line breaks than \n.
_END: Final = r"\z"
_NO_LINE_BREAK: Final = r"[^\n]"
_SAMPLES: Final = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ -_.,:;/!"


@dataclass(slots=True)
class _Odometer:
    """A number handed out digit by digit, so that counting it up changes the first choices first."""

    count: int

    def digit(self, base: int) -> int:
        self.count, digit = divmod(self.count, base)
        return digit


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a pattern: its portable text, a way to a text that it matches, and what may follow it.

    ``loops``: it holds a repetition without an upper bound.
    """

    written: str
    sample: Callable[[_Odometer], str]
    repeatable: bool = True
    loops: bool = False


def _literal(written: str, char: str) -> _Part:
    return _Part(written, lambda _: char)


def _anchor(written: str) -> _Part:
    return _Part(written, lambda _: "", repeatable=False)


def _one_of(written: str, members: str) -> _Part:
    return _Part(written, lambda odometer: members[odometer.digit(len(members))])


@dataclass(slots=True)
class _Reader:
    """A pattern and how far it is read."""

    text: str
    at: int = 0

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def take(self, count: int = 1) -> str:
        taken = self.peek(count)
        self.at += count
        return taken

    def refuse(self, what: str) -> DefinitionError:
        return DefinitionError(f"pattern {self.text!r}, character {max(min(self.at, len(self.text)), 1)}: {what}")


def portable(pattern: str) -> str:
    """``pattern`` as text that Java and Rust judge alike.

    Raises: DefinitionError naming the part that is not portable, and what to write instead.
    """
    written = _parsed(pattern).written
    try:
        SchemaValidator(core_schema.str_schema(pattern=written))
    except SchemaError as error:
        raise DefinitionError(f"pattern {pattern!r}: {str(error).splitlines()[-1].strip()}") from error
    return written


def sample(pattern: str, nth: int) -> str:
    """The text number ``nth`` that ``pattern`` matches, short, other numbers giving other texts while there are any.

    Raises: DefinitionError when the pattern is not portable.
    """
    return _parsed(pattern).sample(_Odometer(nth))


def _parsed(pattern: str) -> _Part:
    reader = _Reader(pattern)
    whole = _alternatives(reader)
    if reader.at < len(pattern):
        raise reader.refuse("a ) without a (")
    return whole


def _alternatives(reader: _Reader) -> _Part:
    """Branches up to the closing ``)`` or the end."""
    branches = [_branch(reader)]
    while reader.peek() == "|":
        reader.take()
        branches.append(_branch(reader))
    return _Part(
        "|".join(branch.written for branch in branches),
        lambda odometer: branches[odometer.digit(len(branches))].sample(odometer),
        loops=any(branch.loops for branch in branches),
    )


def _branch(reader: _Reader) -> _Part:
    parts: list[_Part] = []
    while (char := reader.peek()) and char not in "|)":
        parts.append(_repeated(reader, _atom(reader)))
    return _Part(
        "".join(part.written for part in parts),
        lambda odometer: "".join(part.sample(odometer) for part in parts),
        loops=any(part.loops for part in parts),
    )


def _atom(reader: _Reader) -> _Part:
    """One thing that a quantifier may follow."""
    char = reader.take()
    match char:
        case "(":
            return _group(reader)
        case "[":
            return _klass(reader)
        case "\\":
            return _escape(reader)
        case "^" | "$":
            return _anchor("^" if char == "^" else _END)
        case ".":
            return _one_of(_NO_LINE_BREAK, _SAMPLES)
    if char in "*+?{}]":
        raise reader.refuse(rf"{char} stands where nothing can be repeated; write \{char} for the character")
    return _literal(char, char)


def _group(reader: _Reader) -> _Part:
    opening = "("
    if reader.peek() == "?":
        if reader.peek(2) != "?:":
            raise reader.refuse("of the groups (?...) only (?:...) is the same everywhere")
        opening += reader.take(2)
    inside = _alternatives(reader)
    if reader.take() != ")":
        raise reader.refuse("a ( without a )")
    return _Part(f"{opening}{inside.written})", inside.sample, loops=inside.loops)


def _escape(reader: _Reader) -> _Part:
    char = reader.take()
    if char and (char in _META or char in _CONTROLS):
        return _literal(f"\\{char}", _CONTROLS.get(char, char))
    if char in ("A", "z"):
        return _anchor(f"\\{char}")
    instead = f"; write {_ASCII[char]}" if char in _ASCII else ""
    raise reader.refuse(rf"\{char} differs between Rust, Java and Python{instead}")


def _klass(reader: _Reader) -> _Part:
    """A bracketed class up to its ``]``: single characters and ranges, nothing that nests or intersects."""
    negated = reader.peek() == "^" and bool(reader.take())
    written, members = "", ""
    while reader.peek() != "]" or not written:
        low = _member(reader)
        high = _range_end(reader)
        written += low.written + (f"-{high.written}" if high else "")
        members += _between(reader, low, high) if high else low.sample(_Odometer(0))
    reader.take()
    if not negated:
        return _one_of(f"[{written}]", members)
    others = "".join(char for char in _SAMPLES if not re.match(f"[{written}]", char))
    return _one_of(f"[^{written}]", others or "\N{SNOWMAN}")


def _member(reader: _Reader) -> _Part:
    char = reader.take()
    if char in ("", "[", "]"):
        raise reader.refuse(r"in [...], write \[ and \], and close it with ]")
    if char == reader.peek() and char in "&-~":
        raise reader.refuse(f"{char}{char} in [...] means something else in each; escape it")
    if char != "\\":
        return _literal(char, char)
    part = _escape(reader)
    if not part.repeatable:
        raise reader.refuse(f"{part.written} inside [...] is no character")
    return part


def _range_end(reader: _Reader) -> _Part | None:
    if reader.peek() != "-" or reader.peek(2) in ("-]", "-"):
        return None
    reader.take()
    if reader.peek() == "-":
        raise reader.refuse(r"a range ending in -; write \-")
    high = _member(reader)
    if reader.peek() == "-" and reader.peek(2) != "-]":
        raise reader.refuse(r"a - after a range; write \-")
    return high


def _between(reader: _Reader, low: _Part, high: _Part) -> str:
    """Up to a hundred characters of a range."""
    first, last = (ord(part.sample(_Odometer(0))) for part in (low, high))
    if first > last:
        raise reader.refuse(f"the range {low.written}-{high.written} is empty")
    return "".join(map(chr, range(first, min(last, first + 99) + 1)))


def _repeated(reader: _Reader, part: _Part) -> _Part:
    """``part`` with the quantifier that follows it, if any."""
    if reader.peek() not in ("*", "+", "?", "{"):
        return part
    if not part.repeatable:
        raise reader.refuse("a repetition after ^ or $ means nothing")
    text, least, unbounded = _quantifier(reader)
    if part.loops and unbounded:
        raise reader.refuse("a repetition inside a repetition can take for ever in Java")
    return _Part(
        part.written + text,
        lambda odometer: "".join(part.sample(odometer) for _ in range(least)),
        loops=part.loops or unbounded,
    )


def _quantifier(reader: _Reader) -> tuple[str, int, bool]:
    """Its text, the least number of repetitions, and whether it has no upper bound."""
    if reader.peek() == "{":
        found = _REPEAT.match(reader.text, reader.at)
        if found is None or (found[3] and int(found[3]) < int(found[1])):
            raise reader.refuse(r"{ is written {2}, {2,} or {2,4}, or \{ for the character")
        text, least, unbounded = reader.take(len(found[0])), int(found[1]), found[2] == ","
    else:
        text = reader.take()
        least, unbounded = int(text == "+"), text != "?"
    if reader.peek() == "?":
        text += reader.take()
    if reader.peek() and reader.peek() in "*+?{":
        raise reader.refuse(f"{text}{reader.peek()} means something else in each; use one")
    return text, least, unbounded
