"""What is wrong with files from outside, told to whoever lands them: no producer here can publish them again."""

import codecs
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa

from framework.datafile import DataFile
from framework.errors import CheckFailed, InputChanged, InputCorrupt, StoreUnavailable, clip
from framework.spark.texts import text_bytes

PLACES: Final = 5
_CHUNK: Final = 2**20
_LOOKED_AT: Final = 64 * 2**20
"""Beyond so many bytes nobody looks for the line: a message is not worth another pass over the data."""

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ENCODINGS: Final = frozenset({"utf-8", "utf8", "utf-8-sig"})


@contextmanager
def landing(files: Sequence[DataFile], options: Mapping[str, str], *, where: str) -> Iterator[None]:
    """A block that reads ``files`` of a source: one that is damaged or gone is told as one that has to be landed again.

    Errors about other files pass through. Raises: InputCorrupt, InputChanged.
    """
    try:
        yield
    except (InputCorrupt, InputChanged) as error:
        mine = [(file, line) for line in error.details for file in files if line.startswith(file.uri)]
        if not mine or len(mine) < len(error.details):
            raise
        told = _gone if isinstance(error, InputChanged) else _damaged
        raise told(mine, options, where) from error


def _gone(lines: Sequence[tuple[DataFile, str]], options: Mapping[str, str], where: str) -> InputChanged:
    return InputChanged(
        f"{len(lines)} source file(s) are gone since the run was planned",
        where=where,
        details=[file.uri for file, _ in lines],
        next_step="the next try reads what is there then; leave landed files where they are, and land others beside them",
    )


def _damaged(lines: Sequence[tuple[DataFile, str]], options: Mapping[str, str], where: str) -> InputCorrupt:
    flaws = {file: _flaw(file, options) for file, _ in lines}
    encoded = any(flaw and "UTF-8" in flaw for flaw in flaws.values())
    return InputCorrupt(
        f"{len(flaws)} source file(s) cannot be read",
        where=where,
        details=[f"{file.uri}: {flaws[file]}" if flaws[file] else line for file, line in lines],
        next_step="land the file again as UTF-8, or name its encoding in sources.yaml: options: {encoding: ISO-8859-1}"
        if encoded
        else "land the file again, whole: write it under another name, then rename it",
    )


def _flaw(file: DataFile, options: Mapping[str, str]) -> str | None:
    """What a look at the bytes of a text file says; None: nothing."""
    if file.by_spark_only or _encoding(options) not in _ENCODINGS or file.uri.endswith(".parquet"):
        return None
    try:
        with text_bytes(file) as raw:
            return _not_text(raw)
    except StoreUnavailable:
        return None  # nobody knows more than before
    except (OSError, pa.ArrowException) as error:
        return f"cannot be unpacked to its end: cut short, or not what its suffix says ({clip(str(error), 120)})"


def _not_text(raw: Any) -> str | None:
    """Where the bytes of ``raw`` stop being UTF-8."""
    decoder, line, seen = codecs.getincrementaldecoder("utf-8")(), 1, 0
    while seen < _LOOKED_AT and (chunk := raw.read(_CHUNK)):
        if not seen and chunk.startswith(_UTF16):
            return "UTF-16, not UTF-8"
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            line += error.object[: error.start].count(b"\n")
            return f"not UTF-8: line {line} holds the byte 0x{error.object[error.start]:02x}"
        line += chunk.count(b"\n")
        seen += len(chunk)
    return None


def unparsed(
    error: CheckFailed, check: str, texts: Iterable[str | None], files: Sequence[DataFile], options: Mapping[str, str]
) -> CheckFailed:
    """``error`` of a source, whose rows nobody can mend before they are read, with the places of a few such rows.

    ``texts``: what could not be parsed, for looking it up; never shown.
    """
    if check not in error.failed:
        step = "mend the files, or say in the job's schema what may happen to such rows: Drop(...), Warn(...), `| None`"
        return CheckFailed(error.what, failed=error.failed, where=error.where, details=error.details, next_step=step)
    first = {text.strip("\r\n").partition("\n")[0].rstrip("\r") for text in texts if text}
    places = list(_places(first - {""}, files, _encoding(options)))
    found = f" that cannot be parsed, such as {'; '.join(places)}" if places else f" in {_named(files)}"
    return CheckFailed(
        error.what,
        failed=error.failed,
        where=error.where,
        details=[line + found if line.startswith(f"{check}:") else line for line in error.details],
        expected="rows that can be read as the job's schema declares",
        next_step="mend the files, or say on_bad: drop (or warn) in sources.yaml; "
        "where quoted text holds line breaks, options: {multiLine: 'true'}",
    )


def _named(files: Sequence[DataFile]) -> str:
    names = [file.uri.rpartition("/")[2] for file in files]
    return ", ".join(names[:PLACES]) + (f" and {len(names) - PLACES} more" if len(names) > PLACES else "")


def _places(texts: set[str], files: Sequence[DataFile], encoding: str) -> Iterator[str]:
    """File and line of the first few lines that are one of ``texts``."""
    room = PLACES
    for file in files:
        if file.by_spark_only or not texts or (file.bytes or 0) > _LOOKED_AT or not room:
            continue
        with text_bytes(file) as raw:
            lines = enumerate(io.TextIOWrapper(raw, encoding=encoding, errors="replace"), 1)
            found = [number for number, line in lines if line.rstrip("\r\n") in texts][:room]
        room -= len(found)
        if found:
            yield f"{file.uri.rpartition('/')[2]} line {', '.join(map(str, found))}"


def _encoding(options: Mapping[str, str]) -> str:
    told = {option.lower(): value for option, value in options.items()}
    return told.get("encoding", told.get("charset", "utf-8-sig")).lower()
