"""What ``prepare`` leaves for ``publish``, where the program between them cannot reach it."""

from collections.abc import Mapping
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from framework.config import DataMode
from framework.identity import RunKey
from framework.manifest import Claim, InputEntry
from framework.records import Record


class Taken(Record):
    """An attempt that was claimed before the program ran, because it writes to where the attempt is."""

    number: PositiveInt
    claim: Claim


class Read(Record):
    """A published attempt that the program reads."""

    key: RunKey
    attempt: PositiveInt


class Remembered(Record):
    """``seen``: the claims that there were when the run was planned, as (number, token). ``reads``: what ``inputs`` names.
    ``remarks``: for the report.
    """

    version: Literal[1] = 1
    data: DataMode
    seen: tuple[tuple[int, str], ...] | None
    inputs: tuple[InputEntry, ...] = ()
    reads: tuple[Read, ...] = ()
    attempt: Taken | None = None
    bytes_hot: NonNegativeInt = 0
    bytes_cold: NonNegativeInt = 0
    remarks: tuple[str, ...] = ()
    seconds: Mapping[str, float] = {}
