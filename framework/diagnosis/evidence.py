"""What was seen of a run that ended, and what is concluded from it. Frozen records, no I/O."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Where: TypeAlias = Literal["cluster", "machine"]
Side: TypeAlias = Literal["driver", "executor", "program"]


class Reason(StrEnum):
    """What a machine says of a process of a run, in our words: a launcher translates its own."""

    MEMORY = "memory"
    """It needed more memory than its place may have."""
    DISK = "disk"
    """It was taken away because it filled a disk."""
    TAKEN = "taken"
    """It was taken away for the machine's own reasons; it did nothing wrong."""
    IMAGE = "image"
    """Its image cannot be fetched."""
    IMAGE_NAME = "image name"
    """What is given for its image is no name of one, or is not where it must be."""
    CONTAINER = "container"
    """Its container cannot be made or started."""
    FILES = "files"
    """Files that it needs are not there."""
    STARTING = "starting"
    """It is being made; nothing is wrong yet."""
    NODE = "node"
    """No machine has room for it."""
    QUOTA = "quota"
    """The team's quota is used up."""
    PROGRAM = "program"
    """It is another image's program, and ended with an error of its own."""
    ROOT = "root"
    """Its image runs as root, or as a user that only the image can tell from root."""
    POLICY = "policy"
    """The place does not take it as it is."""


@dataclass(frozen=True, slots=True)
class End:
    """How one process ended, or why it never began. ``exit_code``: negative for a signal; ``message``: the machine's own words."""

    exit_code: int | None = None
    reason: Reason | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that may be seen of a run; what is not known is left out.

    ``jvm``: how the JVM ended, when the driver's own process did not. ``error``: what the driver caught, class first, with
    the causes that Java tells. ``log``: the end of what the driver printed. ``where`` it ran: settings differ.
    """

    driver: End = End()
    jvm: int | None = None
    error: str = field(repr=False, default="")
    log: str = field(repr=False, default="")
    executors: tuple[End, ...] = ()
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The verdict. ``kind``: which row of the tables it is. ``seen``: what decided, without a value of a row.

    ``change``: the setting, argument or line that mends it. ``again``: whether another try may help with nothing changed.
    """

    kind: str
    cause: str
    seen: str
    change: str
    again: bool = False
