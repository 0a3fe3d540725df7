"""How things are printed: facts to stdout, talk to stderr, JSON when asked. Text of others is never read as markup."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from framework.errors import MAX_VALUE, clip

# A pipe has no width: nothing that a script reads is cut or wrapped.
WIDE: Final = 10_000
UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def out() -> Console:
    """Standard output, as it is now."""
    return _console(stderr=False)


def err() -> Console:
    """Standard error, as it is now."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(stderr=stderr, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def say(text: str = "", *, style: str | None = None) -> None:
    """One line of the answer."""
    out().print(text, style=style)


def remark(text: str, *, style: str | None = None) -> None:
    """A line beside the answer, on stderr."""
    err().print(text, style=style)


def as_json(value: Any) -> None:
    """``value`` as the whole answer: one JSON document, indented, keys as given."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()) -> None:
    """A table; columns named in ``right`` are aligned to the right. A terminal folds long cells, a pipe does not."""
    numbers = set(right)
    grid = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False, show_edge=False)
    for head in heads:
        grid.add_column(head, justify="right" if head in numbers else "left", overflow="fold")
    for row in rows:
        grid.add_row(*("" if cell is None else visible(str(cell)) for cell in row))
    out().print(grid)


def visible(text: str, limit: int = MAX_VALUE) -> str:
    """``text`` on one line: a cell that held a line break would look like a row of its own."""
    return clip(text, limit).replace("\n", "\\n")


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Name and value, one a line."""
    known = [(name, value) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        say(f"  {name:<{width}}  {visible(str(value), 2000)}")


def size(count: int) -> str:
    """``count`` bytes for people: ``12.3 KiB``."""
    value = float(count)
    for unit in UNITS:
        if value < 1024 or unit == UNITS[-1]:
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
