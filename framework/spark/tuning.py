"""Compiler and collector of a session's JVM: what they cost at the start, against what they are worth later. Pure."""

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["SHORT_JOB", "SMALL_SESSION", "heap_bytes", "tuned"]

# A compiler that is quick rather than thorough, and a collector without threads of its own: for jobs of seconds.
SHORT_JOB: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
# On two cores the thorough compiler takes from the start what it gives much later: eight times the JDK's own thresholds keep
# it for what runs long.
_LATER: Final = (
    "-XX:Tier4InvocationThreshold=40000",
    "-XX:Tier4MinInvocationThreshold=5000",
    "-XX:Tier4CompileThreshold=120000",
    "-XX:Tier4BackEdgeThreshold=320000",
)
# The JVM itself takes the serial collector on a machine with less than two processors or 1,792 MB (JEP 248). Spark takes
# a heap of 1 GiB wherever it runs, and the machine's size says nothing of it: this asks the same of the session.
_SMALL_HEAP: Final = 1792 * 2**20
_SMALL: Final = re.compile(r"local(\[[12](,\d+)?\])?")
_SPARKS_HEAP: Final = "1g"
SMALL_SESSION: Final = (*SHORT_JOB[1:], *_LATER)
_OPTIONS: Final = ("spark.driver.defaultJavaOptions", "spark.driver.extraJavaOptions")
_UNITS: Final = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def tuned(conf: Mapping[str, str], *, short_job: bool) -> tuple[str, ...]:
    """The JVM's options for a session with ``conf``; none where a person chose a collector, which may be one only.

    On two cores with a heap of 1 GiB, G1's threads take from the tasks what they work on, first of all at the start.
    """
    if any("GC" in conf.get(key, "") for key in _OPTIONS):
        return SHORT_JOB[:1] if short_job else ()
    if short_job:
        return SHORT_JOB
    small = _SMALL.fullmatch(conf["spark.master"]) is not None
    return SMALL_SESSION if small and heap_bytes(conf.get("spark.driver.memory", _SPARKS_HEAP)) < _SMALL_HEAP else ()


def heap_bytes(size: str) -> int:
    """Bytes of a size as Spark writes it: ``512m``, ``1g``; a bare number is MiB. 0 for what Spark cannot read."""
    number = size.strip().lower().removesuffix("b")
    unit = number[-1:] if number[-1:] in _UNITS else ""
    digits = number.removesuffix(unit)
    # What Spark cannot read, it will complain about itself.
    return int(digits) * (_UNITS[unit] if unit else 2**20) if digits.isdigit() else 0
