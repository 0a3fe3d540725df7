"""One hand-off by one subject: what its process is told, what it tells, and what a subject has in hand meanwhile."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.handover.memory import AT_MOST, resident
from framework.storage.s3client import Bucket


@dataclass(frozen=True, slots=True)
class Order:
    """``folder``: its own, on the disk. ``template``: a Parquet file, of which the first task leaves ``files`` copies; ``rows`` of
    all of them. ``bucket``: new and empty. ``spawned``: when its process was started, by the clock that all processes share.
    """

    subject: str
    folder: str
    template: str
    files: int
    rows: int
    endpoint: str
    bucket: str
    region: str
    spawned: float

    @property
    def left(self) -> Path:
        """Where the first task leaves its files: its output's folder, as ``framework.container`` knows it."""
        return self.root / "first" / "out" / "default"

    @property
    def root(self) -> Path:
        return Path(self.folder)

    @property
    def place(self) -> Bucket:
        return Bucket(self.bucket, "", self.endpoint, self.region)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Done:
    """``seconds`` of the hand-off, and of its ``parts``; ``start_s``: from the start of the process until there could be one.
    ``before``: bytes of memory that the process, and those that it started, had when it began; ``peaks``: the most of it at the
    end of each part; ``peak``: at the end of all.
    """

    seconds: float
    parts: Mapping[str, float]
    start_s: float
    before: int
    peaks: Mapping[str, int]
    peak: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


@dataclass
class Clock:
    """Seconds by part, and the most memory until its end. A subject that goes on after all was read says so with ``end``."""

    started: float = field(default_factory=time.monotonic)
    parts: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    ended: float | None = None

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.parts[name] = self.parts.get(name, 0.0) + time.monotonic() - began
        self.peaks[name] = resident(AT_MOST)

    def end(self, at: float | None = None) -> float:
        """Seconds of all; the first who says so is believed."""
        if self.ended is None:
            self.ended = time.monotonic() if at is None else at
        return self.ended - self.started


Handing = Callable[[Clock], int]
"""A hand-off, from the files that the first task has left to the rows that the second has read: how many."""

Subject = Callable[[Order, ExitStack], Handing]
"""What is there before a hand-off begins: clients, sessions. What has to be undone afterwards goes to the stack."""
