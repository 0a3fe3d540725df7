"""Data files by URI: whether they are still what a manifest says, and which of them made a Spark job fail.

No pyspark session is needed: footers are read with pyarrow.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from framework.datafile import DataFile, local_path, mapped, readable, size_of
from framework.errors import CacheUnavailable, InputChanged, InputCorrupt, SetupError, TeamsparkError, clip
from framework.spark.faults import S3, store_fault

_GONE: Final = re.compile(r"FILE_NOT_EXIST|PATH_NOT_FOUND|FileNotFoundException|NoSuchFileException")
_READING: Final = re.compile(
    r"FAILED_READ_FILE|CANNOT_READ_FILE|ParquetDecodingException|is not a Parquet file|" + _GONE.pattern
)
_REPLACED: Final = "RemoteFileChangedException"
_OBJECTS: Final = "s3a://"
_CACHED: Final = "alluxio://"
# A frame of a stack, or a class before a message: the client's own, or what it carries with it.
_CACHE_CLIENT: Final = re.compile(r"\balluxio\.(?:client|exception|grpc|hadoop|retry|resource|shaded|util)\.")
_PATTERN: Final = re.compile(r"[*?\[\]{}\\]")
_CAUSE: Final = re.compile(r"^Caused by: (?:[\w.$]+: )?(.*)$", re.MULTILINE)


def require_plain_names(files: Sequence[DataFile], *, where: str) -> None:
    """Spark takes some characters of a path for a pattern: it then misses the file, or reads files twice.

    Raises: SetupError naming the files.
    """
    odd = [file.uri for file in files if _PATTERN.search(file.uri)]
    if odd:
        raise SetupError(
            f"{len(odd)} input file(s) have names that Spark takes for a pattern",
            where=where,
            expected="names without * ? [ ] { } and backslashes",
            details=odd,
            next_step="rename the files or their folder",
        )


def check_files(files: Sequence[DataFile], *, where: str) -> None:
    """Compare size and rows of ``files`` with what is recorded; what only Spark can open is checked while it is read.

    Raises: InputChanged for a file that is gone, InputCorrupt for one that is not as recorded, SetupError for one that
    Spark cannot name; each names the files. StoreUnavailable.
    """
    require_plain_names(files, where=where)
    seen = [file for file in files if not file.by_spark_only]
    told = list(zip(seen, mapped(_difference, seen), strict=True))
    broken = [f"{file.uri}: {difference}" for file, difference in told if difference]
    if broken:
        raise corrupt(broken, where=where)
    gone = [file.uri for file, difference in told if difference is None]
    if gone:
        raise changed(gone, where=where)


def _difference(file: DataFile) -> str | None:
    """What is wrong with the file, or nothing; None: it is gone."""
    try:
        opened = readable(file)
        size = size_of(opened)
    except FileNotFoundError:
        return None
    if file.bytes is not None and size != file.bytes:
        return f"{size} bytes, recorded {file.bytes}"
    if file.rows is None:
        return ""
    try:
        rows = pq.read_metadata(opened).num_rows
    except (pa.ArrowException, OSError) as error:
        if isinstance(opened, Path) and not opened.exists():
            return None
        return f"its footer cannot be read ({clip(str(error), 120)})"
    return "" if rows == file.rows else f"{rows} rows, recorded {file.rows}"


def corrupt(details: Sequence[str], *, where: str) -> InputCorrupt:
    return InputCorrupt(
        f"{len(details)} input file(s) are not what was published",
        where=where,
        details=details,
        next_step="run the producer again: it publishes a new attempt, and this one is left aside",
    )


def changed(uris: Sequence[str], *, where: str) -> InputChanged:
    return InputChanged(
        f"{len(uris)} input file(s) are gone",
        where=where,
        details=uris,
        next_step="run again: the newest published attempt is read then; if none is, run the producer",
    )


@contextmanager
def reading(files: Sequence[DataFile], *, where: str) -> Iterator[None]:
    """A block in which Spark reads ``files``: its failure to read one of them becomes our error, naming the file.

    Any other failure passes through. Raises: InputCorrupt, InputChanged; StoreUnavailable or SetupError for an object
    store that does not answer or refuses; CacheUnavailable for whatever happens to a file that is read through a cache,
    since only the store can say whether it is the file.
    """
    try:
        yield
    except (PySparkException, Py4JError) as error:
        told = read_failure(error, files, where=where)
        if told is None:
            raise
        raise told from error


def read_failure(error: Exception, files: Sequence[DataFile], *, where: str) -> TeamsparkError | None:
    """What ``error`` says about ``files``; None when it is not about reading one of them."""
    text = full_text(error)
    named = [file for file in files if _names(text, file.uri)]
    cached = [file.uri for file in files if file.uri.startswith(_CACHED)]
    if _CACHE_CLIENT.search(text) and not cached:
        return None  # another block's: what it says of connections and refusals is not said of these files
    told = _cache_failure(text, cached, named, where) or _object_failure(text, files, named, where)
    if told is not None or not named or not _READING.search(text):
        return told
    try:
        check_files(named, where=where)
    except TeamsparkError as found:
        return found
    if _GONE.search(text):
        return changed([file.uri for file in named], where=where)
    return corrupt([f"{file.uri}: {clip(_reason(text), 160)}" for file in named], where=where)


def _cache_failure(text: str, cached: Sequence[str], named: Sequence[DataFile], where: str) -> TeamsparkError | None:
    read = [file.uri for file in named if file.uri.startswith(_CACHED) and _READING.search(text)]
    if not read and not (cached and _CACHE_CLIENT.search(text)):
        return None
    return CacheUnavailable(
        "the cache did not deliver an input",
        where=f"{where}: {(read or cached)[0]}",
        got=clip(_reason(text), 200),
        next_step="look at it: teamspark cache status",
    )


def _reason(text: str) -> str:
    """The innermost cause that Java tells, else the first line."""
    causes = _CAUSE.findall(text)
    return str(causes[-1]) if causes else text.strip().splitlines()[0]


def _object_failure(
    text: str, files: Sequence[DataFile], named: Sequence[DataFile], where: str
) -> TeamsparkError | None:
    """What an object store says. A store that refuses or is away often names no file."""
    on_s3 = [file for file in files if file.uri.startswith(_OBJECTS)]
    if not on_s3:
        return None
    if _REPLACED in text and named:
        return changed([file.uri for file in named], where=where)
    return store_fault(text, S3, where=f"{where}: {(list(named) or on_s3)[0].uri}")


def full_text(error: Exception) -> str:
    """The message with that of its causes, as Java tells them."""
    captured = getattr(error, "_stackTrace", None) or ""
    return f"{error}\n{captured}"


def _names(text: str, uri: str) -> bool:
    """Whether Java's ``text`` mentions ``uri``, however it spells the scheme and escapes the rest."""
    path = local_path(uri)
    name = str(path) if path is not None else uri.partition("://")[2] or uri
    return name in text or name.replace(" ", "%20") in text
