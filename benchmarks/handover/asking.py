"""Which hand-offs are compared with which, and what is told of them besides their ratios."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from benchmarks.handover.order import Done
from benchmarks.handover.place import Place, prepared, require_profile
from benchmarks.handover.sizes import SIZES, SMALL, Size, crossing_told
from benchmarks.hotcold.check import Measured
from benchmarks.hotcold.profiles import MB, Profile
from benchmarks.pairs import Answer, run_pairs

COPY, VOLUME, URI = "copy", "volume", "uri"
PARTS, NAIVE, ROWS, SPARK = "boto3, in parts", "boto3, one by one", "boto3, of rows", "two Spark tasks"
DISK, STREAM = "disk alone", "one HTTP stream"
_SPARK_ROUNDS: Final = 2
_STARTS: Final = 2
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """``checked``: whether the store is measured first."""

    profile: str
    sizes: tuple[Size, ...]
    subjects: tuple[str, ...]
    spark: bool = False
    checked: bool = True


_LAN: Final = Plan("lan", SIZES, (PARTS, COPY, URI, VOLUME, NAIVE, DISK, STREAM))
_REGION: Final = Plan("region", SIZES, (PARTS, COPY, URI, NAIVE), spark=True)
WHOLE: Final = (_LAN, _REGION)
FEW: Final = (
    replace(_LAN, sizes=SMALL, checked=False),
    replace(_REGION, sizes=SMALL, subjects=(PARTS, COPY), checked=False),
)


@dataclass
class Runs:
    """The rounds that count of one size: what each subject's process told, in order."""

    place: Place
    size: Size
    done: dict[str, list[Done]] = field(default_factory=dict)

    def run(self, subjects: Sequence[str]) -> None:
        run_pairs({name: partial(self._one, name) for name in subjects}, self.size.rounds, warm_up=self.size.warm_up)
        self.done.update({name: self.done[name][self.size.warm_up :] for name in subjects})

    def _one(self, subject: str) -> float:
        done = self.place.hand_over(subject, self.size)
        self.done.setdefault(subject, []).append(done)
        return done.seconds

    def seconds(self, subjects: Sequence[str], *, starts: int = 0) -> dict[str, tuple[float, ...]]:
        """With so many ``starts`` of a process besides."""
        return {
            name: tuple(one.seconds + starts * one.start_s for one in self.done[name])
            for name in subjects
            if name in self.done
        }

    def behind(self, who: str, whom: str, *, starts: int = 0) -> float:
        """By how many seconds ``who`` is slower, within a round."""
        seconds = self.seconds((who, whom), starts=starts)
        return statistics.median(mine - theirs for mine, theirs in zip(seconds[who], seconds[whom], strict=True))

    def notes(self, subjects: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{name}: {note_of(self.done[name])}" for name in subjects if name in self.done)


def asked(plan: Plan) -> Iterator[Answer]:
    """Raises: SetupError, ServerFailed."""
    profile = Profile.named(plan.profile)
    with prepared(profile) as place:
        told = (store_told(require_profile(place, profile)),) if plan.checked else ()
        sizes = [Runs(place, size) for size in plan.sizes]
        for runs in sizes:
            runs.run(plan.subjects)
            yield from _answers(plan, runs, told)
        if plan.spark:
            yield from _spark(plan, [Runs(place, _few(size)) for size in plan.sizes])


def _few(size: Size) -> Size:
    """A process that starts a JVM takes long, and what it says is plain after few rounds."""
    return replace(size, rounds=min(size.rounds, _SPARK_ROUNDS), warm_up=0)


def _answers(plan: Plan, runs: Runs, told: tuple[str, ...]) -> Iterator[Answer]:
    """Over the peer, over the disk, over the wire. ``told`` of the store."""
    what = f"seconds to hand over {runs.size}, {plan.profile}"
    seconds = runs.seconds(plan.subjects)
    ours = (PARTS, COPY, URI, VOLUME, NAIVE)
    notes = (*told, *limit_told(Profile.named(plan.profile), runs.size), *runs.notes(plan.subjects))
    yield Answer(f"{what}, over {PARTS}", PARTS, _only(seconds, ours), notes=notes)
    if DISK in seconds:
        yield Answer(f"{what}, over the {DISK}", DISK, _only(seconds, (DISK, VOLUME)))
    if STREAM in seconds:
        yield Answer(f"{what}, over {STREAM}", STREAM, _only(seconds, (STREAM, COPY, URI, PARTS)))


def _spark(plan: Plan, sizes: Sequence[Runs]) -> Iterator[Answer]:
    both = (ROWS, SPARK)
    for runs in sizes:
        runs.run(both)
    for starts, how in ((0, "as they are"), (_STARTS, "with their starts")):
        behind = [(runs.size.bytes, runs.behind(SPARK, ROWS, starts=starts)) for runs in sizes]
        for runs in sizes:
            question = f"seconds to hand over {runs.size} by two tasks {how}, {plan.profile}, over {ROWS}"
            notes = runs.notes(both) if not starts else ()
            last = (crossing_told(SPARK, ROWS, behind),) if runs is sizes[-1] else ()
            yield Answer(question, ROWS, runs.seconds(both, starts=starts), notes=(*notes, *last))


def limit_told(profile: Profile, size: Size) -> Iterator[str]:
    """In how many seconds the bytes can go there and back at all, where the profile has a limit."""
    if profile.total_rate is not None:
        least = 2 * (size.bytes / profile.total_rate + profile.first_byte_s)
        yield f"the least that the profile allows: {least:.2f} s"


def store_told(found: Measured) -> str:
    rates = f"{found.connection_rate / MB:.0f} MB/s a connection, {found.total_rate / MB:.0f} MB/s in all"
    return f"the store: {found.first_byte_s * 1000:.1f} ms to the first byte, {rates}"


def note_of(done: Sequence[Done]) -> str:
    """Medians of the parts' seconds, and of memory at most, at the end of each."""
    parts = ", ".join(
        f"{name} {statistics.median(one.parts[name] for one in done):.2f} s"
        f" ({statistics.median(one.peaks[name] for one in done) / _MIB:.0f} MiB)"
        for name in done[0].parts
    )
    start, before = (statistics.median(getattr(one, name) for one in done) for name in ("start_s", "before"))
    peak = statistics.median(one.peak for one in done)
    return f"{parts}; at most {peak / _MIB:.0f} MiB, {before / _MIB:.0f} MiB before; start {start:.1f} s"


def _only(seconds: Mapping[str, tuple[float, ...]], names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    return {name: seconds[name] for name in names if name in seconds}
