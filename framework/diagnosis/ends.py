"""What ends of processes mean: a machine's reasons, signals, exit codes of the JVM, of Spark and of our own. Pure.

Sources: Spark 4.2, ``SparkExitCode`` and ``ExecutorExitCode``; bash, "Exit Status"; sysexits.h for our own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from framework.diagnosis.evidence import End, Reason, Side

_SIGNALLED: Final = 128


@dataclass(frozen=True, slots=True)
class Meaning:
    """``{side}`` in ``cause`` is the process; ``remedy`` is a name in ``remedies``."""

    kind: str
    cause: str
    remedy: str
    again: bool = False


REASONS: Final[Mapping[Reason, Meaning]] = {
    Reason.MEMORY: Meaning("out of memory", "the {side} needed more memory than it may have", "memory"),
    Reason.DISK: Meaning("disk pressure", "the {side} was taken away because a disk was full", "disk", again=True),
    Reason.TAKEN: Meaning("taken away", "the cluster took the {side} away", "nothing", again=True),
    Reason.IMAGE: Meaning("image", "the image cannot be fetched", "image", again=True),
    Reason.IMAGE_NAME: Meaning("image name", "the image's name is none, or it is not on the node and may not be fetched", "image"),
    Reason.CONTAINER: Meaning("container", "the container cannot be made or started", "container"),
    Reason.FILES: Meaning("files", "files that the {side} needs are not there", "nothing", again=True),
    Reason.STARTING: Meaning("starting", "the container of the {side} is being made", "nothing", again=True),
    Reason.NODE: Meaning("no node", "no node has room for the {side}", "node", again=True),
    Reason.QUOTA: Meaning("quota", "the team's quota has no room for the {side}", "quota", again=True),
    Reason.PROGRAM: Meaning("program", "the image's own program failed", "program", again=True),
    Reason.ROOT: Meaning("root", "the image runs as root, or as a user without a number", "root"),
    Reason.POLICY: Meaning("policy", "the {side} is not admitted", "policy"),
}  # fmt: skip

# Of the JVM, as it is or as a program of Spark ends it.
CODES: Final[Mapping[int, Meaning]] = {
    11: Meaning("executors failed", "executors ended or were refused until Spark gave up", "lines", again=True),
    50: Meaning("uncaught", "the {side} ended by an error that nobody caught", "lines"),
    51: Meaning("uncaught", "the {side} ended by an error that nobody caught", "lines"),
    52: Meaning("heap", "the {side} ran out of Java heap", "heap"),
    53: Meaning("local folder", "the {side} could not make its folder for temporary files", "disk", again=True),
    56: Meaning("heartbeat", "the {side} was too busy to tell that it lives, most often collecting garbage", "patience", again=True),
    58: Meaning("heartbeat", "the {side} lost its place among the others, most often by collecting garbage", "patience", again=True),
    134: Meaning("crash", "the JVM of the {side} crashed", "report", again=True),
    135: Meaning("crash", "the JVM of the {side} crashed: memory that it had mapped was gone", "report", again=True),
    137: Meaning("killed", "the {side} was killed (signal 9), most often because the machine had no memory left", "memory", again=True),
    139: Meaning("crash", "the JVM of the {side} crashed", "report", again=True),
    143: Meaning("ended", "somebody ended the {side} (signal 15): a person, a shutdown, or the cluster", "ended", again=True),
}  # fmt: skip

# Of a driver that left no result, where its own words are the log.
OURS: Final[Mapping[int, Meaning]] = {
    64: Meaning("configuration", "the run found its configuration wrong", "lines"),
    65: Meaning("final error", "the run ended with an error that a retry does not mend", "lines"),
    74: Meaning("retryable error", "the run ended with an error that time may mend", "lines", again=True),
    75: Meaning("not yet", "an input was not published yet", "nothing", again=True),
    78: Meaning("credentials", "the run could not read its credentials", "lines"),
    126: Meaning("command", "the run's program may not be executed", "lines"),
    127: Meaning("command", "the run's program is not there", "lines"),
    130: Meaning("interrupted", "somebody interrupted the run", "ended", again=True),
}


def sentence(reason: Reason, side: Side) -> str:
    """What ``reason`` means for a process of that ``side``, for a person."""
    return REASONS[reason].cause.format(side=side)


def code_of(end: End) -> int | None:
    """As a shell tells it: 137 for a process that signal 9 ended."""
    code = end.exit_code
    return None if code is None else code if code >= 0 else _SIGNALLED - code
