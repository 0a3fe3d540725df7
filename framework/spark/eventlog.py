"""The event log of one session: how Spark is told to write it, and how it is read back, redacted and packed.

Spark writes it into a folder of this machine, which works whatever the store is and costs no request while the run lasts.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from framework.spark.redaction import PATTERN, Redactor

if TYPE_CHECKING:
    import pyarrow as pa

ENABLED: Final = "spark.eventLog.enabled"
SWITCH: Final[Mapping[str, str]] = MappingProxyType({ENABLED: "true"})
"""The platform's default: ``spark-submit`` (a team's connection), the team and whoever launches may switch it off."""

MAX_BYTES: Final = 32 * 2**20
"""Packed. At about 100 bytes a task that is more tasks than Spark's UI remembers (100,000), so more would not be shown."""

_UNFINISHED: Final = ".inprogress"
_STARTED: Final = b'"Event":"SparkListenerApplicationStart"'

_MAX_TEXT: Final = 2**30  # unpacked, what is looked through: a plan that repeats itself packs well
_MAX_LINE: Final = 2**24
_CHUNK: Final = 2**12  # of a log that was broken off, at most so much of its last events is lost
_LOOK_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Packed:
    """A log as it is kept: redacted events, a line each, packed by zstd. ``cut``: its end is not in it."""

    data: bytes
    cut: bool = False


def event_settings(folder: Path) -> dict[str, str]:
    """What nobody overrides of a log that is written into ``folder``."""
    return {
        "spark.eventLog.dir": f"file://{folder}",
        "spark.eventLog.compress": "true",
        "spark.eventLog.compression.codec": "zstd",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.overwrite": "true",
        # The same numbers once more, half of the log.
        "spark.eventLog.includeTaskMetricsAccumulators": "false",
        "spark.redaction.regex": PATTERN,
    }


@contextmanager
def bounded(
    folder: Path, cut: Callable[[], None], *, limit: int = MAX_BYTES, look_s: float = _LOOK_S
) -> Iterator[None]:
    """While it lasts ``cut`` is called once if the log in ``folder`` outgrows ``limit``: a pod's disk has an end too."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(look_s):
            if _size(folder) > limit:
                cut()
                return

    watcher = threading.Thread(target=watch, name="teamspark-event-log", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join(timeout=5)


def pack(folder: Path, redactor: Redactor, *, limit: int = MAX_BYTES) -> Packed | None:
    """The log in ``folder``, also of a JVM that was killed; None where no application has begun. Raises: OSError."""
    import pyarrow as pa  # only now: where nothing was logged nobody pays for it

    found = next((path for path in sorted(folder.iterdir()) if not path.name.startswith(".")), None)
    if found is None:
        return None
    sink = pa.BufferOutputStream()
    begun, whole = False, found.suffix != _UNFINISHED
    with pa.OSFile(str(found)) as source, pa.CompressedOutputStream(sink, "zstd") as out:
        for line in _lines(source):
            if line is None or sink.tell() > limit:
                whole = False
                break
            begun = begun or _STARTED in line
            out.write(redactor.line(line))
    return Packed(sink.getvalue().to_pybytes(), cut=not whole) if begun else None


def application_of(data: bytes) -> str | None:
    """The id of the application that a packed log is of; None where it tells of none."""
    import pyarrow as pa

    for line in _lines(pa.BufferReader(data)):
        if line is None:
            return None
        if _STARTED in line:
            found = json.loads(line).get("App ID")
            return found if isinstance(found, str) else None
    return None


def _size(folder: Path) -> int:
    with suppress(OSError):  # renamed at this moment
        return sum(path.stat().st_size for path in folder.iterdir())
    return 0


def _chunks(source: "pa.NativeFile") -> Iterator[bytes]:
    import pyarrow as pa

    stream = pa.CompressedInputStream(source, "zstd")
    with suppress(OSError):  # whoever wrote it was killed: what came before is whole
        while chunk := stream.read(_CHUNK):
            yield chunk


def _lines(source: "pa.NativeFile") -> Iterator[bytes | None]:
    """Whole lines; what is longer than any event should be is left out. None: there is too much of it."""
    read, size, begun = 0, 0, list[bytes]()
    for chunk in _chunks(source):
        read += len(chunk)
        if read > _MAX_TEXT:
            yield None
            return
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            if size <= _MAX_LINE:
                yield b"".join((*begun, end, b"\n"))
            size, begun = 0, []
        size += len(rest)
        if size <= _MAX_LINE:
            begun.append(rest)
