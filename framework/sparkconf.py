"""Which Spark settings the platform forces and which an author may make. Pure, small, read at DAG parse: no pyspark.

What is not in ``ALLOWED`` is refused. Every allowed setting has a form for its value, and no form is free text: a class
to load, a path, or ``${env:...}``, which Spark replaces by a variable of its environment, fits none of them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from framework.errors import ConfigError, clip

Reason: TypeAlias = Literal["the platform sets it", "it loads code into the driver", "unknown here"]

PLATFORM: Final[Reason] = "the platform sets it"
CODE: Final[Reason] = "it loads code into the driver"
UNKNOWN: Final[Reason] = "unknown here"

# Reasons are in framework/spark/README.md: each line is one way to write or read something other than what was meant.
FORCED: Final[Mapping[str, str]] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.mergeSchema": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.hadoop.parquet.page.write-checksum.enabled": "true",
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "true",
}


@dataclass(frozen=True, slots=True)
class Form:
    """What a value looks like: in words, and as a pattern without regard to case."""

    words: str
    pattern: str

    def fits(self, value: object) -> bool:
        text = str(value) if isinstance(value, str | bool | int | float) else ""
        # ASCII: without it the Kelvin sign is a k, and Arabic digits are digits.
        return re.fullmatch(self.pattern, text, re.IGNORECASE | re.ASCII) is not None


def _one_of(*words: str) -> Form:
    return Form(f"one of {', '.join(words)}", "|".join(map(re.escape, words)))


_FLAG: Final = Form("true or false", "true|false")
_COUNT: Final = Form("a whole number", r"\d{1,12}")
_RATIO: Final = Form("a number", r"\d{1,6}(\.\d{1,9})?")
_SIZE: Final = Form("a size such as 512m", r"-?\d{1,15}[kmgtp]?b?")
_TIME: Final = Form("a time such as 120s", r"\d{1,12}(us|ms|s|m|min|h|d)?")
# For families. No class is named so: a family cannot load one, whatever a later Spark adds to it.
_SCALAR: Final = Form(
    "a number, a size, a time, true or false", "|".join(f.pattern for f in (_FLAG, _COUNT, _RATIO, _SIZE, _TIME))
)

ALLOWED: Final[Mapping[str, Form]] = {
    # How much of the machine. How much is too much is for whoever launches to say.
    "spark.driver.cores": _COUNT,
    "spark.driver.maxResultSize": _SIZE,
    "spark.driver.memory": _SIZE,
    "spark.driver.memoryOverhead": _SIZE,
    "spark.executor.cores": _COUNT,
    "spark.executor.memory": _SIZE,
    "spark.executor.memoryOverhead": _SIZE,
    "spark.executor.pyspark.memory": _SIZE,
    "spark.memory.*": _SCALAR,
    # In how many pieces, how they are joined, how they move.
    "spark.default.parallelism": _COUNT,
    "spark.sql.adaptive.*": _SCALAR,
    "spark.sql.autoBroadcastJoinThreshold": _SIZE,
    "spark.sql.broadcastTimeout": _TIME,
    "spark.sql.join.*": _SCALAR,
    "spark.sql.shuffle.partitions": _COUNT,
    "spark.reducer.maxSizeInFlight": _SIZE,
    "spark.shuffle.compress": _FLAG,
    "spark.shuffle.spill.compress": _FLAG,
    # Planning. Not all of the optimizer: it has switches back to counts that Spark itself calls incorrect.
    "spark.sql.codegen.*": _SCALAR,
    "spark.sql.constraintPropagation.enabled": _FLAG,
    "spark.sql.debug.maxToStringFields": _COUNT,
    "spark.sql.optimizer.maxIterations": _COUNT,
    "spark.sql.optimizer.runtime.bloomFilter.*": _SCALAR,
    # Reading and writing: how fast and in what sizes; never what, where or by whom.
    "spark.hadoop.parquet.block.size": _COUNT,
    "spark.sql.files.maxPartitionBytes": _SIZE,
    "spark.sql.files.maxRecordsPerFile": _COUNT,
    "spark.sql.files.minPartitionNum": _COUNT,
    "spark.sql.files.openCostInBytes": _SIZE,
    "spark.sql.inMemoryColumnarStorage.*": _SCALAR,
    "spark.sql.parquet.compression.codec": _one_of("none", "uncompressed", "snappy", "gzip", "zstd", "lz4", "lz4_raw"),
    "spark.sql.parquet.enableVectorizedReader": _FLAG,
    "spark.sql.parquet.filterPushdown": _FLAG,
    # Spark would load a class of any other name.
    "spark.io.compression.codec": _one_of("lz4", "lzf", "snappy", "zstd"),
    "spark.kryoserializer.buffer.max": _SIZE,
    "spark.serializer": _one_of("org.apache.spark.serializer.KryoSerializer"),
    # Python workers, not their programs.
    "spark.python.worker.reuse": _FLAG,
    "spark.sql.execution.arrow.*": _SCALAR,
    "spark.sql.execution.pythonUDF.arrow.enabled": _FLAG,
    # Patience, and what a person sees. A log at DEBUG holds the headers of requests, tokens among them.
    "spark.executor.heartbeatInterval": _TIME,
    "spark.locality.wait": _TIME,
    "spark.log.level": _one_of("INFO", "WARN", "ERROR", "OFF"),
    "spark.network.timeout": _TIME,
    "spark.task.maxFailures": _COUNT,
    "spark.ui.enabled": _FLAG,
}

# Why something is refused, for the message only: what is in no table is refused as well. A name stands for itself and
# for all below it.
_LOADS_CODE: Final = (
    "spark.archives", "spark.files", "spark.jars", "spark.submit.pyFiles", "spark.repl",
    "spark.driver.defaultExtraClassPath", "spark.driver.defaultJavaOptions", "spark.driver.extraClassPath",
    "spark.driver.extraJavaOptions", "spark.driver.extraLibraryPath", "spark.driver.userClassPathFirst",
    "spark.extraListeners", "spark.plugins", "spark.metrics", "spark.ui.filters", "spark.kryo",
    "spark.shuffle.manager", "spark.shuffle.sort.io.plugin", "spark.closure.serializer",
    "spark.pyspark", "spark.python.daemon.module", "spark.python.worker.module", "spark.sql.execution.pyspark.python",
    "spark.r", "spark.sql.cache.serializer", "spark.sql.catalog", "spark.sql.extensions", "spark.sql.hive",
    "spark.sql.queryExecutionListeners", "spark.sql.parquet.output.committer", "spark.sql.sources.commitProtocolClass",
    "spark.sql.sources.outputCommitterClass", "spark.sql.streaming.streamingQueryListeners",
)  # fmt: skip
_THE_PLATFORMS: Final = (
    "spark.acls", "spark.admin", "spark.app", "spark.authenticate", "spark.blockManager", "spark.cores",
    "spark.driver.bindAddress", "spark.driver.blockManager", "spark.driver.host", "spark.driver.port",
    "spark.dynamicAllocation", "spark.eventLog", "spark.executor.defaultJavaOptions", "spark.executor.extraClassPath",
    "spark.executor.extraJavaOptions", "spark.executor.extraLibraryPath", "spark.executor.instances",
    "spark.executorEnv", "spark.hadoop", "spark.home", "spark.io.encryption", "spark.kerberos", "spark.kubernetes",
    "spark.local", "spark.master", "spark.modify", "spark.network.crypto", "spark.redaction", "spark.security",
    "spark.shuffle.service", "spark.speculation", "spark.ssl", "spark.submit", "spark.ui.port", "spark.ui.proxyBase",
    "spark.sql.ansi", "spark.sql.legacy", "spark.sql.redaction", "spark.sql.sources", "spark.sql.warehouse",
    "spark.yarn",
)  # fmt: skip
REFUSED: Final[Mapping[str, Reason]] = {
    **dict.fromkeys(_THE_PLATFORMS, PLATFORM),
    **dict.fromkeys(_LOADS_CODE, CODE),
}

_NAME: Final = re.compile(r"[A-Za-z0-9]+(\.[A-Za-z0-9_-]+)*")
_TEMPLATE: Final = ("{{", "{%")


def require_allowed(conf: Mapping[str, object], *, where: object) -> None:
    """Refuse settings ``conf`` that an author may not make. Raises: ConfigError with every key and never a value."""
    lines = refusals(conf)
    if lines:
        raise ConfigError(
            f"{len(lines)} Spark setting(s) that a job's author cannot make",
            where=where,
            details=lines,
            next_step="remove or mend them; framework/spark/README.md says which there are",
        )


def heard(conf: Mapping[str, str]) -> dict[str, str]:
    """What of ``conf`` an author might say: all that is heard of anybody where a platform says where and how large a run is."""
    return {key: value for key, value in conf.items() if not refusals({key: value})}


def refusals(conf: Mapping[str, object], *, rendered: bool = True) -> tuple[str, ...]:
    """One line for each refused key of ``conf``. Before it is rendered, a template's value is not looked at."""
    later = () if rendered else _TEMPLATE
    lines = (
        _refusal(str(key), value, any(isinstance(value, str) and mark in value for mark in later))
        for key, value in conf.items()
    )
    return tuple(line for line in lines if line)


def _refusal(key: str, value: object, later: bool) -> str:
    form = _one_of(FORCED[key]) if key in FORCED else _form(key)
    shown = clip(key if _NAME.fullmatch(key) else repr(key), 80)
    if form is None:
        reason = next((REFUSED[name] for name in _upwards(key) if name in REFUSED), UNKNOWN)
        return f"{shown}: {reason}{_nearest(key) if reason == UNKNOWN else ''}"
    if later or form.fits(value):
        return ""
    return f"{shown}: {PLATFORM}, to {FORCED[key]}" if key in FORCED else f"{shown}: expected {form.words}"


def _form(key: str) -> Form | None:
    if not _NAME.fullmatch(key):
        return None
    names = (key, *(f"{above}.*" for above in _upwards(key) if above != key))
    return next((ALLOWED[name] for name in names if name in ALLOWED), None)


def _upwards(key: str) -> Iterator[str]:
    """``a.b.c``, ``a.b``, ``a``."""
    while key:
        yield key
        key = key.rpartition(".")[0]


def _nearest(key: str) -> str:
    """A hint for a misspelt key. Of a family only the name can be misspelt; what follows is taken as it is."""
    from difflib import get_close_matches

    words = key[:120].split(".")
    known = [name for name in (*ALLOWED, *FORCED) if not name.endswith(".*")]
    for family in (name.removesuffix(".*") for name in ALLOWED if name.endswith(".*")):
        length = family.count(".") + 1
        if words[length:] and get_close_matches(".".join(words[:length]), [family], cutoff=0.9):
            known.append(".".join([family, *words[length:]]))
    close = get_close_matches(".".join(words), known, n=1, cutoff=0.85)
    return f" (did you mean {close[0]!r}?)" if close and close[0] != key else ""
