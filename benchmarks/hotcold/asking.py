"""The questions, each answered by rounds of interleaved reads of the same bytes from different places."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.hotcold.changes import dying, handed_over, streams
from benchmarks.hotcold.noise import Steal
from benchmarks.hotcold.place import Place
from benchmarks.hotcold.queries import NARROW, NARROW_COLUMNS, TPCH
from benchmarks.hotcold.reading import COLD, HOT, LOCAL, S3A, Reader, all_cold, all_hot, from_store
from benchmarks.pairs import Answer, Run, quiet_pairs
from framework.datafile import DataFile
from framework.runner.narrow import chunks_of, wasteful

HOT_OVER_LOCAL: Final = 1.10
HOT_OVER_S3A_REGION: Final = 0.50
LEFT_OF_WHAT_A_CACHE_SAVES: Final = 0.10
RAW_OVER_LOCAL: Final = 1.50
COLD_OVER_S3A: Final = 1.15
FETCHED_OVER_NEEDED: Final = 2.0
CANARY_S: Final = 0.05
NULL, CANARY = "the same again", "the same, 50 ms slower"
AS_A_RUN: Final = "as a run reads them"
TRUSTED: Final = "Q6"
"""The shortest of the queries: in a longer one 50 ms are lost."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked: which of TPC-H's queries, rounds after warming up, and whether what changes the place is, too."""

    queries: tuple[str, ...] = tuple(TPCH)
    rounds: int = 7
    warm_up: int = 2
    changes: bool = True


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks ``place``; ``slow``: its store is far away, so that a cache has something to save."""

    place: Place
    reader: Reader
    plan: Plan
    slow: bool

    def answers(self) -> Iterator[Answer]:
        all_hot(self.place)
        before = from_store(self.place)
        for name in self.plan.queries:
            yield from self._query(name)
        yield self._raw()
        yield self._trust()
        fetched = from_store(self.place) - before
        if fetched:
            raise AssertionError(f"void: {fetched:,} bytes came from the store while all was hot")
        yield self._cold()
        yield self._narrow()
        if self.plan.changes:
            yield from streams(self.place)
            yield handed_over(self.place)
            yield dying(self.place)

    def _query(self, name: str) -> Iterator[Answer]:
        reads = {where: self.reader.timed(name, TPCH[name], where) for where in (LOCAL, S3A, HOT)}
        seconds, notes = self._pairs(reads)
        yield Answer(f"{name}: seconds over the local page cache", LOCAL, seconds, {HOT: HOT_OVER_LOCAL}, notes)
        if self.slow:
            hot = {where: seconds[where] for where in (S3A, HOT)}
            yield Answer(f"{name}: seconds over S3A", S3A, hot, {HOT: HOT_OVER_S3A_REGION})
            yield _left(name, seconds)

    def _raw(self) -> Answer:
        seconds, notes = self._pairs({where: self.reader.copied("lineitem", where) for where in (LOCAL, HOT)})
        return Answer("plain bytes: seconds over the local page cache", LOCAL, seconds, {HOT: RAW_OVER_LOCAL}, notes)

    def _trust(self) -> Answer:
        """Can a difference be believed? The same read twice has none; 50 ms more on one side have to be seen."""
        name = self.plan.queries[-1] if TRUSTED not in self.plan.queries else TRUSTED
        read = self.reader.timed(name, TPCH[name], LOCAL)

        def slower() -> float:
            time.sleep(CANARY_S)
            return read() + CANARY_S

        seconds, notes = self._pairs({LOCAL: read, NULL: read, CANARY: slower})
        answer = Answer(f"{name}: the null benchmark and the canary", LOCAL, seconds)
        return replace(answer, notes=(*notes, *_doubts(answer)))

    def _cold(self) -> Answer:
        def cold() -> float:
            all_cold(self.place)
            return self.reader.scanned("lineitem", COLD)()

        seconds, notes = self._pairs({S3A: self.reader.scanned("lineitem", S3A), COLD: cold})
        return Answer(
            "a scan of all columns that fills the cache: seconds over S3A", S3A, seconds, {COLD: COLD_OVER_S3A}, notes
        )

    def _narrow(self) -> Answer:
        """Bytes, not seconds: what the store sends for two of sixteen columns, over what they have.

        A run asks whether the cache is to fetch the files for that; the witness does not ask.
        """
        files = [DataFile(uri) for uri in self.place.uris("lineitem", "local")]
        footers = [chunks_of(file) for file in files]
        needed = sum(sum(footer.bytes[name] for name in NARROW_COLUMNS) for footer in footers)
        whole = sum(Path(self.place.local.root + path).stat().st_size for path in self.place.files["lineitem"])
        chosen = S3A if wasteful(whole, wanted=footers[0].share(NARROW_COLUMNS) * whole) else COLD
        return Answer(
            "bytes from the store for two of sixteen columns, over bytes of those columns", "needed",
            {"needed": (float(needed),), AS_A_RUN: (self._sent(chosen),), COLD: (self._sent(COLD),)},
            {AS_A_RUN: FETCHED_OVER_NEEDED}, (f"a run reads them from {chosen}",),
        )  # fmt: skip

    def _sent(self, where: str) -> float:
        """Bytes that the store sends for the narrow read."""
        all_cold(self.place)
        before = self.place.far.carried()
        self.reader.timed("narrow", NARROW, where)()
        return float(self.place.far.carried() - before)

    def _pairs(self, reads: Mapping[str, Run]) -> tuple[dict[str, tuple[float, ...]], tuple[str, ...]]:
        seconds, again = quiet_pairs(reads, self.plan.rounds, noisy=Steal(), warm_up=self.plan.warm_up)
        return seconds, (f"{again} noisy round(s) were run again",) if again else ()


def _doubts(answer: Answer) -> Iterator[str]:
    null, canary = answer.ratio(NULL), answer.ratio(CANARY)
    if not null.low <= 1 <= null.high:
        yield f"doubtful: the same read twice differs by {null}"
    if canary.low <= 1:
        yield "50 ms more were not seen for sure: differences as small mean nothing here"


def _left(name: str, seconds: Mapping[str, tuple[float, ...]]) -> Answer:
    """Of the seconds that any cache could save, the share that this one does not: (hot - local) / (S3A - local)."""
    rounds = list(zip(seconds[LOCAL], seconds[S3A], seconds[HOT], strict=True))
    could = tuple(max(s3a - local, 1e-9) for local, s3a, _ in rounds)
    left = tuple(hot - local for local, _, hot in rounds)
    return Answer(
        f"{name}: seconds that a perfect cache would save besides, over all that it saves", "S3A - local",
        {"S3A - local": could, "hot alluxio - local": left}, {"hot alluxio - local": LEFT_OF_WHAT_A_CACHE_SAVES},
    )  # fmt: skip
