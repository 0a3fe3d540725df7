"""What texts of Spark, Java and Python mean: by signs, in the order in which they are believed. Pure.

Only what a sign matches is shown, so that no value of a row is. The texts are Spark 4.2's (``error-conditions.json`` and
the classes named beside them) and OpenJDK 17's; tests make most of them happen.
"""

import re
from dataclasses import dataclass
from typing import Final

from framework.diagnosis.evidence import Side


@dataclass(frozen=True, slots=True)
class Sign:
    """One kind of failure. ``remedy`` is a name in ``remedies``; ``{side}`` in ``cause`` is where it happened."""

    kind: str
    pattern: str
    cause: str
    remedy: str
    again: bool = False


_JAVA: Final = r"java\.lang\.OutOfMemoryError: "
_SPILL: Final = (
    r"DiskBlockObjectWriter|ShuffleExternalSorter|UnsafeSorterSpillWriter"
    r"|BypassMergeSortShuffleWriter|IndexShuffleBlockResolver|storage\.DiskStore"
)

_SCRATCH: Final = rf"(?s:\[SPILL_OUT_OF_MEMORY\].*?No space left on device|No space left on device.*?(?:{_SPILL}))"

# A broadcast that lacks memory, and a spill that lacks disk, are told with an OutOfMemoryError: they come before it.
SIGNS: Final = (
    Sign("metaspace", _JAVA + r"(?:Metaspace|Compressed class space)",
         "the JVM of the {side} has no room for more classes", "classes"),
    Sign("direct memory", _JAVA + r"(?:Cannot reserve \d+ bytes of direct buffer memory|Direct buffer memory)"
         r"|OutOfDirectMemoryError", "the {side} ran out of direct memory, which buffers outside the heap take", "memory"),
    Sign("threads", _JAVA + r"unable to create (?:new )?native thread",
         "the {side} may not start more threads", "memory", again=True),
    # BroadcastExchangeExec, _LEGACY_ERROR_TEMP_2250, _2248, _2249, _2097
    Sign("broadcast memory", r"Not enough memory to build and broadcast the table",
         "a table that is broadcast does not fit into memory", "broadcast"),
    Sign("broadcast size", r"Cannot broadcast the table (?:over [\d,]+ rows|that is larger than [\d.]+ ?\w+)",
         "a table is too large to be broadcast", "broadcast"),
    Sign("broadcast timeout", r"Could not execute broadcast in \d+ secs",
         "a table that is broadcast was not ready in time", "broadcast timeout", again=True),
    Sign("scratch disk", _SCRATCH,
         "the disk for temporary files of the {side} is full", "disk"),
    Sign("heap", _JAVA + r"(?:Java heap space|GC overhead limit exceeded|Requested array size exceeds VM limit)",
         "the {side} ran out of Java heap", "heap"),
    # SparkOutOfMemoryError, _LEGACY_ERROR_TEMP_2106, _2107
    Sign("task memory", r"UNABLE_TO_ACQUIRE_MEMORY|Can't acquire \d+ bytes memory to build hash relation"
         r"|There is not enough memory to build hash map|POINTER_ARRAY_OUT_OF_MEMORY",
         "a task did not get the memory that it needs", "heap"),
    Sign("java memory", r"java\.lang\.OutOfMemoryError\b", "the {side} ran out of memory in Java", "heap"),
    # TaskSetManager.canFetchMoreResults
    Sign("result size", r"Total size of serialized results of \d+ tasks \([^)\n]*\) is bigger than"
         r" spark\.driver\.maxResultSize \([^)\n]*\)", "more rows are collected in the driver than it may hold", "collect"),
    # KryoSerializerInstance, KRYO_BUFFER_OVERFLOW
    Sign("kryo buffer", r"KRYO_BUFFER_OVERFLOW|Kryo serialization failed: Buffer overflow",
         "one value is larger than Kryo's buffer", "kryo"),
    Sign("scratch disk", r"No space left on device", "a disk of the {side} is full", "disk"),
    # ExecutorPodsLifecycleManager, TaskSchedulerImpl
    Sign("executors failed", r"Max number of executor failures \(\d+\) reached|Spark context stopped while waiting for backend",
         "executors ended or were refused until Spark gave up", "lines", again=True),
    # FetchFailed, MapOutputTracker
    Sign("fetch", r"FetchFailedException|MetadataFetchFailedException: Missing an output location for shuffle \d+",
         "what an executor had kept for the next stage was gone with it", "memory", again=True),
    Sign("python memory", r"(?m:^(?:\w+\.)*_?(?:Array|Arrow)?MemoryError\b)",
         "Python ran out of memory", "python"),
    # BasePythonRunner
    Sign("python worker", r"Python worker exited unexpectedly \(crashed\)",
         "a Python worker was killed or crashed, most often for lack of memory beside Java's heap", "python"),
    Sign("module", r"(?:ModuleNotFoundError: No module named '[\w.]+'|ImportError: cannot import name '\w+' from '[\w.]+')",
         "the job imports what is not installed where it runs", "modules"),
)  # fmt: skip

LOST: Final = re.compile(r"ExecutorLostFailure \(executor \S+ exited[^)\n]*\)(?:\s+Reason:\s+[^\n]*)?")
"""``ExecutorLostFailure``: the reason follows, with the exit code where one is known."""
CODE: Final = re.compile(r"exit(?:ed with(?: exit)?)? code:? (\d+)")
OOM: Final = re.compile(r"termination reason: OOMKilled")
"""As Spark prints it of an executor's container."""
NO_ANSWER: Final = re.compile(r"Py4JNetworkError|Answer from Java side is empty")
AWAY: Final = re.compile(
    NO_ANSWER.pattern + r"|ConnectionRefusedError|ConnectionResetError|(?i:shut ?down|stopped)"
    r"|SparkContext\.dagScheduler\(\)\" is null"
)
"""How it looks from Python when the JVM is gone, or on its way out."""
_ON_EXECUTOR: Final = re.compile(r"\(TID \d+\) \(\S+ executor \d+\)")


def first_sign(text: str) -> tuple[Sign, str] | None:
    """The sign that is believed, and what it matches, on one line."""
    for sign in SIGNS:
        found = re.search(sign.pattern, text)
        if found:
            lines = found[0].splitlines()
            return sign, lines[0] if len(lines) == 1 else f"{lines[0].strip()} ... {lines[-1].strip()}"
    return None


def side_of(text: str) -> Side:
    """Where a failed task ran: on a machine alone the executor is the driver itself."""
    return "executor" if _ON_EXECUTOR.search(text) else "driver"


def is_scratch_full(text: str) -> bool:
    """Whether a disk is full that Spark keeps temporary files on, and not one that it was told to write to."""
    return re.search(_SCRATCH, text) is not None
